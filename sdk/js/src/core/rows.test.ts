/** GUARANTEES.md, row by row: the client's table (5.2), and what it makes of a queue's answers (5.1). */
import { describe, expect, test } from "vitest";
import { Bench, chat, joined, room } from "../testing/bench.ts";

function started(options: ConstructorParameters<typeof Bench>[0] = { user: "x" }): Bench {
    const bench = new Bench(options);
    bench.step({ type: "start" });
    return bench;
}

/** The next connection, up to the hello of the client. */
function again(bench: Bench): void {
    bench.step({ type: "wake", slept: false });
    bench.opened();
}

const frames = (bench: Bench) => bench.written().map(({ op, n, try: tries }) => [op, n, tries]);

describe("5.2", () => {
    test("IDLE, start or timer: a random gateway, cn + 1, hello with nonce or resume, cursors", () => {
        const bench = started({ user: "x", urls: ["a", "b"] });
        bench.opened();
        expect(bench.written()).toMatchObject([{ op: "hello", nonce: expect.any(String), cn: 1 }]);
        bench.hello();
        bench.ask("join");
        bench.receive(joined([7, 20], { i: 1 }));
        bench.gone();
        bench.chance = 0;
        again(bench);
        expect(bench.last("open").url).toBe("a");
        const hello = { op: "hello", cn: 2, resume: "token", cid: "c", since: { [room]: [7, 20] } };
        expect(bench.written().at(-1)).toMatchObject(hello);
    });

    test("CONNECTING, WELCOME: all pending ops go again in order, attempt + 1", () => {
        const bench = Bench.joined();
        ["a", "b", "c"].forEach((text) => bench.send(text));
        bench.gone();
        again(bench);
        bench.written();
        bench.hello();
        expect(frames(bench)).toEqual([2, 3, 4].map((n) => ["send", n, 2]));
    });

    test("CONNECTING, 4010: cid and resume token are dropped, pending ops end EXPIRED", () => {
        const bench = Bench.joined();
        const id = bench.send("a");
        bench.gone();
        again(bench);
        const nonce = bench.written().at(-1)?.["nonce"];
        bench.chance = 0.9;
        bench.gone(4010);
        expect(bench.outcome(id)).toBe("unknown M2011");
        again(bench);
        const hello = bench.written().at(-1);
        expect(hello).not.toHaveProperty("resume");
        expect(hello).not.toHaveProperty("cid");
        expect(hello?.["nonce"]).not.toBe(nonce);
    });

    test("any, 4001 and 4002: a token is fetched; twice 4001 stops, and the app is told", () => {
        const bench = started({ renewable: true });
        const token = () => {
            const { request } = bench.last("fetchToken");
            bench.step({ type: "token", request, token: "jwt", livesMs: 1e9 });
        };
        token();
        bench.opened();
        for (const code of [4002, 4001]) {
            bench.gone(code);
            token();
            bench.opened();
        }
        expect(bench.all("fetchToken")).toHaveLength(3);
        bench.gone(4001, "M1001 bad signature");
        expect(bench.status).toEqual({
            state: "closed",
            reason: { code: "M1001", message: "bad signature" },
        });
    });

    test("CONNECTING, 10 s, refused, 1013 with retry: max(retry, rand(0, min(60 s, 1 s * 2^n)))", () => {
        const ends: [(bench: Bench) => void, number][] = [
            [(bench) => bench.pass(10_000), 500],
            [(bench) => bench.gone(1006), 500],
            [(bench) => bench.gone(1013, "M1033 retry_ms=200"), 500],
            [(bench) => bench.gone(1013, "M1033 retry_ms=9000"), 9_000],
        ];
        for (const [end, waitMs] of ends) {
            const bench = started();
            end(bench);
            expect(bench.status).toMatchObject({ state: "offline", retryInMs: waitMs });
        }
    });

    test("UP, EVENT: applied where prev is the cursor, else 1002 and resume", () => {
        const bench = Bench.joined([7, 20]);
        bench.receive(chat(21), chat(25, {}, { prev: 21 }), chat(30));
        expect(bench.all("stream")).toHaveLength(2);
        expect(bench.shut).toEqual([1002]);
        again(bench);
        expect(bench.written().at(-1)).toMatchObject({ since: { [room]: [7, 25] } });
    });

    test("UP, RESET: not older than the cursor but unknown; the app is told the reason", () => {
        const reset = (at: [number, number], why: "behind" | "unknown" | "gone" | "deleted") =>
            ({ op: "reset", q: room, at, why }) as const;
        for (const why of ["behind", "unknown", "gone", "deleted"] as const) {
            const older = Bench.joined([7, 20]);
            older.receive(reset([7, 19], why));
            expect(older.shut).toEqual(why === "unknown" ? [] : [1002]);
            const newer = Bench.joined([7, 20]);
            newer.receive(reset([7, 21], why));
            expect(newer.last("stream").frame).toMatchObject({ op: "reset", why });
            expect(newer.shut).toEqual([]);
        }
    });

    test("UP, final result: one verdict, and no attempt after it", () => {
        const finals = [
            [{ op: "ok", i: 2, seq: 21 }, "ok"],
            [{ op: "err", i: 2, code: "M2004" }, "rejected M2004"],
            [{ op: "err", i: 2, code: "M2010" }, "unknown M2010"],
        ] as const;
        for (const [first, outcome] of finals) {
            const bench = Bench.joined();
            const id = bench.send("a");
            bench.receive(first, ...finals.map(([frame]) => frame));
            bench.receive({ op: "retry", i: 2, code: "M2022" }, { op: "refused", i: 2, try: 1, code: "M2023" });
            expect(bench.outcome(id)).toBe(outcome);
            bench.written();
            bench.pass(20_000);
            bench.gone();
            again(bench);
            bench.hello();
            expect(frames(bench).filter(([op]) => op === "send")).toEqual([]);
        }
    });

    test("UP, REFUSED: final on the only attempt; its number is a no-op whose result is not told", () => {
        const once = Bench.joined();
        const id = once.send("a");
        once.written();
        once.receive({ op: "refused", i: 2, try: 1, code: "M2023" });
        expect(frames(once)).toEqual([["withdraw", 2, 2]]);
        once.receive({ op: "ok", i: 2, seq: 21 });
        expect(once.outcome(id)).toBe("rejected M2023");
        const twice = Bench.joined();
        const other = twice.send("a");
        twice.pass(3_000);
        twice.receive({ op: "refused", i: 2, try: 1, code: "M2023" });
        twice.receive({ op: "refused", i: 2, try: 2, code: "M2023" });
        expect(twice.outcome(other)).toBe("open");
    });

    test("UP, HOLE, RETRY, BUSY, no answer: all pending of that queue go again, in order", () => {
        for (const code of ["M2020", "M2021", "M2022", ""]) {
            const bench = Bench.joined();
            const ids = [bench.send("a"), bench.send("b")];
            bench.ask("join", { q: "/room/2" });
            bench.written();
            if (code !== "") {
                bench.receive({ op: "retry", i: 3, code, after_ms: 400 });
                bench.pass(400);
            } else {
                bench.pass(3_000);
            }
            const sent = bench.written().filter(({ q }) => q === room);
            expect(sent.map(({ n, try: tries }) => [n, tries])).toEqual([
                [2, 2],
                [3, 2],
            ]);
            expect(ids.map((id) => bench.outcome(id))).toEqual(["open", "open"]);
        }
    });

    test("UP, GONE: verdict GONE; new ops bind to the new inc and count from 1", () => {
        const bench = Bench.joined([7, 20]);
        const id = bench.send("a");
        bench.receive({ op: "err", i: 2, code: "M2010" });
        expect(bench.outcome(id)).toBe("unknown M2010");
        bench.receive({ op: "reset", q: room, at: [8, 0], why: "gone" });
        bench.written();
        bench.receive(joined([8, 1], { i: 3 }));
        bench.send("b");
        expect(bench.written()).toMatchObject([{ op: "send", n: 2, inc: 8, try: 1 }]);
    });

    test("UP, no byte for 35 s or the socket closed: resume", () => {
        for (const end of [(bench: Bench) => bench.pass(35_000), (bench: Bench) => bench.gone()]) {
            const bench = Bench.joined([7, 20]);
            end(bench);
            bench.written();
            bench.pass(1_000);
            bench.opened();
            const hello = { op: "hello", resume: "token", cid: "c", since: { [room]: [7, 20] } };
            expect(bench.written()).toMatchObject([hello]);
        }
    });

    test("UP, GOAWAY: goes on, and leaves after a random part of the spread", () => {
        for (const chance of [0.1, 0.9]) {
            const bench = Bench.joined();
            bench.chance = chance;
            bench.receive({ op: "bye", code: "M1007", spread_ms: 10_000 });
            const id = bench.send("a");
            bench.receive({ op: "ok", i: 2, seq: 21 });
            expect(bench.outcome(id)).toBe("ok");
            bench.pass(chance * 10_000 - 1);
            expect(bench.shut).toEqual([]);
            bench.pass(1);
            expect(bench.shut).toEqual([1000]);
        }
    });

    test("UP, 4003: no way back; pending ops are withdrawn over a resolve-only connection", () => {
        const bench = Bench.joined();
        const id = bench.send("a");
        bench.gone(4003);
        bench.opened();
        expect(bench.written().at(-1)).toMatchObject({ op: "hello", resolve: true });
        bench.hello();
        expect(frames(bench)).toEqual([["withdraw", 2, 2]]);
        bench.receive({ op: "err", i: 2, code: "M2006" });
        expect(bench.outcome(id)).toBe("rejected M2006");
        bench.pass(600_000);
        expect(bench.all("open")).toHaveLength(2);
    });

    test("UP and CONNECTING, 4004: a new login, pending ops stay pending under their cid", () => {
        for (const connecting of [false, true]) {
            const bench = Bench.joined();
            const id = bench.send("a");
            if (connecting) {
                bench.gone();
                again(bench);
            }
            bench.gone(4004);
            again(bench);
            const hello = bench.written().at(-1);
            expect(hello).not.toHaveProperty("resume");
            expect(hello).toHaveProperty("nonce");
            bench.hello({ session: 2 });
            expect(frames(bench)).toEqual([["send", 2, 2]]);
            expect(bench.outcome(id)).toBe("open");
        }
    });
});

