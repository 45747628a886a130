import { describe, expect, test } from "vitest";
import { Bench, chat, joined, room } from "../testing/bench.ts";

/** Drops the connection of a bench and makes the next one, up to its hello. */
function reconnect(bench: Bench, hello: object = {}): void {
    bench.gone();
    bench.step({ type: "wake", slept: false });
    bench.greet(hello);
}

const ops = (bench: Bench) => bench.written().filter((frame) => frame.op !== "hello");

describe("verdicts", () => {
    test("ok gives the place, once, whatever comes twice", () => {
        const bench = Bench.joined();
        const id = bench.send("hi");
        bench.receive({ op: "ok", i: 2, seq: 21 }, { op: "ok", i: 2, seq: 99 });
        bench.receive({ op: "err", i: 2, code: "M2004" });
        expect(bench.verdict(id)).toEqual({ settled: { seq: 21 } });
    });

    test("err rejects with the code, and a conflict tells the present seq", () => {
        const bench = Bench.joined();
        const id = bench.set("alice", 9, { ifSeq: 20 });
        expect(bench.written()).toEqual([
            {
                op: "set",
                i: 2,
                n: 2,
                inc: 7,
                try: 1,
                q: room,
                m: "scores",
                k: "alice",
                if: 20,
                d: 9,
            },
        ]);
        bench.receive({ op: "err", i: 2, code: "M3009", current: 21 });
        expect(bench.verdict(id)).toMatchObject({
            failed: { outcome: "rejected", code: "M3009", current: 21 },
        });
    });

    test("the server's word on the outcome counts", () => {
        const bench = Bench.joined();
        const id = bench.send("hi");
        bench.receive({ op: "err", i: 2, code: "M9001", outcome: "unknown" });
        expect(bench.outcome(id)).toBe("unknown M9001");
    });

    test("a set without a value deletes, null is a value", () => {
        const bench = Bench.joined();
        bench.set("a", undefined);
        bench.set("b", null);
        const [del, set] = bench.written();
        expect(del).not.toHaveProperty("d");
        expect(set).toMatchObject({ d: null });
    });

    test("an operation without an answer is sent again after 3 s, then 6, 12 and 15", () => {
        const bench = Bench.joined();
        bench.send("hi");
        bench.written();
        const tries: number[] = [];
        const start = bench.now;
        for (let s = 0; s < 60; s++) {
            bench.pass(1000);
            bench.receive({ op: "pong" });
            if (bench.written().some((frame) => frame.op === "send")) {
                tries.push((bench.now - start) / 1000);
            }
        }
        expect(tries).toEqual([3, 9, 21, 36, 51]);
    });

    test("each attempt counts, and keeps i and number", () => {
        const bench = Bench.joined();
        bench.send("hi");
        bench.pass(3000);
        expect(bench.written()).toMatchObject([
            { i: 2, n: 2, try: 1 },
            { i: 2, n: 2, try: 2 },
        ]);
    });

    test("retry: everything open in the queue goes again, in order, after the wait", () => {
        const bench = Bench.joined();
        bench.send("a");
        bench.send("b");
        bench.written();
        bench.receive({ op: "retry", i: 2, code: "M2022", after_ms: 500 });
        const held = bench.send("c");
        expect(bench.written()).toEqual([]);
        bench.pass(499);
        expect(bench.written()).toEqual([]);
        bench.pass(1);
        expect(bench.written()).toMatchObject([
            { d: "a", n: 2, try: 2 },
            { d: "b", n: 3, try: 2 },
            { d: "c", n: 4, try: 1 },
        ]);
        expect(bench.outcome(held)).toBe("open");
    });

    test("a retry that names no time comes after 100 ms, then 200 ms, up to each 15 s", () => {
        for (const code of ["M2020", "M2021", "M2022"]) {
            const bench = Bench.joined();
            bench.set("a", 1);
            bench.send("b");
            bench.written();
            const waits = [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 15_000, 15_000];
            for (const waitMs of waits) {
                // That of the oldest would be a fault after a few holes.
                bench.receive({ op: "retry", i: 3, code, after_ms: 0 });
                bench.pass(waitMs - 1);
                expect(bench.written()).toEqual([]);
                bench.pass(1);
                const repeated = bench.written().filter(({ op }) => op !== "ping");
                expect(repeated).toMatchObject([{ op: "set" }, { op: "send" }]);
            }
            bench.receive({ op: "ok", i: 2, seq: 21 }, { op: "retry", i: 3, code });
            bench.pass(100);
            expect(bench.written()).toMatchObject([{ op: "send" }]);
        }
    });

    test("a time that a retry names is the least, however often it comes", () => {
        const bench = Bench.joined();
        bench.send("a");
        bench.written();
        for (const waitMs of [300, 300, 400, 800]) {
            bench.receive({ op: "retry", i: 2, code: "M2022", after_ms: 300 });
            bench.pass(waitMs - 1);
            expect(bench.written()).toEqual([]);
            bench.pass(1);
            expect(bench.written()).toMatchObject([{ op: "send" }]);
        }
    });

    test("a queue that misses what is long decided has forgotten this client", () => {
        const bench = Bench.joined();
        const id = bench.send("a");
        for (let n = 0; n < 5; n++) {
            bench.receive({ op: "retry", i: 2, code: "M2020", after_ms: 0 });
            bench.pass(100 * 2 ** n);
        }
        expect(bench.outcome(id)).toBe("unknown M2011");
        expect(bench.shut).toEqual([1000]);
    });

    test("refused is final on the only attempt; the number becomes a no-op", () => {
        const bench = Bench.joined();
        const id = bench.send("hi");
        bench.written();
        bench.receive({ op: "refused", i: 2, try: 1, code: "M2023" });
        expect(bench.outcome(id)).toBe("rejected M2023");
        expect(bench.written()).toEqual([{ op: "withdraw", i: 2, n: 2, inc: 7, try: 2, q: room }]);
        bench.pass(3000);
        expect(bench.written()).toMatchObject([{ op: "withdraw", try: 3 }]);
        bench.receive({ op: "err", i: 2, code: "M2006" });
        bench.pass(10_000);
        expect(bench.written()).toEqual([]);
        expect(bench.outcome(id)).toBe("rejected M2023");
    });

    test("refused after a second attempt means nothing: the other copy may be on its way", () => {
        const bench = Bench.joined();
        const id = bench.send("hi");
        bench.pass(3000);
        bench.receive({ op: "refused", i: 2, try: 1, code: "M2023" });
        expect(bench.outcome(id)).toBe("open");
        bench.receive({ op: "ok", i: 2, seq: 21 });
        expect(bench.outcome(id)).toBe("ok");
    });

    test("each request of the app that is refused on its only attempt ends rejected", () => {
        const member = Bench.joined();
        const leave = member.ask("leave");
        member.receive({ op: "refused", i: 2, try: 1, code: "M2023" });
        expect(member.outcome(leave)).toBe("rejected M2023");
        member.receive({ op: "err", i: 2, code: "M2006" }, chat(21));
        expect(member.all("left")).toEqual([]); // As before.
        expect(member.all("stream")).toHaveLength(1);
        const history = member.ask("history");
        member.receive({ op: "refused", i: 3, try: 1, code: "M2023" });
        expect(member.outcome(history)).toBe("rejected M2023");
        member.written();

        for (const kind of ["join", "listen"] as const) {
            const bench = Bench.online();
            const entry = bench.ask(kind);
            const send = bench.send("hi");
            bench.receive({ op: "refused", i: 1, try: 1, code: "M2023" });
            expect(bench.outcome(entry)).toBe("rejected M2023");
            expect(bench.outcome(send)).toBe("not-sent M2003");
            bench.written();
            bench.receive({ op: "err", i: 1, code: "M2006" });
            bench.pass(10_000);
            expect(bench.written()).toEqual([]);
        }
    });

    test("a leave that is refused before a later join does not undo that", () => {
        const bench = Bench.joined();
        const leave = bench.ask("leave");
        const join = bench.ask("join");
        bench.receive({ op: "refused", i: 2, try: 1, code: "M2023" });
        expect(bench.outcome(leave)).toBe("rejected M2023");
        bench.receive({ op: "err", i: 2, code: "M2006" }, joined([7, 21], { i: 3 }), chat(22));
        expect(bench.outcome(join)).toBe("ok");
        bench.pass(10_000);
        expect(bench.written().filter((frame) => frame.op === "leave")).toHaveLength(1);
        expect(bench.all("stream")).toHaveLength(1);
    });

    test("what the client itself asks for is asked for again where it is refused", () => {
        const bench = Bench.joined();
        reconnect(bench, { session: 2 });
        bench.receive(joined([7, 21], { member: false }));
        expect(ops(bench).at(-1)).toMatchObject({ op: "join", i: 2, n: 2, try: 1 });
        bench.receive({ op: "refused", i: 2, try: 1, code: "M2023" });
        bench.pass(3000);
        expect(ops(bench)).toMatchObject([{ op: "join", i: 2, n: 2, try: 2 }]);
        expect(bench.all("left")).toEqual([]);
    });

    test("the end of an earlier life tells nothing of a number that is only guessed", () => {
        const bench = Bench.joined([7, 20]);
        bench.send("a");
        bench.send("b");
        bench.receive({ op: "reset", q: room, at: [7, 20], why: "gone" });
        bench.receive({ op: "err", i: 2, code: "M2010" }, { op: "err", i: 4, code: "M2010" });
        bench.receive({ op: "err", i: 5, code: "M2004" });
        const join = bench.ask("join");
        expect(ops(bench).at(-1)).toMatchObject({ op: "join", i: 6, n: 2, inc: 0 });
        bench.receive({ op: "err", i: 3, code: "M2010" }, { op: "err", i: 6, code: "M2011" });
        expect(bench.outcome(join)).toBe("open");
        expect(bench.shut).toEqual([]);
        expect(ops(bench)).toMatchObject([{ op: "join", n: 1, inc: 0 }]);
    });

    test("what was given up under a number that was only guessed was never done", () => {
        const bench = Bench.online();
        bench.ask("join");
        bench.receive({ op: "err", i: 1, code: "M2004" });
        bench.ask("listen");
        bench.receive(joined([5, 0], { i: 2, member: false }));
        const set = bench.set("a", 1);
        bench.written();
        bench.receive({ op: "refused", i: 3, try: 1, code: "M2023" });
        bench.receive({ op: "err", i: 3, code: "M2011" });
        expect(bench.outcome(set)).toBe("rejected M2023");
        const given = bench.set("a", 2);
        expect(bench.written()).toMatchObject([
            { op: "withdraw", n: 2 },
            { op: "set", n: 1, d: 2 },
        ]);
        bench.step({ type: "withdraw", id: given });
        bench.receive({ op: "err", i: 4, code: "M2006" });
        expect(bench.outcome(given)).toBe("rejected M2006");
        expect(bench.shut).toEqual([]);
    });

    test("where a life may have taken note of a join that named none, a no-op goes first", () => {
        const bench = Bench.online();
        bench.ask("join");
        bench.receive(joined([8, 1]), { op: "err", i: 1, code: "M2004" });
        bench.written();
        const leave = bench.ask("leave");
        expect(bench.written()).toMatchObject([{ op: "withdraw", n: 1, inc: 8, try: 1 }]);
        bench.receive({ op: "err", i: 3, code: "M2006" });
        expect(bench.written()).toMatchObject([{ op: "leave", n: 2, inc: 8, try: 1 }]);
        bench.receive({ op: "ok", i: 2, seq: 2 });
        expect(bench.outcome(leave)).toBe("ok");
    });

    test("gone: unknown; the next operations wait for the new life", () => {
        const bench = Bench.joined([7, 20]);
        const id = bench.send("a");
        bench.written();
        bench.receive({ op: "err", i: 2, code: "M2010" });
        expect(bench.outcome(id)).toBe("unknown M2010");
        bench.send("b");
        expect(bench.written()).toEqual([]);
        bench.receive({ op: "reset", q: room, at: [8, 0], why: "gone" });
        bench.receive(joined([8, 1], { i: 4 }));
        expect(bench.written()).toMatchObject([
            { op: "join", n: 1, inc: 0 },
            { d: "b", n: 2, inc: 8 },
        ]);
    });

    test("a join to a life that has ended joins the present one", () => {
        const bench = Bench.joined([7, 20]);
        bench.ask("leave");
        bench.receive({ op: "ok", i: 2 });
        const join = bench.ask("join");
        bench.receive({ op: "err", i: 3, code: "M2010" });
        expect(bench.written()).toMatchObject([
            { op: "leave", n: 2 },
            { op: "join", n: 3, inc: 7 },
            { op: "join", n: 1, inc: 0, try: 1 },
        ]);
        bench.receive({ op: "err", i: 3, code: "M2010" }); // Late, and of the old one.
        bench.receive(joined([9, 4], { i: 4 }));
        expect(bench.outcome(join)).toBe("ok");
        bench.send("hi");
        expect(bench.written()).toMatchObject([{ op: "send", n: 2, inc: 9 }]);
    });

    test("expired: what is open in the queue is unknown, and the client takes a new cid", () => {
        const bench = Bench.joined();
        bench.ask("join", { q: "/room/2" });
        const expired = [bench.send("a"), bench.send("b")];
        bench.receive({ op: "err", i: 3, code: "M2011" });
        expect(expired.map((id) => bench.outcome(id))).toEqual(["unknown M2011", "unknown M2011"]);
        const later = bench.send("c");
        bench.written();
        expect(bench.shut, "other queues come first").toEqual([]);
        bench.receive({ ...joined([3, 5], { i: 2 }), q: "/room/2" });
        expect(bench.shut).toEqual([1000]);
        bench.greet({ cid: "d" });
        bench.receive(joined([7, 20]));
        const [hello, send] = bench.written();
        expect(hello).not.toHaveProperty("cid");
        expect(hello).toMatchObject({ nonce: expect.any(String), since: { [room]: [7, 20] } });
        expect(send).toMatchObject({ d: "c", n: 1, inc: 7, try: 1 });
        expect(bench.outcome(later)).toBe("open");
    });
});

