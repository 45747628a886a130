/**
 * The client against a server and a network that fail in every way they may, by seed: first under
 * faults, then in peace, where all must come to rest. Checked are I1-I6 and I14 as far as one
 * client shows them, a verdict for each request, and that the app is told what is so.
 *
 *     MUSTER_SEEDS=10000 npx vitest run src/core/faults.test.ts    # more of them
 *     MUSTER_FROM=10001 MUSTER_SEEDS=10000 npx vitest run …        # others
 *     MUSTER_TRACE=1 MUSTER_SEED=364 npx vitest run …              # one again, with all it does
 */
import { expect, test } from "vitest";
import { Queue } from "../queue.ts";
import { Bench } from "../testing/bench.ts";
import { type Applied, Model, room, seeded } from "../testing/model.ts";
import type { Cursor, ServerFrame } from "../wire.ts";

const seedCount = Number(process.env["MUSTER_SEEDS"] ?? 80);
const traces = process.env["MUSTER_TRACE"] !== undefined;
const stepMs = 50;
/** Steps are longer once nothing goes wrong any more. */
const calmStepMs = 200;

type Wish = "join" | "listen" | "nothing";
const asks = ["join", "listen", "leave", "unlisten"] as const;
type Ask = (typeof asks)[number];

class World {
    readonly random: () => number;
    readonly bench = new Bench({ user: "alice", urls: ["a", "b"] });
    readonly model: Model;
    readonly view = new Queue(room, undefined as never);
    /** What this app comes back to. */
    readonly usual: "join" | "listen";
    /** Request id to what it sent. */
    readonly sent = new Map<number, { m: string; d: unknown }>();
    readonly seen: { inc: number; seq: number; text: string }[] = [];
    /** Everything that the app asked for, and of the last ask how it stands. */
    readonly asked: number[] = [];
    wish: Wish = "nothing";
    #partings: number[] = [];
    /** What it wished before it parted: what it has where that is refused. */
    #wishBefore: Wish = "nothing";
    /** The backend has let the user in while the app was parting, and it was told so. */
    #letIn = false;
    /** What the client holds against a server that is right. */
    readonly breaks: string[] = [];
    /** What the app was told and must not have been. */
    readonly lies: string[] = [];
    /** Where the app's stream went on without what it must have been told. */
    losses: Applied[] = [];
    #read = 0;
    #inside = false;
    /** A reset was told, and no `joined` since. */
    #jumped = false;
    #inc = 0;
    #last = 0;

    constructor(seed: number) {
        this.random = seeded(seed);
        this.model = new Model(this.random);
        this.usual = this.random() < 0.7 ? "join" : "listen";
        this.bench.now = 0;
    }

