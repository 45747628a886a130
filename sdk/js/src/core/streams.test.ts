/** Streams that begin, end and begin again while requests are under way: what the fault test found. */
import { describe, expect, test } from "vitest";
import { Bench, chat, joined, room } from "../testing/bench.ts";

const watching = (at: [number, number], i?: number) =>
    joined(at, { member: false, ...(i !== undefined && { i }) });

/** A bench that listens to the room, at 20. */
function listening(): Bench {
    const bench = Bench.online();
    bench.ask("listen");
    bench.receive(watching([7, 20], 1));
    bench.written();
    return bench;
}

const ops = (bench: Bench) => bench.written().map((frame) => frame.op);

function reconnect(bench: Bench): void {
    bench.gone();
    bench.step({ type: "wake", slept: false });
    bench.greet();
}

describe("a stream that nobody wants (I14)", () => {
    test("is ended where it begins although the app has left", () => {
        const bench = Bench.joined();
        bench.ask("leave");
        bench.written();
        bench.receive({ op: "err", i: 2, code: "M2010" }, watching([8, 0]));
        expect(ops(bench)).toEqual(["unlisten"]);
        expect(bench.all("joined")).toHaveLength(1);
        bench.receive(chat(1));
        expect(bench.all("stream")).toEqual([]);
    });

    test("is ended once, however often the server shows it", () => {
        const bench = Bench.online();
        bench.receive(watching([7, 20]), watching([7, 21]));
        expect(ops(bench)).toEqual(["unlisten"]);
    });

    test("needs no end over the next connection, which does not name it", () => {
        const bench = Bench.online();
        bench.receive(watching([7, 20]));
        reconnect(bench);
        expect(ops(bench)).toEqual(["unlisten", "hello"]);
    });

    test("is ended where a leave was refused, as only a watcher was left", () => {
        const bench = Bench.joined();
        const leave = bench.ask("leave");
        bench.written();
        bench.receive({ op: "err", i: 2, code: "M2003" });
        expect(ops(bench)).toEqual(["unlisten"]);
        expect(bench.outcome(leave)).toBe("ok");
    });

    test("a listen that its unlisten has overtaken listens to nothing", () => {
        const bench = Bench.online();
        const listen = bench.ask("listen");
        const unlisten = bench.ask("unlisten");
        bench.receive({ op: "ok", i: 1 }, { op: "ok", i: 2 });
        expect(ops(bench)).toEqual(["listen", "unlisten"]);
        expect([bench.outcome(listen), bench.outcome(unlisten)]).toEqual(["ok", "ok"]);
        expect(bench.outcome(bench.send("hi"))).toBe("not-sent M2003");
    });

    test("a member whom the backend lets in during an unlisten stays one", () => {
        const bench = listening();
        bench.ask("unlisten");
        bench.receive(joined([7, 21]), { op: "ok", i: 2 }, chat(22));
        expect(bench.all("left")).toEqual([]);
        expect(bench.all("stream")).toHaveLength(1);
        reconnect(bench);
        expect(bench.written().at(-1)).toMatchObject({ since: { [room]: [7, 22] } });
    });
});

