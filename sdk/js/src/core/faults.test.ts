/** The client against a server and a network that fail in every way they may, by seed. */
import { expect, test } from "vitest";
import { Queue, type Requests } from "../queue.ts";
import { Bench } from "../testing/bench.ts";
import { type Applied, Model, room, seeded } from "../testing/model.ts";
import type { ServerFrame } from "../wire.ts";

const seedCount = Number(process.env["MUSTER_SEEDS"] ?? 60);
const stepMs = 50;

type Wish = "join" | "listen" | "nothing";

class World {
    readonly random: () => number;
    readonly bench = new Bench({ user: "alice", urls: ["a", "b"] });
    readonly model: Model;
    readonly view = new Queue(room, {} as Requests);
    /** Request id to what it sent. */
    readonly sent = new Map<number, { m: string; d: unknown }>();
    readonly seen: { inc: number; seq: number; text: string }[] = [];
    readonly breaks: string[] = [];
    /** Where the app's stream went on without what it must have been told. */
    losses: Applied[] = [];
    #read = 0;
    #inc = 0;
    #last = 0;

    constructor(seed: number) {
        this.random = seeded(seed);
        this.model = new Model(this.random);
        this.bench.now = 0;
    }

    /** Carries actions out, lets `stepMs` pass, brings what arrives. */
    step(): void {
        this.carryOut();
        this.bench.chance = this.random();
        this.bench.pass(stepMs);
        this.carryOut();
        for (const { socket, what } of this.model.advance(this.bench.now)) {
            this.bench.chance = this.random();
            if (typeof what === "object") {
                const frame = JSON.parse(JSON.stringify(what));
                this.bench.step({ type: "frame", socket, frame });
            } else if (what === 0) {
                this.bench.step({ type: "opened", socket });
            } else {
                this.bench.step({ type: "gone", socket, code: what, reason: "" });
            }
            this.carryOut();
        }
    }

