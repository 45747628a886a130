// Long because: every way in which a connection begins, lasts and ends is told here, on one bench.
import { describe, expect, test } from "vitest";
import { Bench, chat, joined, room } from "../testing/bench.ts";
import { seeded } from "../testing/model.ts";

const minute = 60_000;

function started(options?: ConstructorParameters<typeof Bench>[0]): Bench {
    const bench = new Bench(options);
    bench.step({ type: "start" });
    return bench;
}

describe("signing in", () => {
    test("the client connects, says hello and is on line when the server answers", () => {
        const bench = started();
        expect(bench.statuses).toEqual(["connecting"]);
        bench.opened();
        expect(bench.written()).toEqual([
            { op: "hello", v: [1], user: "alice", nonce: expect.any(String), cn: 1 },
        ]);
        bench.hello();
        expect(bench.statuses).toEqual(["connecting", "online"]);
        expect(bench.core.user).toBe("alice");
        expect(bench.core.session).toBe(1);
    });

    test("the nonce has 128 bits of the given chance", () => {
        const bench = started();
        bench.chance = 0x12345678 / 2 ** 32;
        bench.opened();
        expect(bench.written()[0]?.["nonce"]).toBe("12345678".repeat(4));
    });

    test("until the first welcome all attempts carry the same nonce and a growing cn", () => {
        const bench = started();
        bench.opened();
        bench.gone();
        bench.chance = 0.9;
        bench.pass(1000);
        bench.opened();
        const [first, second] = bench.written();
        expect(second?.["nonce"]).toBe(first?.["nonce"]);
        expect([first?.["cn"], second?.["cn"]]).toEqual([1, 2]);
        expect(second).not.toHaveProperty("resume");
    });

    test("a token is asked for first and goes into the hello", () => {
        const bench = started({ renewable: true });
        expect(bench.actions.map((action) => action.type)).toEqual(["fetchToken", "status"]);
        bench.step({ type: "token", request: 1, token: "jwt" });
        bench.opened();
        expect(bench.written()[0]).toMatchObject({ op: "hello", token: "jwt" });
    });

    test("a late answer of an older token request is ignored", () => {
        const bench = started({ renewable: true });
        bench.pass(31_000);
        bench.pass(minute);
        expect(bench.last("fetchToken").request).toBeGreaterThan(1);
        bench.step({ type: "token", request: 1, token: "late" });
        expect(bench.all("open")).toEqual([]);
    });

    test("a token function that fails is asked again after a wait", () => {
        const bench = started({ renewable: true });
        bench.step({ type: "tokenFailed", request: 1, message: "HTTP 500" });
        expect(bench.status).toMatchObject({ state: "offline", retryInMs: 500 });
        expect(bench.status.reason?.message).toContain("HTTP 500");
        bench.pass(500);
        expect(bench.all("fetchToken")).toHaveLength(2);
    });

    test("a server of another version ends the client with a reason", () => {
        const bench = started();
        bench.greet({ v: 2 });
        expect(bench.status).toMatchObject({ state: "closed", reason: { code: "M1016" } });
        const other = started();
        other.opened();
        other.receive({ op: "err", code: "M1016", message: "I speak 2, you speak 1" });
        expect(other.status.reason?.message).toBe("I speak 2, you speak 1");
        expect(other.status.state).toBe("closed");
    });

    test("frames before the hello change nothing", () => {
        const bench = started();
        bench.opened();
        bench.receive(joined([7, 1]), chat(2), { op: "pong" });
        expect(bench.all("joined")).toEqual([]);
        expect(bench.all("stream")).toEqual([]);
    });
});