describe("ended and begun in one breath", () => {
    test("unlisten and listen: the new stream is no breach", () => {
        const bench = listening();
        bench.receive(chat(21));
        bench.ask("unlisten");
        const listen = bench.ask("listen");
        bench.receive({ op: "ok", i: 2 }, watching([7, 30], 3), chat(31));
        expect(bench.shut).toEqual([]);
        expect(bench.outcome(listen)).toBe("ok");
        expect(bench.all("joined").map(({ again }) => again)).toEqual([false, false]);
        expect(bench.all("stream")).toHaveLength(2);
    });

    test("leave and join: the new stream is no breach, and begins anew", () => {
        const bench = Bench.joined();
        bench.ask("leave");
        const join = bench.ask("join");
        bench.receive({ op: "ok", i: 2 }, joined([7, 30], { i: 3 }), chat(31));
        expect(bench.shut).toEqual([]);
        expect(bench.outcome(join)).toBe("ok");
        expect(bench.all("joined").map(({ again }) => again)).toEqual([false, false]);
        expect(bench.all("stream")).toHaveLength(1);
    });

    test("a join behind an unlisten survives the loss of the connection", () => {
        const bench = listening();
        bench.ask("unlisten");
        bench.gone();
        const join = bench.ask("join");
        bench.step({ type: "wake", slept: false });
        bench.greet();
        bench.receive(joined([7, 21], { i: 3 }));
        expect(bench.outcome(join)).toBe("ok");
    });

    test("a leave that waits behind a join under way is sent all the same", () => {
        const bench = Bench.joined();
        bench.ask("leave");
        bench.ask("join");
        bench.receive({ op: "retry", i: 3, code: "M2022", after_ms: 5000 });
        const leave = bench.ask("leave");
        bench.written();
        bench.receive({ op: "ok", i: 2 });
        expect(bench.outcome(leave)).toBe("open");
        bench.pass(5000);
        expect(bench.written()).toMatchObject([{ op: "join", n: 3 }, { op: "leave", n: 4 }]);
    });

    test("a leave ends a membership that came behind it, in a later life", () => {
        const bench = Bench.joined([7, 20]);
        const leave = bench.ask("leave");
        reconnect(bench);
        bench.receive({ op: "reset", q: room, at: [8, 1], why: "gone" }, joined([8, 1]));
        bench.written();
        bench.receive({ op: "err", i: 2, code: "M2010" });
        expect(bench.outcome(leave)).toBe("open");
        expect(bench.written()).toMatchObject([{ op: "leave", n: 1, inc: 8 }]);
        bench.receive({ op: "ok", i: 3, seq: 2 });
        expect(bench.outcome(leave)).toBe("ok");
        expect(bench.all("left").map(({ why }) => why)).toEqual(["gone", "left"]);
    });

    test("a leave ends the membership that came while a watch was ended", () => {
        const bench = listening();
        const unlisten = bench.ask("unlisten");
        bench.receive(joined([7, 21]));
        const leave = bench.ask("leave");
        const keep = bench.ask("unlisten");
        expect(ops(bench)).toEqual(["unlisten", "leave"]);
        bench.receive({ op: "ok", i: 2 });
        expect([bench.outcome(unlisten), bench.outcome(keep)]).toEqual(["ok", "ok"]);
        expect(bench.outcome(leave)).toBe("open");
        bench.receive({ op: "ok", i: 3, seq: 22 });
        expect(bench.outcome(leave)).toBe("ok");
        expect(bench.all("left")).toHaveLength(1);
    });

    test("a leave ends the membership that came before a listen behind it was answered", () => {
        const bench = listening();
        bench.ask("leave");
        bench.ask("listen");
        bench.receive(joined([7, 21])); // By the backend.
        expect(ops(bench)).toEqual(["unlisten"]);
        const leave = bench.ask("leave");
        expect(ops(bench)).toEqual(["leave"]);
        bench.receive({ op: "ok", i: 2 }, { op: "ok", i: 4, seq: 22 });
        expect(bench.outcome(leave)).toBe("ok");
        expect(bench.last("left").why).toBe("left");
    });

    test("an unlisten does not end the membership that came before such a listen", () => {
        const bench = listening();
        bench.ask("unlisten");
        bench.ask("listen");
        bench.receive(joined([7, 21]));
        const unlisten = bench.ask("unlisten");
        expect(ops(bench)).toEqual(["unlisten", "unlisten"]);
        bench.receive({ op: "ok", i: 2 }, { op: "ok", i: 4 }, chat(22));
        expect(bench.outcome(unlisten)).toBe("ok");
        expect(bench.all("left")).toEqual([]);
        expect(bench.all("stream")).toHaveLength(1);
    });

    test("a leave ends the membership that came in a later life, for one who listens", () => {
        const bench = Bench.joined([7, 20]);
        bench.ask("leave");
        bench.ask("listen");
        bench.receive({ op: "reset", q: room, at: [7, 20], why: "gone" }, joined([8, 1]));
        bench.receive(joined([8, 1], { i: 3 }), { op: "err", i: 2, code: "M2010" });
        bench.written();
        bench.ask("leave");
        expect(ops(bench)).toEqual(["leave"]);
    });

    test("a leave without a connection ends the membership, too, for one who listens", () => {
        const bench = listening();
        bench.ask("leave");
        bench.ask("listen");
        bench.receive(joined([7, 21]));
        bench.gone();
        const leave = bench.ask("leave");
        expect(bench.outcome(leave)).toBe("open");
        bench.step({ type: "wake", slept: false });
        bench.greet();
        bench.receive(joined([7, 21]));
        expect(ops(bench)).toContain("leave");
    });

    test("a listen that is answered behind the queue's end begins nothing", () => {
        const bench = Bench.online();
        bench.receive(joined([8, 1]));
        bench.send("number 1 goes alone");
        bench.ask("leave");
        const listen = bench.ask("listen");
        bench.ask("join");
        const leave = bench.ask("leave");
        expect(ops(bench)).toEqual(["send", "listen"]);
        bench.receive({ op: "reset", q: room, at: [8, 1], why: "gone" });
        expect(bench.outcome(leave)).toBe("ok");
        expect(bench.all("left")).toHaveLength(1);
        bench.receive(watching([9, 0], 3));
        expect(bench.outcome(listen)).toBe("ok");
        expect(bench.all("joined")).toHaveLength(1);
        expect(ops(bench)).toEqual(["unlisten"]);
    });

    test("an older leave that is answered late ends nothing that began since", () => {
        const bench = Bench.joined();
        bench.ask("leave");
        bench.ask("join");
        bench.ask("leave");
        bench.receive({ op: "ok", i: 4, seq: 23 }, joined([7, 24]));
        expect(bench.all("left")).toHaveLength(1);
        bench.receive({ op: "ok", i: 2, seq: 21 }, chat(25));
        expect(bench.all("left")).toHaveLength(1);
        expect(bench.all("stream")).toHaveLength(1);
    });

    test("the end of a queue does not end the join that is on its way", () => {
        const bench = Bench.joined();
        bench.ask("leave");
        const join = bench.ask("join");
        bench.receive({ op: "reset", q: room, at: [7, 21], why: "deleted" });
        expect(bench.last("left").why).toBe("deleted");
        const send = bench.send("hi");
        bench.receive({ op: "ok", i: 2, seq: 21 }, joined([8, 1], { i: 3 }));
        expect(bench.outcome(join)).toBe("ok");
        expect(bench.outcome(send)).toBe("open");
        expect(bench.written().at(-1)).toMatchObject({ op: "send", inc: 8 });
    });

    test("what waits for a join that its leave has overtaken ends with it", () => {
        const bench = Bench.joined();
        bench.receive({ op: "left", q: room, why: "kicked" });
        const join = bench.ask("join");
        const send = bench.send("hi");
        const leave = bench.ask("leave");
        expect(ops(bench)).toEqual(["join", "leave"]);
        bench.receive({ op: "ok", i: 4, seq: 23 }, { op: "ok", i: 2, seq: 22 });
        expect([bench.outcome(join), bench.outcome(leave)]).toEqual(["ok", "ok"]);
        expect(bench.outcome(send)).toBe("not-sent M2003");
    });

    test("an unlisten that was turned away goes again, whatever was wished meanwhile", () => {
        const bench = Bench.online();
        bench.receive(watching([7, 20]), { op: "retry", i: 1, code: "M2022", after_ms: 100 });
        bench.ask("listen");
        bench.ask("leave");
        bench.written();
        bench.pass(100);
        expect(ops(bench)[0]).toBe("unlisten");
    });

    test("an unlisten waits for what a resume brings, as it does not end a member's stream", () => {
        const bench = listening();
        bench.ask("unlisten");
        bench.receive(joined([7, 21])); // By the backend.
        bench.ask("listen");
        bench.written();
        reconnect(bench);
        expect(ops(bench)).toEqual(["hello"]);
        bench.receive(watching([7, 24])); // And is no member any more.
        expect(ops(bench)).toEqual(["unlisten"]);
    });

    test("what was decided before a join was answered says nothing of the membership", () => {
        const bench = Bench.joined();
        const send = bench.send("hi");
        bench.ask("leave");
        bench.ask("join");
        bench.receive({ op: "ok", i: 3, seq: 21 }, joined([7, 22], { i: 4 }));
        bench.written();
        bench.receive({ op: "err", i: 2, code: "M2003" });
        expect(bench.outcome(send)).toBe("rejected M2003");
        expect(ops(bench)).toEqual([]);
    });

    test("a leave of an earlier life does not end the stream of this one", () => {
        const bench = Bench.joined([7, 20]);
        const leave = bench.ask("leave");
        bench.ask("join");
        bench.receive({ op: "reset", q: room, at: [7, 20], why: "gone" }, joined([8, 1]));
        bench.receive({ op: "err", i: 2, code: "M2010" }, chat(2));
        expect(bench.outcome(leave)).toBe("ok");
        expect(bench.all("left")).toEqual([]);
        expect(bench.all("stream")).toHaveLength(2); // The reset, too.
        expect(ops(bench)).not.toContain("unlisten");
    });

    test("a watch goes on where the leave before it turns out to be of nobody", () => {
        const bench = Bench.joined();
        const leave = bench.ask("leave");
        bench.ask("listen");
        bench.receive(watching([7, 21], 3), { op: "err", i: 2, code: "M2003" }, chat(22));
        expect(bench.outcome(leave)).toBe("ok");
        expect(ops(bench)).toEqual(["leave", "listen"]);
        expect(bench.all("left")).toEqual([]);
        expect(bench.all("stream")).toHaveLength(1);
    });

    test("a join that was kicked on its way waits for the join behind it", () => {
        const bench = Bench.joined();
        bench.ask("leave");
        const join = bench.ask("join");
        bench.receive({ op: "left", q: room, why: "kicked" }, { op: "err", i: 2, code: "M2003" });
        expect(bench.last("left").why).toBe("kicked");
        const leave = bench.ask("leave");
        bench.receive(joined([7, 24], { i: 3 }));
        expect(bench.outcome(join)).toBe("ok");
        expect(bench.written().at(-1)).toMatchObject({ op: "leave", n: 4 });
        expect(bench.outcome(leave)).toBe("open");
    });

    test("a join to a life that has ended is not made again for an app that has left", () => {
        const bench = Bench.joined();
        bench.ask("leave");
        const join = bench.ask("join");
        bench.ask("leave");
        bench.written();
        bench.receive(
            { op: "err", i: 2, code: "M2010" },
            { op: "err", i: 3, code: "M2010" },
            { op: "err", i: 4, code: "M2010" },
        );
        expect(bench.outcome(join)).toBe("unknown M2010");
        expect(ops(bench)).not.toContain("join");
    });
});