    /** Carries actions out, lets time pass, brings what arrives. */
    step(ms = stepMs): void {
        this.carryOut();
        this.bench.chance = this.random();
        this.bench.pass(ms);
        this.carryOut();
        for (const { socket, what } of this.model.advance(this.bench.now)) {
            this.bench.chance = this.random();
            this.#trace("<", what);
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
            this.#trace(">", action);
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
                case "fail":
                    if (this.#partings.includes(action.id)) {
                        this.#partings = this.#partings.filter((id) => id !== action.id);
                        this.wish = this.#wishBefore;
                    }
                    break;
                case "left":
                    this.#letIn = false;
                    if (!this.#inside) {
                        this.#lie(`left (${action.why}) where nothing was joined`);
                    }
                    this.#inside = false;
                    this.view.onLeft(action.why);
                    break;
                case "stream": {
                    const { frame } = action;
                    if (!this.#inside) {
                        this.#lie(`${frame.op} of what was left`);
                    }
                    if (frame.op === "reset") {
                        [this.#inc, this.#last] = frame.at;
                        this.#jumped = true;
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

    /**
     * A stream that was not told to have ended has told all messages up to where it is, or that it
     * has not: by a reset, or by a gap.
     */
    #goOn({ at, member, resume }: Extract<ServerFrame, { op: "joined" }>, again: boolean): void {
        if (again && !this.#inside) {
            this.#lie("a stream goes on that the app does not have");
        }
        if (this.wish === "nothing" && this.#partings.every((id) => this.#isDone(id))) {
            if (!member && !this.#letIn) {
                this.#lie("a watch begins although the app has ended it");
            }
            this.wish = "join"; // The backend's doing, which the app has not objected to.
        }
        this.#letIn = member && this.wish === "nothing";
        if (this.#inside && !this.#jumped) {
            if (at[0] !== this.#inc) {
                this.#lie(`joined leads from life ${this.#inc} to ${at[0]} without a reset`);
            }
            const skipped = this.model.applied.filter(
                ({ inc, seq, frame }) =>
                    inc === at[0] && seq > this.#last && seq <= at[1] && frame.op === "msg",
            );
            this.losses.push(...skipped);
        }
        const [, from, to] = /gap (\d+)\.\.(\d+)/.exec(resume?.["chat"] ?? "") ?? [];
        this.losses = this.losses.filter(
            ({ inc, seq }) => !(inc === at[0] && seq >= Number(from) && seq <= Number(to)),
        );
        this.#inside = true;
        this.#jumped = false;
        [this.#inc, this.#last] = at;
    }

    #isDone(id: number): boolean {
        return this.bench.verdict(id) !== undefined;
    }

    #lie(text: string): void {
        this.#trace("!", text);
        this.lies.push(text);
    }

    #trace(arrow: string, what: unknown): void {
        if (traces) {
            console.log(this.bench.now, arrow, JSON.stringify(what));
        }
    }

    ask(type: Ask): void {
        this.#trace("?", type);
        if (type === "join" || (type === "listen" && this.wish === "nothing")) {
            this.wish = type;
        } else if (type === "unlisten" && this.view.joined?.member) {
            this.wish = "join"; // The backend's doing: a member keeps its stream.
        } else if (type === "leave" || (type === "unlisten" && this.wish === "listen")) {
            this.#wishBefore = this.wish === "nothing" ? this.#wishBefore : this.wish;
            this.wish = "nothing";
        }
        const id = this.bench.ask(type);
        this.asked.push(id);
        if (type === "leave" || type === "unlisten") {
            this.#partings.push(id);
        }
    }

    /** The app does something, or not. */
    act(count: number): void {
        this.comeBack(this.usual);
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
            const ids = this.random() < 0.5 ? [...this.sent.keys()] : this.asked;
            const id = ids.at(-1 - Math.floor(this.random() * 2));
            if (id !== undefined) {
                this.#trace("?", `withdraw ${id}`);
                this.bench.step({ type: "withdraw", id });
            }
        } else if (dice < 0.42) {
            this.bench.step({ type: "wake", slept: false });
        } else if (dice < 0.46) {
            for (let n = 1 + this.random() * 3; n > 0; n--) {
                this.ask(asks[Math.floor(this.random() * 4)] as Ask);
            }
        } else if (dice < 0.47) {
            this.asked.push(this.bench.ask("history"));
        }
    }

    /** An app that has not what it wants asks again, now and then. */
    comeBack(wish: Wish): void {
        const isIn = this.view.joined !== undefined;
        if (isIn === (wish === "nothing") && this.random() < 0.05) {
            this.ask(wish === "nothing" ? "leave" : wish);
        }
    }

    /** Has the app been shown all up to here? Of somebody who is not in there is nothing to say. */
    hasSeen([inc, seq]: Cursor): boolean {
        return !this.#inside || (this.#inc === inc && this.#last === seq);
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

/** What holds at all times: nothing passed over, nothing told twice, a verdict for everything. */
function check(world: World): void {
    const { bench, model } = world;
    expect(world.breaks, "a right server is never found wrong").toEqual([]);
    expect(model.breaches, "nor the client by the server").toEqual([]);
    expect(world.lies, "the app is told what is so").toEqual([]);
    expect(world.losses, "no message is passed over in silence").toEqual([]);
    for (const id of [...world.asked, ...world.sent.keys()]) {
        expect(bench.verdict(id), `request ${id} has a verdict`).toBeDefined(); // Throws at two.
    }
    checkEffects(world);
    checkSeen(world);
}

function checkEffects(world: World): void {
    const { bench, model, sent } = world;
    const sharedValues = new Map<number, number>();
    for (const [id, { m, d }] of sent) {
        const verdict = bench.verdict(id);
        const found = world.effects(d);
        expect(found.length, `${d} takes effect at most once`).toBeLessThan(2);
        if (verdict && "settled" in verdict) {
            const { seq } = verdict.settled as { seq: number };
            if (found.length === 1) {
                expect(found[0]?.seq).toBe(seq);
            } else {
                // A newer value of its key went instead of it.
                expect(m, `${d} was accepted and took effect`).toBe("scores");
                sharedValues.set(id, seq);
            }
        } else if (verdict && verdict.failed.outcome === "unknown") {
            const expired = verdict.failed.code === "M2011";
            expect(expired && !model.hasForgotten, `${d} expired without a reason`).toBe(false);
        } else if (verdict) {
            expect(found, `${d} was refused (${verdict.failed.code})`).toEqual([]);
        }
    }
    for (const seq of sharedValues.values()) {
        const at = model.applied.filter((applied) => applied.seq === seq);
        expect(at.some(({ frame }) => frame.op === "state")).toBe(true);
    }
}

/** What the app saw is what happened, in order, each once. */
function checkSeen({ model, seen }: World): void {
    let last = { inc: 0, seq: 0 };
    for (const { inc, seq, text } of seen) {
        expect(inc > last.inc || (inc === last.inc && seq > last.seq)).toBe(true);
        const truth = model.applied.find((applied) => applied.inc === inc && applied.seq === seq);
        expect(text).toBe(JSON.stringify(truth?.frame));
        last = { inc, seq };
    }
}

/** What the app believes of its stream is what the server does, up to the last message. */
function checkBelief(world: World): void {
    const { bench, model, view } = world;
    expect(bench.status.state).toBe("online");
    const streams = view.joined ? 1 : 0;
    expect(model.streamCount, "streams that the server sends").toBe(streams);
    expect(model.member).toBe(view.joined?.member ?? false);
    expect(world.hasSeen(model.at), "the last message has come").toBe(true);
    if (view.joined) {
        expect(Object.fromEntries(view.state("scores").entries())).toEqual(model.state);
        expect([...view.members.keys()]).toEqual(model.member ? ["alice"] : []);
    }
}

/** Runs a seed: 30 s of faults, then peace, in which all must come to rest as the app wants it. */
function run(seed: number): World {
    const world = new World(seed);
    const { bench, model } = world;
    const rest = (steps: number, wish?: Wish) => {
        for (let n = 0; n < steps; n++) {
            if (wish) {
                world.comeBack(wish);
            }
            world.step(calmStepMs);
        }
    };
    const takenOverAt = seed % 8 === 0 ? 100 + Math.floor(world.random() * 500) : Infinity;
    bench.step({ type: "start" });
    world.ask(world.usual);
    for (let n = 0; n < Math.min(600, takenOverAt); n++) {
        world.act(n);
        world.step();
    }
    if (takenOverAt < Infinity) {
        model.takeOver();
        rest(500);
        model.heal(); // Where each attempt to ask was cut until now, the next one is not.
        rest(500);
        check(world);
        expect(bench.status.state).toBe("closed");
        const reasons = bench.all("status").map(({ status }) => status.reason?.code);
        expect(reasons.includes("M1003"), "the app is told who came instead").toBe(true);
        return world;
    }
    model.heal();
    rest(600);
    model.speak("Are you there?");
    rest(5);
    check(world);
    checkBelief(world);
    const wish = (["join", "listen", "nothing"] as const)[seed % 3] as Wish;
    world.ask(wish === "join" ? "join" : "leave");
    if (wish === "listen") {
        world.ask("listen");
    }
    rest(300, wish);
    check(world);
    checkBelief(world);
    expect(world.view.joined !== undefined, "it is as the app wants it").toBe(wish !== "nothing");
    expect(model.member, "a member, if the app wants to be one").toBe(wish === "join");
    return world;
}

test(`${seedCount} seeds of faults: one verdict each, no effect twice, the same end`, () => {
    const first = Number(process.env["MUSTER_SEED"] ?? process.env["MUSTER_FROM"] ?? 1);
    const count = process.env["MUSTER_SEED"] ? 1 : seedCount;
    const outcomes = new Map<string, number>();
    const broken: string[] = [];
    for (let seed = first; seed < first + count; seed++) {
        try {
            const world = run(seed);
            for (const id of world.sent.keys()) {
                const outcome = world.bench.outcome(id);
                outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
            }
        } catch (error) {
            broken.push(`MUSTER_SEED=${seed} npm test: ${(error as Error).message}`);
        }
    }
    expect(broken.slice(0, 50), `${broken.length} seeds are broken`).toEqual([]);
    if (count >= 60) {
        // The faults were there: every way to end was taken.
        for (const outcome of ["ok", "rejected M2006", "rejected M2023", "unknown M2010"]) {
            expect(outcomes.get(outcome) ?? 0, outcome).toBeGreaterThan(0);
        }
        expect(outcomes.get("unknown M2011") ?? 0).toBeGreaterThan(0);
    }
}, 6_000_000);