describe("choosing a gateway", () => {
    test("the first is picked by chance", () => {
        for (const [chance, url] of [
            [0, "a"],
            [0.4, "b"],
            [0.99, "c"],
        ] as const) {
            const bench = new Bench({ user: "x", urls: ["a", "b", "c"] });
            bench.chance = chance;
            bench.step({ type: "start" });
            expect(bench.last("open").url).toBe(url);
        }
    });

    test("after a failure it is another one, again by chance", () => {
        const bench = started({ user: "x", urls: ["a", "b", "c"] });
        expect(bench.last("open").url).toBe("b");
        for (const [chance, url] of [
            [0, "a"],
            [0.9, "c"],
            [0, "a"],
            [0.9, "c"],
        ] as const) {
            bench.gone();
            bench.chance = chance;
            bench.step({ type: "wake", slept: false });
            expect(bench.last("open").url).toBe(url);
        }
    });

    test("after a cut all are equal again, so that no shares are swapped or lost", () => {
        for (const [chance, url] of [
            [0, "a"],
            [0.4, "b"],
            [0.9, "c"],
        ] as const) {
            const bench = Bench.online({ user: "x", urls: ["a", "b", "c"] });
            bench.chance = chance;
            bench.gone();
            bench.pass(1000);
            expect(bench.last("open").url).toBe(url);
        }
    });

    test("one that sends its clients away, or hangs, is not picked next", () => {
        const ends: ((bench: Bench) => void)[] = [
            (bench) => bench.gone(1001),
            (bench) => bench.gone(1013),
            (bench) => bench.gone(4013),
            (bench) => bench.pass(35_000),
        ];
        for (const end of ends) {
            for (const chance of [0, 0.9]) {
                const bench = new Bench({ user: "x", urls: ["a", "b"] });
                bench.chance = chance;
                bench.step({ type: "start" });
                const first = bench.last("open").url;
                bench.greet();
                end(bench);
                bench.pass(1000);
                expect(bench.all("open")).toHaveLength(2);
                expect(bench.last("open").url).not.toBe(first);
            }
        }
    });

    test("one that refuses the resume token is as good as the others: it is not to blame", () => {
        for (const [chance, url] of [
            [0, "a"],
            [0.9, "b"],
        ] as const) {
            const bench = Bench.online({ user: "x", urls: ["a", "b"] });
            bench.chance = chance;
            bench.gone();
            bench.pass(1000);
            expect(bench.last("open").url).toBe(url);
            bench.opened();
            bench.gone(4010);
            bench.pass(1000);
            expect(bench.all("open")).toHaveLength(3);
            expect(bench.last("open").url).toBe(url);
        }
    });

    test("gateways that come later are those of the next attempt", () => {
        const bench = started({ user: "x", urls: ["a", "b"] });
        bench.step({ type: "gateways", urls: ["c", "d"] });
        expect(bench.all("open")).toHaveLength(1);
        for (const [chance, url] of [
            [0, "c"],
            [0.9, "d"],
        ] as const) {
            bench.gone();
            bench.chance = chance;
            bench.step({ type: "wake", slept: false });
            expect(bench.last("open").url).toBe(url);
        }
    });

    test("a single gateway is tried again", () => {
        const bench = started();
        bench.gone();
        bench.pass(1000);
        expect(bench.all("open").map((action) => action.url)).toEqual(["a", "a"]);
    });
});

