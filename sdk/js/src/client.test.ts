import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type ConnectOptions, connect, lifeOf } from "./client.ts";
import { MusterError } from "./errors.ts";
import { FakeWebSocket } from "./testing/fake_socket.ts";
import type { JoinedFrame } from "./wire.ts";

beforeEach(() => {
    vi.useFakeTimers();
});
afterEach(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
    vi.unstubAllGlobals();
});

const room = "/room/1";
const joined = (seq: number, more: Partial<JoinedFrame> = {}): JoinedFrame => ({
    op: "joined",
    q: room,
    member: true,
    at: [7, seq],
    resume: { chat: "fresh" },
    mounts: { chat: { type: "message" }, scores: { type: "state", value: { alice: 7 } } },
    members: 2,
    who: { alice: {}, bob: {} },
    ...more,
});

/** Lets promises and what is due now run. */
const settle = () => vi.advanceTimersByTimeAsync(0);

async function online(options: Partial<ConnectOptions> = { user: "alice" }) {
    const { constructor_, sockets } = FakeWebSocket.collect();
    const client = connect("ws://host", { WebSocket: constructor_, ...options });
    const states: string[] = [];
    client.on("status", (status) => states.push(status.state));
    await settle();
    const socket = () => sockets.at(-1) as FakeWebSocket;
    if (sockets.length > 0) {
        socket().accept();
        socket().hello();
        socket().written();
    }
    return { client, states, sockets, socket };
}

async function inRoom() {
    const world = await online();
    const queue = world.client.queue<{ chat: { text: string } }, { scores: number }>(room);
    const done = queue.join();
    world.socket().receive(joined(20, { i: 1 }));
    await done;
    world.socket().written();
    return { ...world, queue };
}

describe("connect()", () => {
    test("returns at once; listeners set right after it miss nothing", async () => {
        const { client, states, socket } = await online();
        expect(states).toEqual(["connecting", "online"]);
        expect(socket().url).toBe("ws://host/connect");
        expect(client.status).toEqual({ state: "online" });
        expect([client.user, client.session]).toEqual(["alice", 1]);
    });

    test("complains of what no later moment can mend", () => {
        const { constructor_ } = FakeWebSocket.collect();
        expect(() => connect([], { user: "x", WebSocket: constructor_ })).toThrow(/gateway/);
        expect(() => connect("ws://h", { WebSocket: constructor_ })).toThrow(/token/);
        expect(() => connect("no url", { user: "x", WebSocket: constructor_ })).toThrow(TypeError);
        vi.stubGlobal("WebSocket", undefined);
        expect(() => connect("ws://h", { user: "x" })).toThrow(/ws/);
    });

    test("uses the global WebSocket where there is one", async () => {
        const { constructor_, sockets } = FakeWebSocket.collect();
        vi.stubGlobal("WebSocket", constructor_);
        connect("ws://h", { user: "x" });
        await settle();
        expect(sockets).toHaveLength(1);
    });

    test("picks gateways by real entropy", async () => {
        const random = vi.spyOn(crypto, "getRandomValues");
        await online();
        expect(random).toHaveBeenCalled();
        random.mockRestore();
    });

    test("asks the token function before each sign-in", async () => {
        const token = vi.fn(async () => "jwt");
        const { socket, sockets } = await online({ token });
        expect(token).toHaveBeenCalledTimes(1);
        await vi.advanceTimersByTimeAsync(10_000);
        socket().drop();
        await vi.advanceTimersByTimeAsync(1000);
        expect(token).toHaveBeenCalledTimes(2);
        expect(sockets).toHaveLength(2);
        socket().accept();
        expect(socket().written()).toMatchObject([{ op: "hello", token: "jwt" }]);
    });

    test("takes a plain string, and says when the token function gives nothing", async () => {
        const fixed = await online({ token: "jwt" });
        expect(fixed.client.status.state).toBe("online");
        const empty = await online({ token: async () => "" });
        expect(empty.client.status).toMatchObject({ state: "offline" });
        expect(empty.client.status.reason?.message).toContain("no token");
        const broken = await online({ token: () => Promise.reject(new Error("HTTP 500")) });
        expect(broken.client.status.reason?.message).toContain("HTTP 500");
    });

    test("reads the life of a token from its claims", () => {
        const jwt = (claims: object) => `h.${btoa(JSON.stringify(claims)).replaceAll("=", "")}.s`;
        expect(lifeOf(jwt({ iat: 1000, exp: 1600 }))).toBe(600_000);
        const soon = Math.round(Date.now() / 1000) + 60;
        expect(lifeOf(jwt({ exp: soon, name: "Jörg?>~" }))).toBeGreaterThan(58_000);
        expect(lifeOf(jwt({ iat: 1000, exp: 900 }))).toBe(undefined);
        expect(lifeOf("opaque")).toBe(undefined);
        expect(lifeOf("a.%%%.c")).toBe(undefined);
    });
});