describe("numbers after a join that was rejected", () => {
    function rejected(code: string): Bench {
        const bench = Bench.online();
        bench.ask("join");
        bench.receive({ op: "err", i: 1, code });
        bench.ask("listen");
        bench.receive(joined([7, 20], { i: 2, member: false }));
        bench.written();
        return bench;
    }

    test("the queue that rejected it took note: the next number is 2", () => {
        const bench = rejected("M2004");
        const ids = [bench.send("a"), bench.send("b")];
        expect(bench.written()).toMatchObject([{ d: "a", n: 2, inc: 7 }]);
        bench.receive({ op: "ok", i: 3, seq: 21 });
        expect(bench.written()).toMatchObject([{ d: "b", n: 3 }]);
        bench.receive({ op: "ok", i: 4, seq: 22 });
        expect(ids.map((id) => bench.outcome(id))).toEqual(["ok", "ok"]);
    });

    test("it did not after all: the number is 1", () => {
        const bench = rejected("M2004");
        const id = bench.send("a");
        bench.receive({ op: "err", i: 3, code: "M2011" });
        expect(bench.written()).toMatchObject([
            { d: "a", n: 2, i: 3 },
            { d: "a", n: 1, i: 4, inc: 7, try: 1 },
        ]);
        bench.receive({ op: "ok", i: 4, seq: 21 });
        expect(bench.outcome(id)).toBe("ok");
        expect(bench.shut).toEqual([]);
    });

    test("where there was no queue, nobody took note", () => {
        const bench = rejected("M2002");
        bench.send("a");
        expect(bench.written()).toMatchObject([{ d: "a", n: 1, inc: 7 }]);
    });
});