    carryOut(): void {
        for (; this.#read < this.bench.actions.length; this.#read++) {
            const action = this.bench.actions[this.#read];
            switch (action?.type) {
                case "open":
                    this.model.connect(action.socket);
                    break;
                case "write":
                    this.model.write(action.socket, action.text);
                    break;
                case "shut":
                    if (action.code === 1002) {
                        this.breaks.push(action.reason);
                    }
                    this.model.cut(action.socket);
                    break;
                case "joined":
                    this.#goOn(action.frame, action.again);
                    this.view.onJoined(action.frame, action.again);
                    break;
                case "left":
                    this.view.onLeft(action.why);
                    break;
                case "stream": {
                    const { frame } = action;
                    if (frame.op === "reset") {
                        [this.#inc, this.#last] = frame.at;
                    } else if ("seq" in frame) {
                        this.#see(frame);
                    }
                    this.view.onStream(frame);
                }
            }
        }
    }

    #see({ prev, ...frame }: ServerFrame & { seq?: number; prev?: number }): void {
        const seq = frame.seq ?? 0;
        // A replay holds all messages, and leaves out what the snapshot behind it makes good.
        const skipped = this.model.applied.filter(
            (applied) =>
                applied.inc === this.#inc &&
                applied.seq > this.#last &&
                applied.seq < seq &&
                (prev === undefined || applied.frame.op === "msg"),
        );
        this.losses.push(...skipped);
        this.#last = seq;
        this.seen.push({ inc: this.#inc, seq, text: JSON.stringify(frame) });
    }

    /** A stream that goes on has told all messages up to where it is, or that it has not. */
    #goOn({ at, resume }: Extract<ServerFrame, { op: "joined" }>, again: boolean): void {
        const [, from, to] = /gap (\d+)\.\.(\d+)/.exec(resume?.["chat"] ?? "") ?? [];
        this.losses = this.losses.filter(
            ({ inc, seq }) => !(inc === at[0] && seq >= Number(from) && seq <= Number(to)),
        );
        if (again && /replayed/.test(resume?.["chat"] ?? "")) {
            const skipped = this.model.applied.filter(
                ({ inc, seq, frame }) =>
                    inc === at[0] && seq > this.#last && seq <= at[1] && frame.op === "msg",
            );
            this.losses.push(...skipped);
        }
        [this.#inc, this.#last] = at;
    }

    /** The app does something, or not. */
    act(count: number): void {
        this.comeBack("join");
        const dice = this.random();
        if (dice < 0.25) {
            const d = `message ${count}`;
            this.sent.set(this.bench.send(d, { volatile: dice < 0.05 }), { m: "chat", d });
        } else if (dice < 0.4) {
            const k = dice < 0.33 ? "a" : "b";
            this.sent.set(this.bench.set(k, `value ${count}`), {
                m: "scores",
                d: `value ${count}`,
            });
        } else if (dice < 0.41) {
            const id = [...this.sent.keys()].at(-1);
            if (id !== undefined) {
                this.bench.step({ type: "withdraw", id });
            }
        } else if (dice < 0.42) {
            this.bench.step({ type: "wake", slept: false });
        } else if (dice < 0.46) {
            const asked = ["join", "listen", "leave", "unlisten"] as const;
            for (let n = 1 + this.random() * 3; n > 0; n--) {
                this.bench.ask(asked[Math.floor(this.random() * 4)] as (typeof asked)[number]);
            }
        }
    }

    /** An app that has not what it wants asks again, now and then. */
    comeBack(wish: Wish): void {
        const isIn = this.view.joined !== undefined;
        if (isIn === (wish === "nothing") && this.random() < 0.05) {
            this.bench.ask(wish === "nothing" ? "leave" : wish);
        }
    }

    /** How often a payload took effect, and where. */
    effects(d: unknown): { inc: number; seq: number }[] {
        return this.model.applied.filter(
            ({ frame }) =>
                (frame.op === "msg" && frame.d === d) ||
                (frame.op === "state" && Object.values(frame.set ?? {}).includes(d)),
        );
    }
}

function check(world: World, wish: Wish): void {
    const { bench, model } = world;
    expect(world.breaks, "a right server is never found wrong").toEqual([]);
    expect(model.breaches, "nor the client by the server").toEqual([]);
    expect(world.losses, "no message is passed over in silence").toEqual([]);
    for (const id of bench.verdicts.keys()) {
        bench.verdict(id);
    }
    const sharedValues = new Map<number, number>();
    for (const [id, { m, d }] of world.sent) {
        const verdict = bench.verdict(id); // Throws where there are two.
        expect(verdict, `request ${id} has a verdict`).toBeDefined();
        const effects = world.effects(d);
        expect(effects.length, `${d} takes effect at most once`).toBeLessThan(2);
        if (verdict && "settled" in verdict) {
            const { seq } = verdict.settled as { seq: number };
            if (effects.length === 1) {
                expect(effects[0]?.seq).toBe(seq);
            } else {
                // A newer value of its key went instead of it.
                expect(m, `${d} was accepted and took effect`).toBe("scores");
                sharedValues.set(id, seq);
            }
        } else if (verdict && verdict.failed.outcome === "unknown") {
            const expired = verdict.failed.code === "M2011";
            expect(expired && !model.hasForgotten, `${d} expired without a reason`).toBe(false);
        } else if (verdict) {
            expect(effects, `${d} was refused (${verdict.failed.code})`).toEqual([]);
        }
    }
    for (const seq of sharedValues.values()) {
        const at = model.applied.filter((applied) => applied.seq === seq);
        expect(at.some(({ frame }) => frame.op === "state")).toBe(true);
    }
    // What the app saw is what happened, in order, each once.
    let last = { inc: 0, seq: 0 };
    for (const { inc, seq, text } of world.seen) {
        expect(inc > last.inc || (inc === last.inc && seq > last.seq)).toBe(true);
        const truth = model.applied.find((applied) => applied.inc === inc && applied.seq === seq);
        expect(text).toBe(JSON.stringify(truth?.frame));
        last = { inc, seq };
    }
    // And it ends where the server is, and as the app wants it.
    expect(bench.status.state).toBe("online");
    const streams = wish === "nothing" ? 0 : 1;
    expect(model.streamCount, "streams that the server sends").toBe(streams);
    expect(world.view.joined !== undefined, "the app is told a stream").toBe(streams === 1);
    expect(model.member).toBe(wish === "join");
    if (wish !== "nothing") {
        expect(world.view.joined?.member).toBe(wish === "join");
        expect(Object.fromEntries(world.view.state("scores").entries())).toEqual(model.state);
        expect([...world.view.members.keys()]).toEqual(wish === "join" ? ["alice"] : []);
    }
}

test(`${seedCount} seeds of faults: one verdict each, no effect twice, the same end`, () => {
    const first = Number(process.env["MUSTER_SEED"] ?? 1);
    const count = process.env["MUSTER_SEED"] ? 1 : seedCount;
    const outcomes = new Map<string, number>();
    for (let seed = first; seed < first + count; seed++) {
        const world = new World(seed);
        world.bench.step({ type: "start" });
        world.bench.ask("join");
        for (let n = 0; n < 600; n++) {
            world.act(n);
            world.step();
        }
        world.model.heal();
        const wish = (["join", "listen", "nothing"] as const)[seed % 3] as Wish;
        world.bench.ask(wish === "join" ? "join" : "leave");
        if (wish === "listen") {
            world.bench.ask("listen");
        }
        for (let n = 0; n < 2400 && n * stepMs < 120_000; n++) {
            world.comeBack(wish);
            world.step();
        }
        try {
            check(world, wish);
        } catch (error) {
            throw new Error(`repeat with MUSTER_SEED=${seed} npm test`, { cause: error });
        }
        for (const id of world.sent.keys()) {
            const outcome = world.bench.outcome(id);
            outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        }
    }
    if (count >= 60) {
        // The faults were there: every way to end was taken.
        for (const outcome of ["ok", "rejected M2006", "rejected M2023", "unknown M2010"]) {
            expect(outcomes.get(outcome) ?? 0, outcome).toBeGreaterThan(0);
        }
        expect(outcomes.get("unknown M2011") ?? 0).toBeGreaterThan(0);
    }
}, 600_000);