describe("back-off", () => {
    test("the wait is random up to 1 s, 2 s, 4 s and so on up to 60 s", () => {
        const bench = started();
        bench.chance = 0.999999;
        const waits: number[] = [];
        for (let n = 0; n < 9; n++) {
            bench.gone();
            waits.push(Math.round((bench.status.retryInMs ?? 0) / 1000));
            bench.pass(bench.status.retryInMs ?? 0);
        }
        expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
        const zero = started();
        zero.chance = 0;
        zero.gone();
        expect(zero.status.retryInMs).toBe(0);
    });

    test("15,000 clients that lose their server at once come back spread, wave by wave", () => {
        const random = seeded(7);
        const count = 15_000;
        const clients = Array.from({ length: count }, () => {
            const bench = Bench.online({ user: "x", urls: ["a"] });
            bench.pass(10_000);
            return bench;
        });
        // Each attempt of a wave fails, too: the next one has twice the width.
        for (const [wave, widthMs] of [1_000, 2_000, 4_000, 8_000].entries()) {
            const tenths = new Array<number>(10).fill(0);
            let attempts = 0;
            for (const bench of clients) {
                bench.chance = random();
                bench.gone();
                const waitMs = bench.status.retryInMs ?? Infinity;
                const tenth = Math.floor((10 * waitMs) / widthMs);
                tenths[tenth] = (tenths[tenth] as number) + 1;
                bench.pass(waitMs);
                attempts += bench.all("open").length;
            }
            expect(attempts, "each one tries again when its wait is over").toBe(count * (wave + 2));
            expect(tenths).toHaveLength(10);
            // 1,500 in each tenth, with 5 standard deviations.
            expect(Math.min(...tenths)).toBeGreaterThan(1_316);
            expect(Math.max(...tenths)).toBeLessThan(1_684);
        }
    }, 60_000);

    test("an attempt without an answer ends after 10 s", () => {
        const bench = started();
        bench.opened();
        bench.pass(9_999);
        expect(bench.shut).toEqual([]);
        bench.pass(1);
        expect(bench.shut).toEqual([4006]);
        expect(bench.status).toMatchObject({ state: "offline", reason: { code: "M1006" } });
    });

    test("a good connection that is lost is followed by an attempt within 1 s, by chance", () => {
        for (const chance of [0, 0.5, 0.999]) {
            const bench = Bench.online();
            bench.pass(10_000);
            bench.chance = chance;
            bench.gone();
            expect(bench.statuses).toEqual(["connecting", "online", "offline"]);
            expect(bench.status).toMatchObject({ retryInMs: chance * 1000, reason: { code: "M1040" } });
            bench.pass(chance * 1000);
            expect(bench.all("open")).toHaveLength(2);
        }
    });

    test("a connection lost within 10 s counts as a failure", () => {
        const bench = Bench.online();
        bench.pass(9_000);
        bench.gone();
        expect(bench.status).toMatchObject({ state: "offline", retryInMs: 500 });
        bench.pass(500);
        expect(bench.status.state).toBe("resuming");
        bench.greet();
        bench.gone();
        expect(bench.status.retryInMs).toBe(1000);
    });

    test("after a good connection the waits begin small again", () => {
        const bench = started();
        for (let n = 0; n < 4; n++) {
            bench.gone();
            bench.pass(bench.status.retryInMs ?? 0);
        }
        bench.greet();
        bench.pass(10_000);
        bench.gone();
        expect(bench.status.retryInMs).toBe(500);
    });

    test("no sequence of closes makes a hot loop", () => {
        for (const code of [4001, 4002, 4004, 4010, 1001, 1006, 4000]) {
            const bench = started({ renewable: true });
            let attempts = 0;
            const token = () => {
                const request = bench.all("fetchToken").at(-1)?.request ?? 0;
                bench.step({ type: "token", request, token: "t", livesMs: 1e9 });
            };
            token();
            while (bench.status.state !== "offline" && bench.status.state !== "closed") {
                attempts++;
                expect(attempts).toBeLessThan(6);
                bench.greet();
                bench.gone(code);
                token();
            }
        }
    });

    test("network back or page visible again: the next attempt is made at once", () => {
        const bench = started();
        bench.gone();
        expect(bench.status.state).toBe("offline");
        bench.step({ type: "wake", slept: false });
        expect(bench.status.state).toBe("connecting");
        expect(bench.all("open")).toHaveLength(2);
    });
});

