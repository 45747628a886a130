import { describe, expect, test } from "vitest";
import { Bench, chat, joined, room } from "../testing/bench.ts";

/** Drops the connection of a bench and makes the next one, up to its hello. */
function reconnect(bench: Bench, hello: object = {}): void {
    bench.gone();
    bench.step({ type: "wake", slept: false });
    bench.greet(hello);
}

const ops = (bench: Bench) => bench.written().filter((frame) => frame.op !== "hello");

describe("joining and leaving", () => {
    test("a join is operation 1 of the present life, and its answer is the verdict", () => {
        const bench = Bench.online();
        const id = bench.ask("join");
        expect(bench.written()).toEqual([{ op: "join", i: 1, n: 1, inc: 0, try: 1, q: room }]);
        bench.receive(joined([7, 20], { i: 1 }));
        expect(bench.outcome(id)).toBe("ok");
        expect(bench.last("joined")).toMatchObject({ q: room, again: false });
    });

    test("after the answer numbers count on in the life that it named", () => {
        const bench = Bench.joined([7, 20]);
        bench.send("hi");
        expect(bench.written()).toEqual([
            { op: "send", i: 2, n: 2, inc: 7, try: 1, q: room, m: "chat", d: "hi" },
        ]);
    });

    test("what is sent before the answer waits for it, in order", () => {
        const bench = Bench.online();
        bench.ask("join");
        bench.send("one");
        bench.send("two");
        expect(bench.written()).toHaveLength(1);
        bench.receive(joined([7, 20], { i: 1 }));
        expect(bench.written()).toMatchObject([
            { d: "one", n: 2 },
            { d: "two", n: 3 },
        ]);
    });

    test("a join waits for the connection, as long as it takes", () => {
        const bench = new Bench();
        const id = bench.ask("join");
        bench.pass(300_000);
        bench.step({ type: "start" });
        bench.greet();
        expect(bench.written().at(-1)).toMatchObject({ op: "join", n: 1 });
        expect(bench.outcome(id)).toBe("open");
    });

    test("two joins at once are one, and joining what is joined asks nothing", () => {
        const bench = Bench.online();
        const ids = [bench.ask("join"), bench.ask("join")];
        bench.receive(joined([7, 20], { i: 1 }));
        ids.push(bench.ask("join"), bench.ask("listen"));
        expect(ids.map((id) => bench.outcome(id))).toEqual(["ok", "ok", "ok", "ok"]);
        expect(bench.written()).toHaveLength(1);
    });

    test("a rejected join ends the wish, and the next one has another number in the present life", () => {
        const bench = Bench.online();
        const id = bench.ask("join");
        bench.receive({ op: "err", i: 1, code: "M5001", message: "room is full" });
        expect(bench.verdict(id)).toMatchObject({
            failed: { outcome: "rejected", code: "M5001", message: "room is full" },
        });
        bench.ask("join");
        expect(bench.written().at(-1)).toMatchObject({ op: "join", n: 2, inc: 0, try: 1 });
    });

    test("what waits for a join that fails is not sent", () => {
        const bench = Bench.online();
        bench.ask("join");
        const id = bench.send("hi");
        bench.receive({ op: "err", i: 1, code: "M2004" });
        expect(bench.outcome(id)).toBe("not-sent M2003");
    });

    test("sending to a queue that is neither joined nor listened to is an error at once", () => {
        const bench = Bench.online();
        expect(bench.outcome(bench.send("hi"))).toBe("not-sent M2003");
        expect(bench.written()).toEqual([]);
    });

    test("leave is an operation, and the stream ends with its verdict", () => {
        const bench = Bench.joined();
        const id = bench.ask("leave");
        expect(bench.written()).toEqual([{ op: "leave", i: 2, n: 2, inc: 7, try: 1, q: room }]);
        bench.receive(chat(21));
        expect(bench.all("stream")).toHaveLength(1);
        bench.receive({ op: "ok", i: 2, seq: 22 });
        expect(bench.outcome(id)).toBe("ok");
        expect(bench.last("left")).toMatchObject({ q: room, why: "left" });
        bench.receive(chat(30));
        expect(bench.all("stream")).toHaveLength(1);
        expect(bench.shut).toEqual([]);
    });

    test("leaving what is not joined, or twice, is well at once or together", () => {
        const bench = Bench.joined();
        const first = bench.ask("leave");
        const second = bench.ask("leave");
        expect(bench.written()).toHaveLength(1);
        bench.receive({ op: "ok", i: 2 });
        expect([bench.outcome(first), bench.outcome(second)]).toEqual(["ok", "ok"]);
        expect(bench.outcome(bench.ask("leave"))).toBe("ok");
        expect(bench.outcome(bench.ask("unlisten"))).toBe("ok");
        expect(bench.written()).toEqual([]);
    });

    test("a leave that the server rejects, as of no member, has reached its end", () => {
        for (const code of ["M2003", "M2002", "M2010"]) {
            const bench = Bench.joined();
            const id = bench.ask("leave");
            bench.receive({ op: "err", i: 2, code });
            expect(bench.outcome(id)).toBe("ok");
            expect(bench.all("left")).toHaveLength(1);
        }
    });

    test("leave before the join was sent takes it back", () => {
        const bench = new Bench();
        const join = bench.ask("join");
        const leave = bench.ask("leave");
        expect([bench.outcome(join), bench.outcome(leave)]).toEqual(["not-sent M2006", "ok"]);
        bench.step({ type: "start" });
        bench.greet();
        expect(ops(bench)).toEqual([]);
    });

    test("leave while the join is under way follows it", () => {
        const bench = Bench.online();
        const join = bench.ask("join");
        const leave = bench.ask("leave");
        bench.receive(joined([7, 20], { i: 1 }));
        expect(bench.written()).toMatchObject([{ op: "join" }, { op: "leave", n: 2, inc: 7 }]);
        bench.receive({ op: "ok", i: 2 });
        expect([bench.outcome(join), bench.outcome(leave)]).toEqual(["ok", "ok"]);
    });

    test("join, leave, join in a row ends as a member", () => {
        const bench = Bench.joined();
        bench.ask("leave");
        const again = bench.ask("join");
        expect(bench.written()).toMatchObject([
            { op: "leave", n: 2 },
            { op: "join", n: 3 },
        ]);
        bench.receive({ op: "ok", i: 2 }, joined([7, 23], { i: 3 }), chat(24));
        expect(bench.outcome(again)).toBe("ok");
        expect(bench.last("stream").frame).toMatchObject({ seq: 24 });
    });

    test("a late refusal of a leave does not end what a later join began", () => {
        const bench = Bench.joined();
        const leave = bench.ask("leave");
        bench.ask("join");
        bench.receive(joined([7, 23], { i: 3 }), { op: "err", i: 2, code: "M2003" }, chat(24));
        expect(bench.outcome(leave)).toBe("ok");
        expect(bench.all("left")).toEqual([]);
        expect(bench.all("stream")).toHaveLength(1);
    });

    test("with a late ok of a leave the gateway ends the stream, and begins it anew", () => {
        const bench = Bench.joined();
        const leave = bench.ask("leave");
        bench.ask("join");
        bench.receive(joined([7, 23], { i: 3 }), { op: "ok", i: 2, seq: 21 });
        bench.receive(joined([7, 25]), chat(26));
        expect(bench.outcome(leave)).toBe("ok");
        expect(bench.all("left")).toHaveLength(1);
        expect(bench.all("joined").map(({ again }) => again)).toEqual([false, false, false]);
        expect(bench.all("stream")).toHaveLength(1);
        expect(bench.shut).toEqual([]);
    });

    test("a late copy of a join's answer does not begin what was left", () => {
        const bench = Bench.joined();
        bench.ask("leave");
        bench.receive({ op: "ok", i: 2 }, joined([7, 20], { i: 1 }));
        expect(bench.all("joined")).toHaveLength(1);
        bench.receive(chat(30));
        expect(bench.all("stream")).toEqual([]);
    });

    test("a leave that waits for a join that fails has nothing to leave", () => {
        const bench = Bench.online();
        bench.ask("join");
        const leave = bench.ask("leave");
        const again = bench.ask("join");
        bench.receive({ op: "err", i: 1, code: "M2004" });
        expect(bench.outcome(leave)).toBe("ok");
        expect(bench.written().at(-1)).toMatchObject({ op: "join", i: 3, n: 2, inc: 0 });
        bench.receive(joined([7, 20], { i: 3 }));
        expect(bench.outcome(again)).toBe("ok");
    });

    test("of two joins under way the later one decides", () => {
        const bench = Bench.joined();
        bench.ask("leave");
        const first = bench.ask("join");
        bench.ask("leave");
        const second = bench.ask("join");
        bench.receive({ op: "ok", i: 2 }, { op: "err", i: 3, code: "M2004" }, { op: "ok", i: 4 });
        bench.receive(joined([7, 24], { i: 5 }), chat(25));
        expect([bench.outcome(first), bench.outcome(second)]).toEqual(["rejected M2004", "ok"]);
        expect(bench.all("stream")).toHaveLength(1);
        expect(bench.outcome(bench.ask("join"))).toBe("ok");
        bench.send("hi");
        expect(bench.written().at(-1)).toMatchObject({ op: "send", n: 6 });
    });

    test("being kicked ends the stream, the wish and what waits", () => {
        const bench = Bench.joined();
        bench.receive({ op: "left", q: room, why: "kicked" });
        expect(bench.last("left")).toMatchObject({ why: "kicked" });
        expect(bench.outcome(bench.send("hi"))).toBe("not-sent M2003");
        reconnect(bench);
        expect(bench.written().at(-1)).not.toHaveProperty("since");
    });

    test("a join by the backend starts a stream that nobody asked for", () => {
        const bench = Bench.online();
        bench.receive(joined([3, 5]));
        expect(bench.last("joined")).toMatchObject({ q: room, again: false });
        bench.receive(chat(6));
        expect(bench.all("stream")).toHaveLength(1);
        reconnect(bench);
        expect(bench.written()[0]).toMatchObject({ since: { [room]: [3, 6] } });
    });
});