describe("a queue", () => {
    test("is the same object per name, and having it asks nothing", async () => {
        const { client, socket } = await online();
        expect(client.queue(room)).toBe(client.queue(room));
        const queue = client.queue(room);
        expect(queue.message("chat")).toBe(queue.message("chat"));
        expect(queue.state("scores")).toBe(queue.state("scores"));
        expect(socket().written()).toEqual([]);
    });

    test("join fills state and members, and resolves to how it began", async () => {
        const { client, socket } = await online();
        const queue = client.queue(room);
        const events: unknown[] = [];
        queue.on("joined", (event) => events.push(event));
        client.on("joined", (which, event) => events.push([which.name, event.again]));
        const done = queue.join();
        expect(queue.joined).toBe(undefined);
        socket().receive(joined(20, { i: 1 }));
        const expected = {
            queue: room,
            member: true,
            at: [7, 20],
            resume: { chat: "fresh" },
            again: false,
        };
        expect(await done).toEqual(expected);
        expect(queue.joined).toEqual(expected);
        expect(events).toEqual([expected, [room, false]]);
        expect(queue.state("scores").get("alice")).toBe(7);
        expect([...queue.members.keys()]).toEqual(["alice", "bob"]);
    });

    test("join rejects with a MusterError", async () => {
        const { client, socket } = await online();
        const done = client.queue(room).join();
        socket().receive({ op: "err", i: 1, code: "M2004", message: "not for you" });
        await expect(done).rejects.toBeInstanceOf(MusterError);
        await expect(done).rejects.toMatchObject({ code: "M2004", outcome: "rejected" });
    });

    test("messages, state and members arrive", async () => {
        const { queue, socket } = await inRoom();
        const seen: unknown[] = [];
        const off = queue.message("chat").on((event) => seen.push(event));
        queue.state("scores").on("change", (...change) => seen.push(change));
        queue.members.on("change", (change) => seen.push(change));
        socket().receive(
            { op: "msg", q: room, m: "chat", seq: 21, from: "bob", t: 5, d: { text: "hi" } },
            { op: "state", q: room, m: "scores", seq: 22, set: { alice: 8 }, del: ["carol"] },
            { op: "members", q: room, seq: 23, set: {}, del: { bob: "timeout" }, count: 1 },
        );
        off();
        socket().receive({ op: "msg", q: room, m: "chat", seq: 24, b: "AAE=" });
        const message = { queue: room, mount: "chat", seq: 21, from: "bob", time: 5 };
        expect(seen).toEqual([
            { ...message, data: { text: "hi" } },
            ["alice", 8, 7],
            { set: {}, del: { bob: "timeout" }, count: 1 },
        ]);
    });

    test("a payload that is not JSON comes as base64", async () => {
        const { queue, socket } = await inRoom();
        const seen: unknown[] = [];
        queue.message("chat").on((event) => seen.push(event));
        socket().receive({ op: "msg", q: room, m: "chat", seq: 21, b: "AAE=" });
        expect(seen).toMatchObject([{ base64: "AAE=", data: undefined }]);
    });

    test("send, set and delete resolve to their place", async () => {
        const { queue, socket } = await inRoom();
        const done = Promise.all([
            queue.message("chat").send({ text: "hi" }),
            queue.state("scores").set("alice", 9, { ifSeq: 20 }),
            queue.state("scores").delete("bob"),
        ]);
        expect(socket().written()).toMatchObject([
            { op: "send", m: "chat", d: { text: "hi" } },
            { op: "set", m: "scores", k: "alice", d: 9, if: 20 },
            { op: "set", m: "scores", k: "bob" },
        ]);
        socket().receive({ op: "ok", i: 2, seq: 21 });
        socket().receive({ op: "ok", i: 3, seq: 22 }, { op: "ok", i: 4, seq: 23 });
        expect(await done).toEqual([{ seq: 21 }, { seq: 22 }, { seq: 23 }]);
    });

    test("a payload is taken as it was when it was sent", async () => {
        const { queue, socket } = await inRoom();
        socket().drop();
        const data = { text: "before" };
        void queue.message("chat").send(data);
        data.text = "after";
        await vi.advanceTimersByTimeAsync(1000);
        socket().accept();
        socket().hello();
        socket().receive(joined(20));
        expect(socket().written().at(-1)).toMatchObject({ d: { text: "before" } });
    });

    test("what is no JSON value is a TypeError", async () => {
        const { queue } = await inRoom();
        await expect(queue.message("chat").send(undefined as never)).rejects.toThrow(TypeError);
        const circle: Record<string, unknown> = {};
        circle["self"] = circle;
        await expect(queue.message("chat").send(circle as never)).rejects.toThrow(TypeError);
        await expect(queue.state("scores").set("a", 1n as never)).rejects.toThrow(TypeError);
    });

    test("the failure of a volatile send needs no catch", async () => {
        const { queue, socket } = await inRoom();
        socket().drop();
        const failed = queue.message("chat").send({ text: "now" }, { volatile: true });
        await settle();
        await expect(failed).rejects.toMatchObject({ outcome: "not-sent", code: "M1040" });
        void queue.message("chat").send({ text: "now" }, { volatile: true });
        await settle(); // An unhandled rejection would fail the run.
    });

    test("history comes oldest first, in the form of messages", async () => {
        const { queue, socket } = await inRoom();
        const done = queue.message("chat").history(17);
        expect(socket().written()).toMatchObject([{ op: "history", m: "chat", before: 17 }]);
        socket().receive({
            op: "history",
            i: 2,
            items: [
                { seq: 16, from: "bob", t: 9, d: { text: "two" } },
                { seq: 12, t: 8, d: { text: "one" } },
            ],
        });
        expect(await done).toEqual([
            {
                queue: room,
                mount: "chat",
                seq: 12,
                from: undefined,
                time: 8,
                data: { text: "one" },
            },
            { queue: room, mount: "chat", seq: 16, from: "bob", time: 9, data: { text: "two" } },
        ]);
    });

    test("a resume is told, with what became of each mount", async () => {
        const { queue, socket, states } = await inRoom();
        const told: unknown[] = [];
        queue.on("joined", ({ resume, again }) => told.push([resume, again]));
        await vi.advanceTimersByTimeAsync(10_000);
        socket().drop();
        await vi.advanceTimersByTimeAsync(1000);
        socket().accept();
        socket().hello();
        const resume = { chat: "gap 21..25", scores: "snapshot" } as const;
        const scores = { type: "state", value: { alice: 100 } } as const;
        socket().receive(joined(30, { resume, mounts: { scores } }));
        expect(states).toEqual(["connecting", "online", "offline", "resuming", "online"]);
        expect(told).toEqual([[resume, true]]);
        expect(queue.state("scores").get("alice")).toBe(100);
    });

    test("gap, stalled, reset and left are told", async () => {
        const { queue, socket } = await inRoom();
        const told: unknown[] = [];
        queue.on("gap", (gap) => told.push(gap));
        queue.on("stalled", (on) => told.push(on));
        queue.on("reset", (reset) => told.push(reset));
        queue.on("left", (left) => told.push(left));
        socket().receive(
            { op: "gap", q: room, m: "chat", from: 21, to: 24 },
            { op: "stalled", q: room, on: true },
            { op: "stalled", q: room, on: false },
            {
                op: "reset",
                q: room,
                at: [7, 40],
                why: "behind",
                mounts: { scores: { type: "state", value: { eve: 1 } } },
                who: { eve: {} },
                members: 1,
            },
        );
        expect([...queue.state("scores").entries()]).toEqual([["eve", 1]]);
        expect([...queue.members.keys()]).toEqual(["eve"]);
        socket().receive({ op: "left", q: room, why: "kicked" });
        expect(told).toEqual([
            { mount: "chat", from: 21, to: 24 },
            true,
            false,
            { why: "behind", at: [7, 40] },
            { why: "kicked" },
        ]);
        expect([queue.state("scores").size, queue.members.count, queue.joined]).toEqual([
            0,
            0,
            undefined,
        ]);
    });

    test("a queue that is gone is empty until it is joined again", async () => {
        const { queue, socket } = await inRoom();
        socket().receive({ op: "reset", q: room, at: [8, 0], why: "gone" });
        expect([queue.state("scores").size, queue.members.count]).toEqual([0, 0]);
        expect(socket().written()).toMatchObject([{ op: "join" }]);
    });

    test("an abort signal withdraws, and the verdict follows", async () => {
        const { queue, socket } = await inRoom();
        const aborter = new AbortController();
        const { signal } = aborter;
        const done = queue.message("chat").send({ text: "hi" }, { signal });
        aborter.abort();
        expect(
            socket()
                .written()
                .map((frame) => frame.op),
        ).toEqual(["send", "withdraw"]);
        socket().receive({ op: "err", i: 2, code: "M2006" });
        await expect(done).rejects.toMatchObject({ outcome: "rejected", code: "M2006" });
        socket().drop();
        const late = queue.message("chat").send({ text: "hi" }, { signal });
        await expect(late).rejects.toMatchObject({ outcome: "not-sent", code: "M2006" });
    });

    test("update adds to a score though another one writes, too", async () => {
        const { queue, socket } = await inRoom();
        const done = queue.state("scores").update("alice", (score = 0) => score + 5);
        expect(socket().written()).toMatchObject([{ k: "alice", d: 12, if: 20 }]);
        socket().receive({ op: "err", i: 2, code: "M3009", current: 21 });
        socket().receive({ op: "state", q: room, m: "scores", seq: 21, set: { alice: 50 } });
        await settle();
        expect(socket().written()).toMatchObject([{ k: "alice", d: 55, if: 21 }]);
        socket().receive({ op: "ok", i: 3, seq: 22 });
        expect(await done).toEqual({ seq: 22 });
    });
});