describe("what the server asks for", () => {
    test("a bye with retry_ms is a wait at least as long, also for a page that wakes up", () => {
        const bench = Bench.online();
        bench.pass(minute / 6);
        bench.receive({ op: "bye", code: "M1033", retry_ms: 7000 });
        bench.gone(1013);
        expect(bench.status).toMatchObject({
            state: "offline",
            retryInMs: 7000,
            reason: { code: "M1033" },
        });
        bench.step({ type: "wake", slept: false });
        expect(bench.all("open")).toHaveLength(1);
        bench.pass(7000);
        expect(bench.all("open")).toHaveLength(2);
    });

    test("retry_ms in the reason of a close counts, too", () => {
        const bench = started();
        bench.gone(1013, "M1033 retry_ms=9000");
        expect(bench.status).toMatchObject({ retryInMs: 9000, reason: { code: "M1033" } });
    });

    test("after a bye with a spread the client goes on, and leaves at a random time within", () => {
        const bench = Bench.online({ user: "x", urls: ["a", "b"] });
        const first = bench.last("open").url;
        bench.receive({ op: "bye", code: "M1007", spread_ms: 10_000 });
        bench.pass(4_999);
        expect(bench.status.state).toBe("online");
        bench.pass(1);
        expect(bench.shut).toEqual([1000]);
        expect(bench.status).toMatchObject({ state: "resuming", reason: { code: "M1007" } });
        expect(bench.last("open").url).not.toBe(first);
    });

    test("a gateway that closes right after its bye is followed within the spread all the same", () => {
        for (const [code, chance] of [
            [1001, 0.25],
            [1006, 0.75],
        ] as const) {
            const bench = Bench.online({ user: "x", urls: ["a", "b"] });
            const first = bench.last("open").url;
            bench.chance = chance;
            bench.receive({ op: "bye", code: "M1007", spread_ms: 60_000 });
            bench.gone(code);
            const retryInMs = chance * 60_000;
            const reason = { code: "M1007" };
            expect(bench.status).toMatchObject({ state: "offline", retryInMs, reason });
            bench.step({ type: "wake", slept: false });
            bench.pass(retryInMs - 1);
            expect(bench.all("open")).toHaveLength(1);
            bench.pass(1);
            expect(bench.last("open").url).not.toBe(first);
            bench.gone(); // The spread is for once.
            expect(bench.status.retryInMs).toBeLessThanOrEqual(2000);
        }
    });

    test("a bye with a spread does not hide why the connection ends before", () => {
        const bench = Bench.online();
        bench.receive({ op: "bye", code: "M1007", spread_ms: 60_000 });
        bench.gone(4003);
        expect(bench.status).toMatchObject({ state: "closed", reason: { code: "M1003" } });
    });

    test("the code of a bye is the reason of the close that follows", () => {
        const bench = Bench.online();
        bench.receive({ op: "bye", code: "M1013", message: "the node is gone" });
        bench.gone(4013);
        expect(bench.status.reason).toEqual({ code: "M1013", message: "the node is gone" });
    });

    test("a close whose reason begins with a code is told by that", () => {
        const bench = started();
        bench.gone(4000, "M1005 no hello within 5 s");
        expect(bench.status.reason).toEqual({ code: "M1005", message: "no hello within 5 s" });
    });

    test("closes without a bye are told by their registered code", () => {
        const codes = { 4000: "M1000", 4008: "M1008", 1002: "M1022", 1009: "M1029", 1013: "M1033" };
        for (const [code, told] of Object.entries(codes)) {
            const bench = started();
            bench.gone(Number(code));
            expect(bench.status.reason?.code).toBe(told);
        }
    });
});