describe("watching", () => {
    test("listen and unlisten carry no number", () => {
        const bench = Bench.online();
        const listen = bench.ask("listen");
        bench.receive(joined([7, 20], { i: 1, member: false }));
        const unlisten = bench.ask("unlisten");
        bench.receive({ op: "ok", i: 2 });
        expect(bench.written()).toEqual([
            { op: "listen", i: 1, q: room },
            { op: "unlisten", i: 2, q: room },
        ]);
        expect([bench.outcome(listen), bench.outcome(unlisten)]).toEqual(["ok", "ok"]);
        expect(bench.last("left").why).toBe("left");
    });

    test("a watcher does not become a member by resuming", () => {
        const bench = Bench.online();
        bench.ask("listen");
        bench.receive(joined([7, 20], { i: 1, member: false }));
        reconnect(bench);
        bench.receive(joined([7, 20], { member: false }));
        expect(ops(bench).map((frame) => frame.op)).toEqual(["listen"]);
    });

    test("leave() ends a watch, and unlisten() lets a member be", () => {
        const watcher = Bench.online();
        watcher.ask("listen");
        watcher.receive(joined([7, 20], { i: 1, member: false }));
        watcher.ask("leave");
        expect(watcher.written().at(-1)).toMatchObject({ op: "unlisten" });
        const member = Bench.joined();
        expect(member.outcome(member.ask("unlisten"))).toBe("ok");
        expect(member.written()).toEqual([]);
    });

    test("a watch that ends without a connection is simply not resumed", () => {
        const bench = Bench.online();
        bench.ask("listen");
        bench.receive(joined([7, 20], { i: 1, member: false }));
        bench.gone();
        const id = bench.ask("unlisten");
        expect(bench.outcome(id)).toBe("ok");
        bench.step({ type: "wake", slept: false });
        bench.greet();
        expect(bench.written().at(-1)).not.toHaveProperty("since");
    });

    test("an unlisten whose answer is lost is done by not resuming", () => {
        const bench = Bench.online();
        bench.ask("listen");
        bench.receive(joined([7, 20], { i: 1, member: false }));
        const id = bench.ask("unlisten");
        reconnect(bench);
        expect(bench.outcome(id)).toBe("ok");
        expect(bench.written().at(-1)).not.toHaveProperty("since");
    });

    test("a watcher who is not let in as a member stays a watcher", () => {
        const bench = Bench.online();
        bench.ask("listen");
        bench.receive(joined([7, 20], { i: 1, member: false }));
        const join = bench.ask("join");
        expect(bench.written().at(-1)).toMatchObject({ op: "join", n: 1, inc: 0 });
        bench.receive({ op: "err", i: 2, code: "M2004" }, chat(21));
        expect(bench.outcome(join)).toBe("rejected M2004");
        expect(bench.all("stream")).toHaveLength(1);
    });

    test("listen right after leave listens once the leave is through", () => {
        const bench = Bench.joined();
        bench.ask("leave");
        const listen = bench.ask("listen");
        bench.receive(joined([7, 20], { i: 3, member: false }), { op: "ok", i: 2 });
        expect(bench.outcome(listen)).toBe("ok");
        expect(bench.written().map((frame) => frame.op)).toEqual(["leave", "listen", "listen"]);
        bench.receive(joined([7, 21], { i: 4, member: false }), chat(22));
        expect(bench.all("stream")).toHaveLength(1);
    });

    test("a lost listen is asked again over the next connection", () => {
        const bench = Bench.online();
        const id = bench.ask("listen");
        reconnect(bench);
        expect(ops(bench).map((frame) => frame.op)).toEqual(["listen", "listen"]);
        bench.receive(joined([7, 20], { i: 1, member: false }));
        expect(bench.outcome(id)).toBe("ok");
    });
});