describe("the shell", () => {
    test("a listener that throws stops nobody else", async () => {
        const { queue, socket } = await inRoom();
        const seen: number[] = [];
        queue.message("chat").on(() => {
            throw new Error("mine");
        });
        queue.message("chat").on((event) => seen.push(event.seq));
        socket().receive({ op: "msg", q: room, m: "chat", seq: 21, d: {} });
        socket().receive({ op: "msg", q: room, m: "chat", seq: 22, d: {} });
        expect(seen).toEqual([21, 22]);
        expect(() => vi.advanceTimersByTime(0)).toThrow("mine");
    });

    test("a listener may send; what it causes comes after what is under way", async () => {
        const { queue, socket } = await inRoom();
        queue.message("chat").on((event) => {
            if (event.data.text === "ping") {
                void queue.message("chat").send({ text: "pong" });
            }
        });
        socket().receive({ op: "msg", q: room, m: "chat", seq: 21, d: { text: "ping" } });
        expect(socket().written()).toMatchObject([{ op: "send", d: { text: "pong" } }]);
    });

    test("one timer serves all deadlines: ping, then another gateway", async () => {
        const { socket, sockets } = await online();
        await vi.advanceTimersByTimeAsync(15_000);
        expect(socket().written()).toEqual([{ op: "ping" }]);
        await vi.advanceTimersByTimeAsync(21_000);
        expect(sockets).toHaveLength(2);
        expect(sockets[0]?.closed).toEqual([[4006, expect.any(String)]]);
        expect(vi.getTimerCount()).toBe(1);
    });

    test("after sleep the token is fetched anew", async () => {
        const claims = btoa(JSON.stringify({ iat: 0, exp: 86_400 }));
        const token = vi.fn(async () => `h.${claims}.s`);
        const { sockets } = await online({ token });
        expect(token).toHaveBeenCalledTimes(1);
        const wall = Date.now;
        vi.spyOn(Date, "now").mockImplementation(() => wall() + 60_000); // The timer stood still.
        await vi.advanceTimersByTimeAsync(15_000);
        await settle();
        expect(token).toHaveBeenCalledTimes(2);
        expect(sockets[0]?.written()).toContainEqual(expect.objectContaining({ op: "auth" }));
    });

    test("a browser on line again, or a page seen again, tries at once", async () => {
        const listeners = new Map<string, () => void>();
        const add = (name: string, listener: () => void) => listeners.set(name, listener);
        const remove = (name: string) => listeners.delete(name);
        const document = { visibilityState: "hidden", addEventListener: add };
        vi.stubGlobal("document", { ...document, removeEventListener: remove });
        vi.stubGlobal("addEventListener", add);
        vi.stubGlobal("removeEventListener", remove);
        const { client, socket, sockets } = await online();
        socket().drop();
        expect(client.status.state).toBe("offline");
        listeners.get("visibilitychange")?.();
        expect(sockets).toHaveLength(1);
        listeners.get("online")?.();
        expect(sockets).toHaveLength(2);
        socket().drop();
        (globalThis.document as { visibilityState: string }).visibilityState = "visible";
        listeners.get("visibilitychange")?.();
        expect(sockets).toHaveLength(3);
        await client.close();
        expect(listeners.size).toBe(0);
    });

    test("mail reaches the app and is acknowledged after it was taken", async () => {
        const { client, socket } = await online();
        socket().receive({ op: "msg", q: "/user/alice", m: "mail", n: 5, from: "bob", t: 9, d: 1 });
        await settle();
        expect(socket().written()).toEqual([]);
        const mail: unknown[] = [];
        client.on("mail", (one) => mail.push(one));
        await settle();
        expect(mail).toEqual([{ n: 5, from: "bob", time: 9, data: 1 }]);
        expect(socket().written()).toEqual([{ op: "ack", n: 5 }]);
    });

    test("close() resolves for a superseded client, too, while it asks for verdicts and after", async () => {
        for (const answers of [true, false]) {
            const { client, queue, socket, sockets } = await inRoom();
            const sent = queue.message("chat").send({ text: "hi" });
            socket().drop(4003, "M1003 superseded");
            expect(client.status.state).toBe("closed");
            await vi.advanceTimersByTimeAsync(1000);
            expect(sockets).toHaveLength(2);
            socket().accept();
            if (answers) {
                socket().hello({ session: 0, resume: undefined, ping: 0 });
                socket().receive({ op: "ok", i: 2, seq: 21 });
                expect(await sent).toEqual({ seq: 21 });
                await client.close();
            } else {
                const refused = expect(sent).rejects.toMatchObject({ outcome: "unknown" });
                await client.close();
                await refused;
            }
            expect(vi.getTimerCount()).toBe(0);
        }
    });

    test("close() resolves when all is over, and leaves nothing running", async () => {
        const { client, queue, socket, states } = await inRoom();
        const sent = queue.message("chat").send({ text: "bye" });
        const done = client.close();
        socket().receive({ op: "ok", i: 2, seq: 21 });
        await done;
        expect(await sent).toEqual({ seq: 21 });
        expect(states.at(-1)).toBe("closed");
        expect(vi.getTimerCount()).toBe(0);
        expect(socket().closed).toEqual([[1000, ""]]);
        await client.close();
        await expect(queue.join()).rejects.toMatchObject({ code: "M1041" });
    });

    test("a joined queue that the app never named is told, too", async () => {
        const { client, socket } = await online();
        const told: string[] = [];
        client.on("joined", (queue) => told.push(queue.name));
        socket().receive({ ...joined(5), q: "/room/by-the-backend" });
        expect(told).toEqual(["/room/by-the-backend"]);
    });
});