describe("resuming", () => {
    test("the hello carries resume token, cid, a new cn and the cursors", () => {
        const bench = Bench.joined([7, 20]);
        bench.receive(chat(21));
        bench.gone();
        bench.pass(minute / 100);
        bench.opened();
        expect(bench.written()).toEqual([
            {
                op: "hello",
                v: [1],
                user: "alice",
                nonce: expect.any(String),
                resume: "token",
                cid: "c",
                cn: 2,
                since: { [room]: [7, 21] },
            },
        ]);
    });

    test("what an older socket still says changes nothing", () => {
        const bench = Bench.joined();
        const old = bench.socket;
        bench.pass(10_000);
        bench.gone();
        bench.step({ type: "frame", socket: old, frame: chat(21) });
        bench.step({ type: "gone", socket: old, code: 4003, reason: "" });
        expect(bench.all("stream")).toEqual([]);
        expect(bench.status.state).toBe("offline");
    });

    test("a new resume token from auth replaces the old one", () => {
        const bench = Bench.online();
        bench.hello({ resume: "newer" });
        expect(bench.statuses).toEqual(["connecting", "online"]);
        bench.gone();
        bench.pass(500);
        bench.opened();
        expect(bench.written().at(-1)).toMatchObject({ resume: "newer", cid: "c" });
    });

    test("4004: a new login under the old nonce, without the resume token", () => {
        const bench = started();
        bench.greet();
        const nonce = bench.written()[0]?.["nonce"];
        bench.gone(4004);
        bench.pass(1000); // A node that is lost ends many sessions at once.
        bench.opened();
        const hello = bench.written()[0];
        expect(hello).toMatchObject({ nonce, cn: 2 });
        expect(hello).not.toHaveProperty("resume");
    });

    test("4010: a new login under a new nonce, without resume token and cid", () => {
        const bench = started();
        bench.greet();
        const nonce = bench.written()[0]?.["nonce"];
        bench.chance = 0.7;
        bench.gone(4010);
        bench.opened();
        const hello = bench.written()[0];
        expect(hello?.["nonce"]).not.toBe(nonce);
        expect(hello).not.toHaveProperty("resume");
        expect(hello).not.toHaveProperty("cid");
    });
});

describe("tokens", () => {
    function signedIn(livesMs?: number): Bench {
        const bench = started({ renewable: true });
        bench.step({ type: "token", request: 1, token: "one", livesMs });
        bench.greet();
        bench.written();
        return bench;
    }
    const give = (bench: Bench, token: string, livesMs?: number) => {
        const { request } = bench.last("fetchToken");
        bench.step({ type: "token", request, token, livesMs });
    };
    const alive = (bench: Bench, ms: number) => {
        for (let passed = 0; passed < ms; passed += 10_000) {
            bench.pass(Math.min(10_000, ms - passed));
            bench.receive({ op: "pong" });
        }
    };

    test("before a token expires the next one is fetched and sent", () => {
        const bench = signedIn(100_000);
        alive(bench, 79_000);
        expect(bench.all("fetchToken")).toHaveLength(1);
        alive(bench, 1_000);
        expect(bench.all("fetchToken")).toHaveLength(2);
        bench.written();
        give(bench, "two", 100_000);
        expect(bench.written()).toEqual([{ op: "auth", token: "two" }]);
        alive(bench, 80_000);
        expect(bench.all("fetchToken")).toHaveLength(3);
    });

    test("a renewal that fails is tried again 10 s later", () => {
        const bench = signedIn(100_000);
        alive(bench, 80_000);
        bench.step({ type: "tokenFailed", request: bench.last("fetchToken").request, message: "" });
        expect(bench.status.state).toBe("online");
        alive(bench, 10_000);
        expect(bench.all("fetchToken")).toHaveLength(3);
    });

    test("a token with life left serves the next sign-in, one of unknown life does not", () => {
        const known = signedIn(100_000);
        known.gone();
        known.pass(500);
        expect(known.all("fetchToken")).toHaveLength(1);
        const unknown = signedIn();
        unknown.gone();
        unknown.pass(500);
        expect(unknown.all("fetchToken")).toHaveLength(2);
        expect(unknown.all("open")).toHaveLength(1);
        give(unknown, "two");
        expect(unknown.all("open")).toHaveLength(2);
    });

    test("after sleep the token is fetched again", () => {
        const bench = signedIn(100_000);
        bench.step({ type: "wake", slept: true });
        bench.step({ type: "tick" });
        expect(bench.all("fetchToken")).toHaveLength(2);
    });

    test("after sleep without a connection the token is fetched before the next sign-in", () => {
        const bench = signedIn(100_000);
        bench.gone();
        bench.step({ type: "wake", slept: true });
        expect(bench.all("fetchToken")).toHaveLength(2);
    });

    test("4001 and 4002 fetch a token and sign in again at once", () => {
        for (const code of [4001, 4002]) {
            const bench = signedIn(100_000);
            bench.gone(code);
            expect(bench.all("fetchToken")).toHaveLength(2);
            give(bench, "two");
            bench.opened();
            expect(bench.written()[0]).toMatchObject({ op: "hello", token: "two" });
        }
    });

    test("twice 4001 stops the client and tells the app", () => {
        const bench = signedIn(100_000);
        bench.gone(4001);
        give(bench, "two");
        bench.gone(4001, "no such key");
        expect(bench.status).toEqual({
            state: "closed",
            reason: { code: "M1001", message: "no such key" },
        });
        expect(bench.core.deadline).toBe(Infinity);
    });

    test("a welcome in between forgives a 4001", () => {
        const bench = signedIn(100_000);
        bench.gone(4001);
        give(bench, "two");
        bench.greet();
        bench.gone(4001);
        expect(bench.status.state).not.toBe("closed");
    });

    test("a name or a fixed token that is refused stops the client at once", () => {
        const bench = started();
        bench.gone(4001);
        expect(bench.status).toMatchObject({ state: "closed", reason: { code: "M1001" } });
    });
});