describe("the stream", () => {
    test("events follow each other without a hole, over all mounts", () => {
        const bench = Bench.joined([7, 20]);
        bench.receive(
            chat(21),
            { op: "state", q: room, m: "scores", seq: 22, set: { a: 1 } },
            { op: "members", q: room, seq: 23, set: { eve: {} }, count: 2 },
            chat(24),
        );
        expect(bench.all("stream").map(({ frame }) => frame.op)).toEqual([
            "msg",
            "state",
            "members",
            "msg",
        ]);
        expect(bench.shut).toEqual([]);
    });

    test("a gap closes the connection with 1002, tells the app nothing, and resumes", () => {
        const bench = Bench.joined([7, 20]);
        bench.receive(chat(22));
        expect(bench.all("stream")).toEqual([]);
        expect(bench.shut).toEqual([1002]);
        expect(bench.status.reason?.message).toContain(room);
        bench.step({ type: "wake", slept: false });
        bench.opened();
        expect(bench.written()).toMatchObject([{ op: "hello", since: { [room]: [7, 20] } }]);
    });

    test("an event that came before is a break of the rule, too", () => {
        const bench = Bench.joined([7, 20]);
        bench.receive(chat(21), chat(21));
        expect(bench.all("stream")).toHaveLength(1);
        expect(bench.shut).toEqual([1002]);
    });

    test("a conflated event names what it follows", () => {
        const bench = Bench.joined([7, 20]);
        bench.receive(chat(25, {}, { prev: 20 }), chat(26));
        expect(bench.all("stream")).toHaveLength(2);
        bench.receive(chat(30, {}, { prev: 25 }));
        expect(bench.shut).toEqual([1002]);
    });

    test("a gap mark reaches the app and moves no cursor", () => {
        const bench = Bench.joined([7, 20]);
        bench.receive(
            { op: "gap", q: room, m: "chat", from: 21, to: 24 },
            chat(25, {}, { prev: 20 }),
        );
        expect(bench.all("stream").map(({ frame }) => frame.op)).toEqual(["gap", "msg"]);
    });

    test("stalled reaches the app", () => {
        const bench = Bench.joined();
        bench.receive({ op: "stalled", q: room, on: true });
        expect(bench.last("stream").frame).toEqual({ op: "stalled", q: room, on: true });
    });

    test("what was missed comes first, then joined says how it went on", () => {
        const bench = Bench.joined([7, 20]);
        reconnect(bench);
        bench.receive(chat(21), chat(23, {}, { prev: 21 }));
        bench.receive(joined([7, 24], { resume: { chat: "replayed 2", scores: "snapshot" } }));
        expect(bench.all("stream")).toHaveLength(2);
        expect(bench.last("joined")).toMatchObject({
            again: true,
            frame: { resume: { chat: "replayed 2" } },
        });
        bench.receive(chat(25));
        expect(bench.all("stream")).toHaveLength(3);
    });

    test("joined by the server, then by the app: the stream begins, it was not interrupted", () => {
        const bench = Bench.online();
        bench.ask("join");
        bench.receive(joined([7, 20]), joined([7, 21], { i: 1 }));
        expect(bench.all("joined").map(({ again }) => again)).toEqual([false, false]);
    });

    test("a gateway that lost the queue for a moment tells it like a resume", () => {
        const bench = Bench.joined([7, 20]);
        bench.receive(chat(22, {}, { prev: 20 }), joined([7, 23]), chat(24));
        expect(bench.all("joined").map(({ again }) => again)).toEqual([false, true]);
        expect(bench.all("stream")).toHaveLength(2);
    });

    test("mounts that come and go have their place in the stream", () => {
        const bench = Bench.joined([7, 20]);
        bench.receive({ op: "mount", q: room, m: "map", seq: 21, type: "state" }, chat(22));
        expect(bench.all("stream")).toHaveLength(2);
        expect(bench.shut).toEqual([]);
    });

    test("a joined that steps back is refused", () => {
        const bench = Bench.joined([7, 20]);
        reconnect(bench);
        bench.receive(joined([7, 19]));
        expect(bench.shut).toEqual([1002]);
        expect(bench.all("joined")).toHaveLength(1);
    });

    test("events of queues that nobody asked for are ignored", () => {
        const bench = Bench.online();
        bench.receive({ op: "msg", q: "/room/9", m: "chat", seq: 5 });
        expect(bench.all("stream")).toEqual([]);
        expect(bench.status.state).toBe("online");
    });

    test("mail goes its own way, without a cursor", () => {
        const bench = Bench.online();
        bench.receive({ op: "msg", q: "/user/alice", m: "mail", n: 5, d: "gold" });
        expect(bench.last("mail").frame).toMatchObject({ n: 5, d: "gold" });
        bench.step({ type: "ack", n: 5 });
        expect(bench.written()).toEqual([{ op: "ack", n: 5 }]);
        bench.gone();
        bench.step({ type: "ack", n: 6 });
        expect(bench.written()).toEqual([]);
    });
});