describe("the window", () => {
    test("at most 32 numbers are open; the next goes when the oldest is through", () => {
        const bench = Bench.joined();
        for (let n = 0; n < 40; n++) {
            bench.send(n);
        }
        expect(bench.written()).toHaveLength(32);
        bench.receive({ op: "ok", i: 3, seq: 21 });
        expect(bench.written()).toHaveLength(0);
        bench.receive({ op: "ok", i: 2, seq: 22 });
        expect(bench.written().map((frame) => frame["n"])).toEqual([34, 35]);
    });

    test("each queue has its own", () => {
        const bench = Bench.joined();
        for (let n = 0; n < 32; n++) {
            bench.send(n);
        }
        bench.ask("join", { q: "/room/2" });
        expect(bench.written().at(-1)).toMatchObject({ op: "join", n: 1 });
    });
});

describe("a lost connection", () => {
    test("open operations are sent again in order after the hello, the unsent after joined", () => {
        const bench = Bench.joined();
        bench.send("a");
        bench.send("b");
        bench.gone();
        bench.send("c");
        bench.step({ type: "wake", slept: false });
        bench.opened();
        bench.written();
        bench.hello();
        expect(bench.written()).toMatchObject([
            { d: "a", n: 2, try: 2 },
            { d: "b", n: 3, try: 2 },
        ]);
        bench.receive(joined([7, 20]));
        expect(bench.written()).toMatchObject([{ d: "c", n: 4, try: 1 }]);
    });

    test("a join whose answer was lost is sent again and answered once", () => {
        const bench = Bench.online();
        const id = bench.ask("join");
        reconnect(bench);
        expect(ops(bench)).toMatchObject([
            { op: "join", n: 1, inc: 0, try: 1 },
            { op: "join", n: 1, inc: 0, try: 2 },
        ]);
        bench.receive(joined([7, 20]), joined([7, 20], { i: 1 }));
        expect(bench.outcome(id)).toBe("ok");
        bench.send("hi");
        expect(bench.written()).toMatchObject([{ op: "send", n: 2, inc: 7 }]);
    });

    test("a plain ok to a repeated join is as good", () => {
        const bench = Bench.online();
        const id = bench.ask("join");
        reconnect(bench);
        bench.receive(joined([7, 20]), { op: "ok", i: 1, seq: 20 });
        expect(bench.outcome(id)).toBe("ok");
    });

    test("history is asked again once the stream goes on", () => {
        const bench = Bench.joined();
        const id = bench.ask("history", { before: 17 });
        expect(bench.written()).toEqual([{ op: "history", i: 2, q: room, m: "chat", before: 17 }]);
        reconnect(bench);
        expect(ops(bench)).toEqual([]);
        bench.receive(joined([7, 20]));
        expect(bench.written()).toMatchObject([{ op: "history", i: 2 }]);
        bench.receive({ op: "history", i: 2, items: [{ seq: 3 }] });
        expect(bench.verdict(id)).toEqual({ settled: [{ seq: 3 }] });
    });

    test("history waits for the join, and ends with it", () => {
        const bench = Bench.online();
        expect(bench.outcome(bench.ask("history"))).toBe("not-sent M2003");
        bench.ask("join");
        const id = bench.ask("history");
        expect(bench.written().map((frame) => frame.op)).toEqual(["join"]);
        bench.receive({ op: "err", i: 1, code: "M2004" });
        expect(bench.outcome(id)).toBe("not-sent M2003");
    });

    test("a session that was lost is joined again by itself", () => {
        const bench = Bench.joined([7, 20]);
        bench.gone(4004);
        bench.pass(500);
        bench.greet({ session: 2 });
        bench.receive(joined([7, 22], { member: false }));
        expect(ops(bench)).toMatchObject([{ op: "join", n: 2, inc: 7 }]);
        bench.receive(joined([7, 23], { i: 2 }), chat(24));
        expect(bench.all("stream")).toHaveLength(1);
    });

    test("a join that was carried out and undone meanwhile is made again, without haste", () => {
        const bench = Bench.online();
        const id = bench.ask("join");
        bench.gone(4004);
        bench.pass(500);
        bench.greet({ session: 2 });
        bench.written();
        bench.receive(joined([7, 21], { i: 1, member: false }));
        expect(bench.outcome(id)).toBe("open");
        expect(bench.written()).toEqual([]);
        bench.pass(3000);
        expect(bench.written()).toMatchObject([{ op: "join", i: 2, n: 2, inc: 7 }]);
        bench.receive(joined([7, 22], { i: 2 }));
        expect(bench.outcome(id)).toBe("ok");
    });

    test("a membership that was lost unseen is asked for when a send fails for it", () => {
        const bench = Bench.joined();
        const id = bench.send("hi");
        bench.receive({ op: "err", i: 2, code: "M2003" });
        expect(bench.outcome(id)).toBe("rejected M2003");
        expect(bench.written()).toMatchObject([{ op: "send" }, { op: "join", n: 3, inc: 7 }]);
    });

    test("4004: open operations stay open, under their numbers", () => {
        const bench = Bench.joined();
        const id = bench.send("hi");
        bench.gone(4004);
        bench.pass(500);
        bench.greet();
        expect(ops(bench)).toMatchObject([
            { n: 2, try: 1 },
            { n: 2, try: 2 },
        ]);
        bench.receive({ op: "ok", i: 2, seq: 21 });
        expect(bench.outcome(id)).toBe("ok");
    });

    test("4010: what was sent is unknown, what waits goes under the new cid from 1 on", () => {
        const bench = Bench.joined();
        const sent = bench.send("sent");
        bench.gone();
        bench.send("waits");
        bench.step({ type: "wake", slept: false });
        bench.gone(4010);
        expect(bench.outcome(sent)).toBe("unknown M2011");
        bench.greet({ cid: "d" });
        bench.written();
        bench.receive(joined([7, 20]));
        expect(bench.written()).toMatchObject([{ d: "waits", n: 1, inc: 7, try: 1 }]);
    });

    test("4010 does not end a join or a leave that is under way", () => {
        const bench = Bench.online();
        const join = bench.ask("join");
        bench.gone(4010);
        bench.greet({ cid: "d" });
        expect(bench.written().at(-1)).toMatchObject({ op: "join", i: 2, n: 1, inc: 0, try: 1 });
        bench.receive(joined([7, 20], { i: 2 }));
        expect(bench.outcome(join)).toBe("ok");
    });

    test("a welcome with another cid is the loss of the old one", () => {
        const bench = Bench.joined();
        const sent = bench.send("sent");
        reconnect(bench, { cid: "other" });
        expect(bench.outcome(sent)).toBe("unknown M2011");
    });
});