describe("number 1", () => {
    test("goes alone, whatever it is: were it overtaken, the queue would not know the client", () => {
        const bench = listening();
        const ids = [bench.send("a"), bench.send("b"), bench.send("c")];
        expect(bench.written()).toMatchObject([{ d: "a", n: 1 }]);
        bench.receive({ op: "retry", i: 2, code: "M2022", after_ms: 100 });
        bench.pass(100);
        expect(bench.written()).toMatchObject([{ d: "a", n: 1, try: 2 }]);
        bench.receive({ op: "ok", i: 2, seq: 21 });
        expect(bench.written()).toMatchObject([
            { d: "b", n: 2 },
            { d: "c", n: 3 },
        ]);
        expect(ids.map((id) => bench.outcome(id))).toEqual(["ok", "open", "open"]);
    });

    test("of a join that is told ok, but no stream, is taken: the join is made again as 2", () => {
        const bench = Bench.online();
        const join = bench.ask("join");
        bench.receive({ op: "ok", i: 1, seq: 5 }); // Carried out, and the member removed since.
        expect(bench.outcome(join)).toBe("open");
        bench.pass(3000);
        expect(bench.written().at(-1)).toMatchObject({ op: "join", i: 2, n: 2, inc: 0 });
        bench.receive(joined([7, 9], { i: 2 }));
        bench.send("hi");
        expect(bench.written()).toMatchObject([{ op: "send", n: 3, inc: 7 }]);
    });
});

