/** JSON and protobuf, over WebSocket and plain TCP, in the same queues of the real server. */
import { proto } from "@muster/client/proto";
import { expect, test } from "vitest";
import { type Frame, Peer, Raw } from "./peer.ts";
import { ProtoPeer } from "./proto_peer.ts";
import { client, when } from "./sdk.ts";
import { serverOfFile } from "./server.ts";
import { within } from "./wait.ts";

const server = await serverOfFile();

/** What a peer saw of a queue, in order. */
const seenBy = (peer: { frames: { all: Frame[] } }) =>
    peer.frames.all.filter(({ op }) => op === "msg" || op === "state");

test("clients of every encoding see the same values in the same order", async () => {
    const q = "/room/encodings";
    const peers = [
        await Peer.login(server, "json"),
        await (await ProtoPeer.overWebSocket(server)).login("proto"),
        await (await ProtoPeer.overTcp(server)).login("tcp"),
    ];
    const joined = [];
    for (const peer of peers) {
        joined.push(await peer.ask({ op: "join", q }));
    }
    expect(joined.map(({ member, mounts }) => ({ member, mounts }))).toEqual(
        Array(3).fill({ member: true, mounts: joined[0]?.["mounts"] }),
    );
    const chat = { op: "send", q, m: "chat" };
    const payloads = [null, 0, -1.5e300, "é😀", [1, [2]], { a: 1, b: {} }];
    for (const peer of peers) {
        for (const d of payloads) {
            expect(await peer.ask({ ...chat, d })).toMatchObject({ op: "ok" });
        }
        expect(await peer.ask({ ...chat, b: "/wAB" })).toMatchObject({ op: "ok" });
        const set = { op: "set", q, m: "scores", k: "kéy" };
        expect(await peer.ask({ ...set, d: 7 })).toMatchObject({ op: "ok" });
        expect(await peer.ask({ ...set, b: "AAE=" })).toMatchObject({ op: "ok" });
        expect(await peer.ask(set)).toMatchObject({ op: "ok" });
    }
    const last = { op: "send", q, m: "chat", d: "end" };
    await peers[0]?.ask(last);
    for (const peer of peers) {
        await peer.frames.next(({ d }) => d === "end", "the last message");
    }
    expect(seenBy(peers[0] as Peer)).toHaveLength(3 * 10 + 1);
    expect(seenBy(peers[1] as ProtoPeer)).toEqual(seenBy(peers[0] as Peer));
    expect(seenBy(peers[2] as ProtoPeer)).toEqual(seenBy(peers[0] as Peer));
    const histories = [];
    for (const peer of peers) {
        const { items } = await peer.ask({ op: "history", q, m: "chat" });
        histories.push(items);
    }
    expect(histories[0].length).toBeGreaterThan(5);
    expect(histories[1]).toEqual(histories[0]);
    expect(histories[2]).toEqual(histories[0]);
});

test("a late joiner of any encoding gets the same snapshot", async () => {
    const q = "/room/snapshots";
    const json = await Peer.login(server, "first");
    await json.ask({ op: "join", q });
    await json.ask({ op: "set", q, m: "scores", k: "a", d: { deep: [1] } });
    await json.ask({ op: "set", q, m: "scores", k: "b", b: "/w==" });
    const answers = [
        await json.ask({ op: "listen", q }),
        await (await (await ProtoPeer.overWebSocket(server)).login("p")).ask({ op: "listen", q }),
        await (await (await ProtoPeer.overTcp(server)).login("t")).ask({ op: "listen", q }),
    ];
    const shown = answers.map(({ at, mounts, members, who }) => ({ at, mounts, members, who }));
    expect(shown[0]?.mounts).toMatchObject({
        scores: { value: { a: { deep: [1] } }, valueb: { b: "/w==" } },
    });
    expect(shown[1]).toEqual(shown[0]);
    expect(shown[2]).toEqual(shown[0]);
});

test("an op that nobody knows is answered, and the connection stays", async () => {
    for (const peer of [
        await ProtoPeer.overWebSocket(server),
        await ProtoPeer.overTcp(server),
    ]) {
        await peer.login("curious");
        expect(await peer.ask({ op: "dance" })).toMatchObject({ op: "err", code: "M1016" });
        peer.write({ op: "ping" });
        await peer.next("pong");
    }
});

test("over plain TCP the end has a reason: a bye with the code", async () => {
    const early = await ProtoPeer.overTcp(server);
    early.write({ op: "join", q: "/room/x" });
    expect(await early.next("bye")).toMatchObject({ code: "M1000" });
    const broken = await (await ProtoPeer.overTcp(server)).login("broken");
    broken.send(Uint8Array.of(0x0b, 0x0c));
    expect(await broken.next("bye")).toMatchObject({ code: "M1000", message: "a group" });
    await expect(broken.next("msg")).rejects.toThrow("closed");
    const long = await Raw.connect(server.client);
    long.write(Uint8Array.of(0, 1, 0, 1));
    expect(await long.rest()).toContain("the message is too big");
});

test("the SDK speaks protobuf with the codec, beside one that speaks JSON", async () => {
    const room = "/room/codecs";
    const binary = client(server.url, { user: "binary", codec: proto });
    const plain = client(server.url, { user: "plain" });
    const queues = [binary, plain].map((m) => m.queue<{ chat: string }, { scores: number }>(room));
    const said: string[][] = [[], []];
    for (const [i, queue] of queues.entries()) {
        queue.message("chat").on((event) => said[i]?.push(`${event.seq} ${event.from} ${event.data}`));
        await within(queue.join(), "a join");
    }
    for (const queue of queues) {
        await queue.message("chat").send("hello");
        await queue.state("scores").update("count", (count = 0) => count + 1);
    }
    for (const [i, queue] of queues.entries()) {
        const scores = queue.state("scores");
        await when((told) => scores.on("change", told), () => scores.get("count") === 2);
        expect(said[i]).toHaveLength(2);
    }
    expect(said[1]).toEqual(said[0]);
    expect(queues[0]?.members.count).toBe(2);
});