describe("signs of life", () => {
    test("a ping is answered", () => {
        const bench = Bench.online();
        bench.receive({ op: "ping" });
        expect(bench.written()).toEqual([{ op: "pong" }]);
    });

    test("after 15 s without a byte the client pings, after 35 s it takes another gateway", () => {
        const bench = Bench.online();
        bench.pass(14_999);
        expect(bench.written()).toEqual([]);
        bench.pass(1);
        expect(bench.written()).toEqual([{ op: "ping" }]);
        bench.pass(19_999);
        expect(bench.status.state).toBe("online");
        bench.pass(1);
        expect(bench.shut).toEqual([4006]);
        expect(bench.status).toMatchObject({ state: "offline", reason: { code: "M1006" } });
        bench.pass(500);
        expect(bench.status.state).toBe("resuming");
    });

    test("any frame is a sign of life", () => {
        const bench = Bench.online();
        for (let n = 0; n < 10; n++) {
            bench.pass(30_000);
            bench.receive({ op: "pong" });
        }
        expect(bench.status.state).toBe("online");
    });

    test("the server's hello sets the pace", () => {
        const bench = started();
        bench.greet({ ping: 2 });
        bench.written();
        bench.pass(2000);
        expect(bench.written()).toEqual([{ op: "ping" }]);
        bench.pass(7000);
        expect(bench.shut).toEqual([4006]);
    });

    test("a client that wakes up asks for a sign of life within 5 s", () => {
        const bench = Bench.online();
        bench.step({ type: "wake", slept: false });
        expect(bench.written()).toEqual([{ op: "ping" }]);
        bench.receive({ op: "pong" });
        bench.pass(5000);
        expect(bench.status.state).toBe("online");
        bench.step({ type: "wake", slept: false });
        bench.pass(5000);
        expect(bench.shut).toEqual([4006]);
    });

    test("what is no frame closes the connection with 1002", () => {
        const bench = Bench.online();
        bench.receive(undefined);
        expect(bench.shut).toEqual([1002]);
        expect(bench.status.state).toBe("offline");
    });

    test("a frame of an unknown kind is ignored", () => {
        const bench = Bench.online();
        bench.receive({ op: "confetti" } as never);
        expect(bench.status.state).toBe("online");
    });
});