describe("5.1, as the client sees it", () => {
    test("EXPIRED: a new cid, after the verdicts of the other queues", () => {
        const bench = Bench.joined();
        bench.ask("join", { q: "/room/2" });
        const id = bench.send("a");
        bench.receive({ op: "err", i: 3, code: "M2011", outcome: "unknown" });
        expect(bench.outcome(id)).toBe("unknown M2011");
        expect(bench.shut).toEqual([]);
        bench.receive({ op: "err", i: 2, code: "M2004" });
        expect(bench.shut).toEqual([1000]);
        bench.opened();
        expect(bench.written().at(-1)).not.toHaveProperty("cid");
    });

    test("n is never issued twice, also for an op that was rejected", () => {
        const bench = Bench.joined();
        bench.send("a");
        bench.receive({ op: "err", i: 2, code: "M2004" });
        bench.send("b");
        expect(frames(bench)).toEqual([
            ["send", 2, 1],
            ["send", 3, 1],
        ]);
    });

    test("n spans at most 32 from the lowest open one, whatever else is through", () => {
        const bench = Bench.joined();
        for (let n = 0; n < 60; n++) {
            bench.send(n);
        }
        for (let i = 3; i < 34; i++) {
            bench.receive({ op: "ok", i, seq: 20 + i });
        }
        expect(Math.max(...frames(bench).map(([, n]) => Number(n)))).toBe(33);
    });

    test("FENCED: the connection ends with 4003, and the op is resolved", () => {
        const bench = Bench.joined();
        const id = bench.send("a");
        bench.gone(4003, "M1003");
        bench.greet();
        bench.receive({ op: "ok", i: 2, seq: 21 });
        expect(bench.outcome(id)).toBe("ok");
        expect(bench.core.closed).toBe(true);
    });

    test("withdraw: the same number with an empty body, the outcome of whichever was first", () => {
        const bench = Bench.joined();
        const id = bench.send("a");
        bench.written();
        bench.step({ type: "withdraw", id });
        expect(bench.written()).toEqual([{ op: "withdraw", i: 2, n: 2, inc: 7, try: 2, q: room }]);
        bench.receive({ op: "err", i: 2, code: "M2006" });
        expect(bench.outcome(id)).toBe("rejected M2006");
    });
});
