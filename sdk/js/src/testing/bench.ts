/** One Core driven by hand: set the time, feed events and frames, read what it asks for. */
import type { ConnectionOptions } from "../core/connection.ts";
import { Core } from "../core/core.ts";
import type { Action, AppRequest, Event, Status } from "../core/messages.ts";
import type { Failure } from "../errors.ts";
import type { JoinedFrame, ServerFrame } from "../wire.ts";

type Of<Type extends Action["type"]> = Extract<Action, { type: Type }>;
/** A frame as the client wrote it. */
export type Written = Record<string, any> & { op: string };

export type Verdict = { settled: unknown } | { failed: Failure };

/** What a request is about; what is left out has its default. */
interface Details {
    q?: string;
    m?: string;
    k?: string;
    d?: unknown;
    ifSeq?: number;
    before?: number;
    volatile?: boolean;
    waitMs?: number;
}

export const room = "/room/1";

export class Bench {
    now = 1000;
    /** What `random()` returns. */
    chance = 0.5;
    readonly core: Core;
    /** All actions so far. */
    readonly actions: Action[] = [];
    readonly verdicts = new Map<number, Verdict[]>();
    #read = 0;
    #lastId = 0;

    constructor(options: Partial<ConnectionOptions> = { user: "alice" }) {
        this.core = new Core({ urls: ["a"], renewable: false, ...options });
    }

    step(event: Event): void {
        const from = this.actions.length;
        this.core.step(event, { now: this.now, random: () => this.chance, out: this.actions });
        for (const action of this.actions.slice(from)) {
            if (action.type === "settle" || action.type === "fail") {
                const verdict: Verdict =
                    action.type === "settle"
                        ? { settled: action.value }
                        : { failed: action.failure };
                this.verdicts.set(action.id, [...(this.verdicts.get(action.id) ?? []), verdict]);
            }
        }
    }

    /** Lets time pass; the core gets its ticks when they are due. */
    pass(ms: number): void {
        const end = this.now + ms;
        while (this.core.deadline <= end) {
            this.now = Math.max(this.now, this.core.deadline);
            this.step({ type: "tick" });
        }
        this.now = end;
    }

    all<Type extends Action["type"]>(type: Type): Of<Type>[] {
        return this.actions.filter((action): action is Of<Type> => action.type === type);
    }

    last<Type extends Action["type"]>(type: Type): Of<Type> {
        const found = this.all(type).at(-1);
        if (!found) {
            throw new Error(`no ${type} among ${JSON.stringify(this.actions)}`);
        }
        return found;
    }

    /** The frames written since the last call. */
    written(): Written[] {
        const fresh = this.actions.slice(this.#read);
        this.#read = this.actions.length;
        return fresh.flatMap((action) =>
            action.type === "write" ? [JSON.parse(action.text) as Written] : [],
        );
    }

    get status(): Status {
        return this.last("status").status;
    }

    get statuses(): string[] {
        return this.all("status").map((action) => action.status.state);
    }

    /** The socket that counts. */
    get socket(): number {
        return this.last("open").socket;
    }

    get shut(): number[] {
        return this.all("shut").map((action) => action.code);
    }

    opened(): void {
        this.step({ type: "opened", socket: this.socket });
    }

    receive(...frames: (ServerFrame | undefined)[]): void {
        for (const frame of frames) {
            this.step({ type: "frame", socket: this.socket, frame });
        }
    }

    gone(code = 1006, reason = ""): void {
        this.step({ type: "gone", socket: this.socket, code, reason });
    }

    hello(more: object = {}): void {
        const frame = { v: 1, user: "alice", session: 1, resume: "token", cid: "c", ping: 15 };
        this.receive({ op: "hello", ...frame, ...more });
    }

    /** From the open socket to the server's hello. */
    greet(more: object = {}): void {
        this.opened();
        this.hello(more);
    }

    /** A bench that is on line. */
    static online(options?: Partial<ConnectionOptions>): Bench {
        const bench = new Bench(options);
        bench.step({ type: "start" });
        bench.greet();
        bench.written();
        return bench;
    }

    /** A bench that is a member of the room, at the given cursor. */
    static joined(at: [number, number] = [7, 20], more: Partial<JoinedFrame> = {}): Bench {
        const bench = Bench.online();
        bench.ask("join");
        bench.receive(joined(at, { i: 1, ...more }));
        bench.written();
        return bench;
    }

    /** Makes a request of the app and returns its id. */
    ask(type: AppRequest["type"], details: Details = {}): number {
        const id = ++this.#lastId;
        const { q = room, m = "chat", k, d, ifSeq, before, ...rest } = details;
        if (type !== "send" && type !== "set" && type !== "history") {
            this.step({ type, id, q });
            return id;
        }
        const fields = { m, ...(k !== undefined && { k }), if: ifSeq, before };
        const waitMs = type === "set" && ifSeq === undefined ? Infinity : 30_000;
        const payload = d === undefined ? undefined : JSON.stringify(d);
        this.step({ type, id, q, fields, d: payload, volatile: false, waitMs, ...rest });
        return id;
    }

    send(text: unknown, details: Details = {}): number {
        return this.ask("send", { d: text, ...details });
    }

    set(k: string, d: unknown, details: Details = {}): number {
        return this.ask("set", { m: "scores", k, d, ...details });
    }

    /** Returns the one verdict on `id`, or undefined; more than one is an error. */
    verdict(id: number): Verdict | undefined {
        const verdicts = this.verdicts.get(id) ?? [];
        if (verdicts.length > 1) {
            throw new Error(`${verdicts.length} verdicts on ${id}: ${JSON.stringify(verdicts)}`);
        }
        return verdicts[0];
    }

    /** Returns `outcome code` of a failure, `ok` of a success, `open` of neither. */
    outcome(id: number): string {
        const verdict = this.verdict(id);
        if (!verdict) {
            return "open";
        }
        return "failed" in verdict ? `${verdict.failed.outcome} ${verdict.failed.code}` : "ok";
    }
}

export function joined(at: [number, number], more: Partial<JoinedFrame> = {}): JoinedFrame {
    return { op: "joined", q: room, member: true, at, ...more };
}

export function chat(seq: number, d: unknown = {}, more: object = {}): ServerFrame {
    return { op: "msg", q: room, m: "chat", seq, from: "bob", t: 5, d, ...more };
}
