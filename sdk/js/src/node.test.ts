/** The client in Node, over real sockets, with the `ws` package at both ends. */
import { afterEach, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { type Client, connect } from "./client.ts";
import type { Written } from "./testing/bench.ts";

const room = "/room/1";
const closing: (() => unknown)[] = [];
afterEach(async () => {
    for (const close of closing.splice(0)) {
        await close();
    }
});

/** A server for one room that keeps all messages, as small as can be. */
async function serve() {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1", path: "/connect" });
    await new Promise((resolve) => server.once("listening", resolve));
    closing.push(() => server.close());
    const messages: object[] = [];
    const subprotocols: string[] = [];
    const joinedFrame = (more: object, resume: string) => ({
        op: "joined",
        q: room,
        member: true,
        at: [7, messages.length],
        resume: { chat: resume },
        mounts: { chat: { type: "message" } },
        members: 1,
        who: { alice: {} },
        ...more,
    });
    server.on("connection", (socket) => {
        subprotocols.push(socket.protocol);
        const write = (frame: object) => socket.send(JSON.stringify(frame));
        socket.on("message", (bytes) => {
            const frame = JSON.parse(String(bytes)) as Written;
            const i = frame["i"];
            if (frame.op === "hello") {
                const identity = { user: frame["user"], session: 1, resume: "r", cid: "c" };
                write({ op: "hello", v: 1, ...identity, ping: 15 });
                const since = frame["since"]?.[room];
                if (since) {
                    const missed = messages.slice(since[1]);
                    missed.forEach(write);
                    write(joinedFrame({}, `replayed ${missed.length}`));
                }
            } else if (frame.op === "join") {
                write(joinedFrame({ i }, "fresh"));
            } else if (frame.op === "send") {
                const seq = messages.length + 1;
                const { d, m } = frame as { d?: unknown; m?: string };
                const message = { op: "msg", q: room, m, seq, from: "alice", t: 1, d };
                messages.push(message);
                write(message);
                write({ op: "ok", i, seq });
            }
        });
    });
    const { port } = server.address() as { port: number };
    const cut = () => server.clients.forEach((socket) => socket.terminate());
    return { url: `ws://127.0.0.1:${port}`, messages, subprotocols, cut };
}

function client(url: string): Client {
    const made = connect(url, { user: "alice", WebSocket });
    closing.push(() => made.close());
    return made;
}

test("joins, sends, is cut, resumes and has missed nothing", async () => {
    const { url, messages, subprotocols, cut } = await serve();
    const m = client(url);
    const queue = m.queue<{ chat: number }>(room);
    await queue.join();
    const seen: number[] = [];
    queue.message("chat").on((event) => seen.push(event.data));
    expect(await queue.message("chat").send(1)).toEqual({ seq: 1 });
    const resumed = new Promise<string>((resolve) =>
        queue.on("joined", ({ resume }) => resolve(resume["chat"] ?? "")),
    );
    cut();
    messages.push({ op: "msg", q: room, m: "chat", seq: 2, from: "bob", t: 1, d: 2 });
    expect(await resumed).toBe("replayed 1");
    await queue.message("chat").send(3);
    expect(seen).toEqual([1, 2, 3]);
    expect(subprotocols).toEqual(["muster.v1.json", "muster.v1.json"]);
});

test("finds another gateway where one does not answer", async () => {
    const { url } = await serve();
    const closed = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    await new Promise((resolve) => closed.once("listening", resolve));
    const { port } = closed.address() as { port: number };
    await new Promise((resolve) => closed.close(resolve));
    const m = connect([`ws://127.0.0.1:${port}`, url], { user: "alice", WebSocket });
    closing.push(() => m.close());
    await m.queue(room).join();
    expect(m.status.state).toBe("online");
});

test("close() lets the server see a clean end", async () => {
    const { url } = await serve();
    const m = client(url);
    await m.queue(room).join();
    await m.close();
    expect(m.status).toEqual({ state: "closed" });
});