describe("reset", () => {
    const reset = (at: [number, number], why: "gone" | "deleted" | "behind" | "unknown") =>
        ({ op: "reset", q: room, at, why }) as const;

    test("behind: the stream goes on from the new place", () => {
        const bench = Bench.joined([7, 20]);
        bench.receive(reset([7, 90], "behind"), chat(91));
        expect(bench.all("stream").map(({ frame }) => frame.op)).toEqual(["reset", "msg"]);
        expect(bench.written()).toEqual([]);
    });

    test("an older place is refused, unless the server never knew ours", () => {
        const bench = Bench.joined([7, 20]);
        bench.receive(reset([7, 10], "unknown"));
        expect(bench.all("stream")).toHaveLength(1);
        bench.receive(reset([6, 90], "behind"));
        expect(bench.shut).toEqual([1002]);
    });

    test("gone: the client joins the new life by itself, and counts from 1", () => {
        const bench = Bench.joined([7, 20]);
        bench.receive(reset([8, 0], "gone"));
        expect(bench.written()).toMatchObject([{ op: "join", n: 1, inc: 0 }]);
        const sent = bench.send("hi");
        bench.receive(joined([8, 1], { i: 2 }));
        expect(bench.written()).toMatchObject([{ op: "send", n: 2, inc: 8 }]);
        bench.receive({ op: "ok", i: 3, seq: 2 });
        expect(bench.outcome(sent)).toBe("ok");
    });

    test("gone: where it is not let in again, the app is told that it left", () => {
        const bench = Bench.joined([7, 20]);
        bench.receive(reset([8, 0], "gone"), { op: "err", i: 2, code: "M2004" });
        expect(bench.last("left")).toMatchObject({ why: "M2004" });
        expect(bench.written().map((frame) => frame.op)).toEqual(["join"]);
    });

    test("gone: an open operation waits for its verdict, which is unknown", () => {
        const bench = Bench.joined([7, 20]);
        const id = bench.send("hi");
        bench.receive(reset([8, 0], "gone"));
        expect(bench.outcome(id)).toBe("open");
        bench.receive({ op: "err", i: 2, code: "M2010" });
        expect(bench.outcome(id)).toBe("unknown M2010");
    });

    test("gone at no place at all: the numbers of the known life still count", () => {
        const bench = Bench.joined([7, 20]);
        bench.receive(reset([0, 0], "gone"));
        expect(bench.written()).toMatchObject([{ op: "join", i: 2, n: 2, inc: 7 }]);
        bench.receive({ op: "err", i: 2, code: "M2010" });
        expect(bench.written()).toMatchObject([{ op: "join", i: 3, n: 1, inc: 0 }]);
        bench.receive(joined([9, 1], { i: 3 }), chat(2));
        expect(bench.all("stream")).toHaveLength(2);
        expect(bench.all("left")).toEqual([]);
    });

    test("gone: a watcher watches again", () => {
        const bench = Bench.online();
        bench.ask("listen");
        bench.receive(joined([7, 20], { i: 1, member: false }), reset([0, 0], "gone"));
        expect(bench.written().map((frame) => frame.op)).toEqual(["listen", "listen"]);
        bench.receive({ op: "err", i: 2, code: "M2002" });
        expect(bench.last("left")).toMatchObject({ why: "M2002" });
    });

    test("unknown leads back to an earlier life, and to its numbers", () => {
        const bench = Bench.joined([7, 20]);
        bench.receive(reset([8, 0], "unknown"));
        bench.send("a");
        bench.receive(reset([7, 19], "unknown"));
        bench.send("b");
        expect(bench.written()).toMatchObject([
            { d: "a", n: 1, inc: 8 },
            { d: "b", n: 2, inc: 7 },
        ]);
    });

    test("deleted: it is over", () => {
        const bench = Bench.joined([7, 20]);
        bench.receive(reset([7, 21], "deleted"));
        expect(bench.last("left")).toMatchObject({ why: "deleted" });
        expect(bench.written()).toEqual([]);
        expect(bench.outcome(bench.send("hi"))).toBe("not-sent M2003");
    });

    test("gone ends a leave that waits", () => {
        const bench = Bench.joined([7, 20]);
        bench.gone();
        const leave = bench.ask("leave");
        bench.step({ type: "wake", slept: false });
        bench.greet();
        bench.receive(reset([8, 0], "gone"), { op: "err", i: 2, code: "M2010" });
        expect(bench.outcome(leave)).toBe("ok");
        expect(ops(bench).filter((frame) => frame.op === "join")).toEqual([]);
    });
});