describe("a reset of what is not wanted any more", () => {
    test("ends what waits for the stream", () => {
        const bench = Bench.joined();
        bench.gone();
        const sent = bench.send("hi");
        const leave = bench.ask("leave");
        bench.step({ type: "wake", slept: false });
        bench.greet();
        bench.receive({ op: "reset", q: room, at: [0, 0], why: "gone" });
        expect([bench.outcome(sent), bench.outcome(leave)]).toEqual(["not-sent M2003", "ok"]);
        expect(bench.core.openCount()).toBe(0);
    });

    test("whose place is older than what was seen is a breach, also if it tells an end", () => {
        for (const why of ["gone", "deleted"] as const) {
            const bench = Bench.joined([7, 20]);
            bench.receive({ op: "reset", q: room, at: [6, 90], why });
            expect(bench.shut).toEqual([1002]);
        }
    });
});

test("holes never make the client name a number that is older than the window", () => {
    const bench = Bench.joined();
    for (let n = 0; n < 40; n++) {
        bench.send(n);
    }
    let newest = 0;
    for (let round = 0; round < 20; round++) {
        for (const frame of bench.written().filter(({ n }) => n !== undefined)) {
            newest = Math.max(newest, frame["n"]);
            expect(frame["n"]).toBeGreaterThan(newest - 32);
            bench.receive({ op: "retry", i: frame["i"], code: "M2020" });
        }
        bench.pass(250);
    }
});
