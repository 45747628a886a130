import { describe, expect, test } from "vitest";
import { Bench, joined } from "../testing/bench.ts";

/** Drops the connection of a bench and makes the next one, up to its hello. */
function reconnect(bench: Bench, hello: object = {}): void {
    bench.gone();
    bench.step({ type: "wake", slept: false });
    bench.greet(hello);
}

const ops = (bench: Bench) => bench.written().filter((frame) => frame.op !== "hello");

describe("without a connection", () => {
    function offline(): Bench {
        const bench = Bench.joined();
        bench.gone();
        bench.written();
        return bench;
    }
    const back = (bench: Bench) => {
        bench.step({ type: "wake", slept: false });
        bench.greet();
        bench.receive(joined([7, 20]));
        return ops(bench);
    };

    test("messages wait up to 30 s, then they end not-sent", () => {
        const bench = offline();
        const id = bench.send("hi");
        bench.pass(29_999);
        expect(bench.outcome(id)).toBe("open");
        bench.pass(1);
        expect(bench.outcome(id)).toBe("not-sent M1040");
    });

    test("the app can give each message its own time", () => {
        const bench = offline();
        const id = bench.send("hi", { waitMs: 100 });
        bench.pass(100);
        expect(bench.outcome(id)).toBe("not-sent M1040");
    });

    test("64 messages wait, the next ends not-sent at once", () => {
        const bench = offline();
        const ids = Array.from({ length: 65 }, (_, n) => bench.send(n));
        expect(ids.slice(0, 64).every((id) => bench.outcome(id) === "open")).toBe(true);
        expect(bench.outcome(ids[64] as number)).toBe("not-sent M2022");
        expect(back(bench)).toHaveLength(32);
    });

    test("of a state key only the newest value waits, and all who set it share the verdict", () => {
        const bench = offline();
        const ids = [bench.set("a", 1), bench.set("b", 5), bench.set("a", 2), bench.set("a", 3)];
        const sets = back(bench);
        expect(sets).toMatchObject([
            { k: "b", d: 5 },
            { k: "a", d: 3 },
        ]);
        bench.receive({ op: "ok", i: sets[1]?.["i"], seq: 30 });
        expect(ids.map((id) => bench.outcome(id))).toEqual(["ok", "open", "ok", "ok"]);
    });

    test("state waits as long as it takes and needs no place", () => {
        const bench = offline();
        for (let n = 0; n < 64; n++) {
            bench.send(n);
        }
        const id = bench.set("a", 1);
        bench.pass(120_000);
        expect(bench.outcome(id)).toBe("open");
    });

    test("conditional sets wait one by one, like messages", () => {
        const bench = offline();
        const first = bench.set("a", 1, { ifSeq: 5 });
        bench.set("a", 2, { ifSeq: 6 });
        expect(back(bench)).toMatchObject([
            { d: 1, if: 5 },
            { d: 2, if: 6 },
        ]);
        bench.gone();
        const later = bench.set("a", 3, { ifSeq: 7 });
        bench.pass(30_000);
        expect(bench.outcome(later)).toBe("not-sent M1040");
        expect(bench.outcome(first)).toBe("open");
    });

    test("volatile is dropped at once", () => {
        const bench = offline();
        expect(bench.outcome(bench.send("now", { volatile: true }))).toBe("not-sent M1040");
        expect(back(bench)).toEqual([]);
    });

    test("volatile is dropped where the window is full, and sent where there is room", () => {
        const bench = Bench.joined();
        expect(bench.outcome(bench.send("now", { volatile: true }))).toBe("open");
        for (let n = 0; n < 31; n++) {
            bench.send(n);
        }
        expect(bench.outcome(bench.send("now", { volatile: true }))).toBe("not-sent M2022");
    });

    test("volatile without a verdict is asked back, not repeated late", () => {
        const bench = Bench.joined();
        const id = bench.send("now", { volatile: true });
        reconnect(bench);
        expect(ops(bench)).toMatchObject([{ op: "send" }, { op: "withdraw", n: 2, try: 2 }]);
        bench.receive({ op: "err", i: 2, code: "M2006" });
        expect(bench.outcome(id)).toBe("rejected M2006");
    });

    test("history that finds no connection ends not-sent after 30 s", () => {
        const bench = offline();
        const id = bench.ask("history");
        bench.pass(30_000);
        expect(bench.outcome(id)).toBe("not-sent M1040");
    });

    test("a payload that no frame can hold is not sent, and harms no connection", () => {
        const bench = Bench.joined();
        expect(bench.outcome(bench.send("x".repeat(64 * 1024)))).toBe("not-sent M3003");
        expect(bench.outcome(bench.send("€".repeat(22_000)))).toBe("not-sent M3003");
        expect(bench.outcome(bench.send("x".repeat(50_000)))).toBe("open");
    });
});

describe("withdrawing", () => {
    test("before it was sent: not-sent", () => {
        const bench = Bench.joined();
        bench.gone();
        const id = bench.send("hi");
        bench.step({ type: "withdraw", id });
        expect(bench.outcome(id)).toBe("not-sent M2006");
        bench.step({ type: "wake", slept: false });
        bench.greet();
        bench.receive(joined([7, 20]));
        expect(ops(bench)).toEqual([]);
    });

    test("after it was sent: the same number as a no-op; whichever was first decides", () => {
        for (const [answer, outcome] of [
            [{ op: "ok", i: 2, seq: 21 }, "ok"],
            [{ op: "err", i: 2, code: "M2006" }, "rejected M2006"],
        ] as const) {
            const bench = Bench.joined();
            const id = bench.send("hi");
            bench.written();
            bench.step({ type: "withdraw", id });
            bench.step({ type: "withdraw", id });
            expect(bench.written()).toMatchObject([{ op: "withdraw", n: 2, inc: 7, try: 2 }]);
            bench.receive(answer);
            expect(bench.outcome(id)).toBe(outcome);
        }
    });

    test("the newest value of a key goes, and those that it had replaced with it", () => {
        const bench = Bench.joined();
        bench.gone();
        const ids = [bench.set("a", 1), bench.set("a", 2)];
        bench.step({ type: "withdraw", id: ids[1] as number });
        expect(ids.map((id) => bench.outcome(id))).toEqual(["not-sent M2006", "not-sent M2006"]);
        reconnect(bench);
        bench.receive(joined([7, 20]));
        expect(ops(bench)).toEqual([]);
    });

    test("a value of a key that was replaced goes alone", () => {
        const bench = Bench.joined();
        bench.gone();
        const first = bench.set("a", 1);
        const second = bench.set("a", 2);
        bench.step({ type: "withdraw", id: first });
        expect([bench.outcome(first), bench.outcome(second)]).toEqual(["not-sent M2006", "open"]);
    });
});
