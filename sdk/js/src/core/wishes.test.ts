/** What the app wants of a queue, where several requests about it are under way at once. */
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

function reconnect(bench: Bench, hello: object = {}): void {
    bench.gone();
    bench.step({ type: "wake", slept: false });
    bench.greet(hello);
}

describe("what was granted stands", () => {
    test("when a join before it is rejected late", () => {
        const bench = Bench.joined();
        bench.ask("leave");
        const first = bench.ask("join");
        bench.ask("leave");
        const second = bench.ask("join");
        bench.receive({ op: "ok", i: 2 }, { op: "err", i: 4, code: "M2003" });
        bench.receive(joined([7, 24], { i: 5 }), { op: "err", i: 3, code: "M2004" }, chat(25));
        expect([bench.outcome(first), bench.outcome(second)]).toEqual(["rejected M2004", "ok"]);
        expect(bench.all("left")).toHaveLength(1); // Of the first leave.
        expect(bench.all("stream")).toHaveLength(1);
        reconnect(bench);
        expect(bench.written().at(-1)).toMatchObject({ since: { [room]: [7, 25] } });
    });

    test("when a second join or listen is given up, before and after the session is lost", () => {
        for (const kind of ["join", "listen"] as const) {
            const bench = Bench.online();
            const first = bench.ask(kind);
            const second = bench.ask(kind);
            bench.step({ type: "withdraw", id: second });
            const member = kind === "join";
            bench.receive(joined([7, 20], { i: 1, member }), chat(21));
            expect(bench.outcome(first)).toBe("ok");
            bench.gone();
            bench.step({ type: "withdraw", id: bench.ask(kind) });
            bench.step({ type: "wake", slept: false });
            bench.greet({ session: 2 });
            expect(bench.written().at(-1)).toMatchObject({ since: { [room]: [7, 21] } });
            bench.receive(watching([7, 21]));
            expect(ops(bench)).toEqual(member ? ["join"] : []);
            expect(bench.all("left")).toEqual([]);
        }
    });

    test("when a watcher whom the backend let in is not let in again", () => {
        const bench = listening();
        bench.receive(joined([7, 21]));
        reconnect(bench, { session: 2 });
        bench.receive(watching([7, 21]), { op: "err", i: 2, code: "M2004" }, chat(22));
        expect(bench.all("left")).toEqual([]);
        expect(bench.all("stream")).toHaveLength(1);
    });

    test("when the queue says that a number was wrong which was only a guess", () => {
        const bench = Bench.online();
        bench.ask("join");
        bench.receive({ op: "err", i: 1, code: "M2004" });
        const join = bench.ask("join");
        bench.ask("listen");
        bench.receive({ op: "err", i: 2, code: "M2011" });
        expect(bench.written().at(-1)).toMatchObject({ op: "join", n: 1, inc: 0 });
        expect(bench.shut).toEqual([]);
        expect(bench.outcome(join)).toBe("open");
    });
});

describe("left is told once for each stream that was told", () => {
    test("a join answered to who was removed since is made again; not let in, it has left", () => {
        const bench = Bench.online();
        const join = bench.ask("join");
        bench.receive(watching([7, 24], 1));
        expect(bench.outcome(join)).toBe("open");
        bench.pass(3000);
        bench.receive({ op: "err", i: 2, code: "M2004" });
        expect(bench.outcome(join)).toBe("rejected M2004");
        expect(bench.all("left").map(({ why }) => why)).toEqual(["M2004"]);
        expect(ops(bench).at(-1)).toBe("unlisten");
        bench.receive({ op: "ok", i: 3 });
        expect(bench.all("left")).toHaveLength(1);
    });

    test("a membership by the backend that ended with its session, and is not had again", () => {
        const bench = Bench.online();
        bench.receive(joined([7, 20]));
        reconnect(bench, { session: 2 });
        bench.receive({ op: "reset", q: room, at: [0, 0], why: "gone" });
        bench.receive({ op: "err", i: 1, code: "M2004" });
        expect(bench.all("left").map(({ why }) => why)).toEqual(["M2004"]);
        reconnect(bench);
        expect(bench.written().at(-1)).not.toHaveProperty("since");
        expect(bench.all("left")).toHaveLength(1);
    });

    test("a watcher whom the backend has let in leaves as a member", () => {
        const bench = listening();
        bench.receive(joined([7, 21]));
        const leave = bench.ask("leave");
        expect(ops(bench)).toEqual(["leave"]);
        bench.receive({ op: "ok", i: 2, seq: 22 });
        expect(bench.outcome(leave)).toBe("ok");
        expect(bench.all("left")).toHaveLength(1);
    });

    test("a listen on its way is judged, also for who is kicked meanwhile", () => {
        const bench = Bench.joined();
        bench.ask("leave");
        const listen = bench.ask("listen");
        bench.receive({ op: "left", q: room, why: "kicked" }, { op: "err", i: 2, code: "M2003" });
        bench.receive(watching([7, 22], 3));
        expect(bench.outcome(listen)).toBe("ok");
        bench.ask("leave");
        expect(ops(bench).at(-1)).toBe("unlisten");
    });
});

