import { describe, expect, test } from "vitest";
import { Bench, room } from "../testing/bench.ts";

const minute = 60_000;

describe("superseded (4003)", () => {
    test("without open operations the client closes and does not come back", () => {
        const bench = Bench.joined();
        bench.receive({ op: "bye", code: "M1003", message: "signed in elsewhere" });
        bench.gone(4003);
        expect(bench.status).toEqual({
            state: "closed",
            reason: { code: "M1003", message: "signed in elsewhere" },
        });
        bench.step({ type: "wake", slept: true });
        bench.pass(10 * minute);
        expect(bench.all("open")).toHaveLength(1);
    });

    test("open operations are withdrawn over a connection that does only that", () => {
        const bench = Bench.joined();
        const sent = bench.send("hi");
        bench.written();
        bench.gone(4003);
        expect(bench.status).toMatchObject({ state: "closed", reason: { code: "M1003" } });
        const unsent = bench.send("too late");
        expect(bench.outcome(unsent)).toBe("not-sent M1041");
        bench.opened();
        const [hello] = bench.written();
        expect(hello).toMatchObject({ op: "hello", resume: "token", cid: "c", resolve: true });
        expect(hello).not.toHaveProperty("since");
        bench.hello();
        expect(bench.written()).toEqual([{ op: "withdraw", i: 2, n: 2, inc: 7, try: 2, q: room }]);
        expect(bench.outcome(sent)).toBe("open");
        bench.receive({ op: "ok", i: 2, seq: 21 });
        expect(bench.verdict(sent)).toEqual({ settled: { seq: 21 } });
        expect(bench.shut).toEqual([1000]);
        expect(bench.status).toMatchObject({ state: "closed", reason: { code: "M1003" } });
        expect(bench.core.closed).toBe(true);
    });

    test("what is still open when it ends is told why the client is closed", () => {
        const bench = Bench.joined();
        const sent = bench.send("hi");
        bench.gone(4003);
        bench.greet();
        bench.pass(30_000);
        expect(bench.outcome(sent)).toBe("unknown M1003");
        expect(bench.all("status").slice(2)).toMatchObject([
            { status: { state: "closed", reason: { code: "M1003" } } },
        ]);
    });

    test("it asks until 30 s have passed; then the outcome is unknown", () => {
        const bench = Bench.joined();
        const sent = bench.send("hi");
        bench.gone(4003);
        bench.gone(1006);
        bench.pass(1000);
        expect(bench.all("open").length).toBeGreaterThan(2);
        bench.pass(30_000);
        expect(bench.outcome(sent)).toBe("unknown M1003");
        expect(bench.core.closed).toBe(true);
        expect(bench.statuses.filter((state) => state === "closed")).toHaveLength(1);
    });

    test("what had not been sent ends not-sent", () => {
        const bench = Bench.joined();
        bench.send("in flight");
        bench.gone(1006);
        const waiting = bench.send("waiting");
        bench.pass(500);
        bench.gone(4003);
        expect(bench.outcome(waiting)).toBe("not-sent M1003");
    });
});

describe("close()", () => {
    test("closes the socket with 1000 and tells it without a reason", () => {
        const bench = Bench.online();
        bench.step({ type: "close" });
        expect(bench.shut).toEqual([1000]);
        expect(bench.status).toEqual({ state: "closed" });
        bench.pass(10 * minute);
        expect(bench.all("open")).toHaveLength(1);
    });

    test("waits for open verdicts, and takes no new requests meanwhile", () => {
        const bench = Bench.joined();
        const sent = bench.send("hi");
        bench.step({ type: "close" });
        expect(bench.status.state).toBe("online");
        expect(bench.outcome(bench.send("more"))).toBe("not-sent M1041");
        bench.receive({ op: "ok", i: 2, seq: 21 });
        expect(bench.outcome(sent)).toBe("ok");
        expect(bench.status).toEqual({ state: "closed" });
    });

    test("waits no longer than 2 s; then their outcome is unknown", () => {
        const bench = Bench.joined();
        const sent = bench.send("hi");
        bench.step({ type: "close" });
        bench.pass(2000);
        expect(bench.outcome(sent)).toBe("unknown M1041");
        expect(bench.status).toEqual({ state: "closed" });
    });

    test("a connection lost while closing is not made again", () => {
        const bench = Bench.joined();
        const sent = bench.send("hi");
        bench.step({ type: "close" });
        bench.gone();
        expect(bench.outcome(sent)).toBe("unknown M1041");
        expect(bench.all("open")).toHaveLength(1);
    });

    test("works in every state, and twice", () => {
        const states: ((bench: Bench) => void)[] = [
            () => {},
            (bench) => bench.step({ type: "start" }),
            (bench) => (bench.step({ type: "start" }), bench.opened()),
            (bench) => (bench.step({ type: "start" }), bench.gone()),
            (bench) => (bench.step({ type: "start" }), bench.greet()),
        ];
        for (const reach of states) {
            const bench = new Bench();
            reach(bench);
            const waiting = bench.ask("join");
            bench.step({ type: "close" });
            bench.step({ type: "close" });
            bench.pass(5000);
            expect(bench.status).toEqual({ state: "closed" });
            expect(bench.outcome(waiting)).toMatch(/not-sent|unknown/);
            expect(bench.core.deadline).toBe(Infinity);
        }
    });
});