describe("listen and what ends it wait for each other", () => {
    test("lest one that was turned away undo the later one", () => {
        const bench = listening();
        const unlisten = bench.ask("unlisten");
        const listen = bench.ask("listen");
        bench.receive({ op: "retry", i: 2, code: "M2022", after_ms: 100 });
        bench.pass(100);
        expect(ops(bench)).toEqual(["unlisten", "unlisten"]);
        bench.receive({ op: "ok", i: 2 });
        expect(ops(bench)).toEqual(["listen"]);
        const last = bench.ask("unlisten");
        expect(ops(bench)).toEqual([]);
        bench.receive(watching([7, 22], 3));
        expect(ops(bench)).toEqual(["unlisten"]);
        bench.receive({ op: "ok", i: 4 });
        expect([unlisten, listen, last].map((id) => bench.outcome(id))).toEqual(["ok", "ok", "ok"]);
        expect(bench.all("left")).toHaveLength(2);
    });

    test("a leave waits for the listen before it", () => {
        const bench = Bench.online();
        bench.ask("listen");
        bench.ask("join");
        bench.receive(joined([7, 20], { i: 2 }));
        const leave = bench.ask("leave");
        expect(ops(bench)).toEqual(["listen", "join"]);
        bench.receive(joined([7, 20], { i: 1 }));
        expect(ops(bench)).toEqual(["leave"]);
        bench.receive({ op: "ok", i: 3 });
        expect(bench.outcome(leave)).toBe("ok");
        expect(bench.all("left")).toHaveLength(1);
    });

    test("also where there is no life of the queue that could be left", () => {
        const bench = Bench.joined();
        bench.ask("leave");
        bench.ask("listen");
        bench.ask("join");
        const leave = bench.ask("leave");
        bench.receive({ op: "err", i: 2, code: "M2010" }, { op: "err", i: 4, code: "M2010" });
        expect(bench.outcome(leave)).toBe("open");
        bench.receive({ op: "err", i: 3, code: "M2002" });
        expect(bench.outcome(leave)).toBe("ok");
        expect(bench.core.openCount()).toBe(0);
    });

    test("one that was sent is not asked again for who has left without a connection", () => {
        const bench = Bench.online();
        const listen = bench.ask("listen");
        bench.gone();
        const join = bench.ask("join");
        const leave = bench.ask("leave");
        bench.step({ type: "wake", slept: false });
        bench.greet();
        expect(ops(bench)).toEqual(["listen", "hello"]);
        expect([listen, join, leave].map((id) => bench.outcome(id))).toEqual([
            "ok",
            "not-sent M2006",
            "ok",
        ]);
    });

    test("a leave that waits for a listen is not taken for done with the leave before it", () => {
        const bench = Bench.joined();
        bench.ask("leave");
        bench.ask("listen");
        bench.ask("join");
        const leave = bench.ask("leave");
        bench.receive({ op: "err", i: 2, code: "M2003" });
        expect(bench.outcome(leave)).toBe("open");
        bench.receive(watching([7, 22], 3));
        bench.receive({ op: "ok", i: 4 }, { op: "ok", i: 5 }, { op: "ok", i: 6 });
        expect(bench.outcome(leave)).toBe("ok");
    });

    test("what takes no number is sent again only if it was turned away", () => {
        const bench = Bench.online();
        bench.ask("join");
        bench.ask("leave");
        bench.ask("listen");
        bench.pass(3000);
        expect(ops(bench)).toEqual(["join", "listen", "join"]);
        bench.receive({ op: "retry", i: 3, code: "M2022", after_ms: 100 });
        bench.pass(100);
        expect(ops(bench)).toContain("listen");
    });
});

test("a superseded client asks for nothing new over the connection for its verdicts", () => {
    const bench = Bench.joined();
    bench.send("hi");
    bench.gone(4003);
    bench.greet({ session: 0 });
    bench.written();
    bench.receive({ op: "err", i: 2, code: "M2003" });
    expect(ops(bench)).toEqual([]);
    expect(bench.status.state).toBe("closed");
});
