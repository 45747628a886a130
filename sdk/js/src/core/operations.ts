/**
 * The open requests of this client to one queue: gives out numbers, sends, repeats, remembers until
 * there is a verdict. Which verdict means what for the membership is decided in queue.ts.
 *
 * Owns:       what waits, what was sent, and the op numbers in the present life (`inc`) of the
 *             queue.
 * Invariants: numbers are given out without a hole, in the order of the first sending, at most
 *             `windowCount` from the oldest open one on; a number once sent is only ever that
 *             operation or its withdrawal. What leaves here has got its one verdict.
 * Source:     GUARANTEES sections 2, 5.1 (what the queue answers), 5.2 (what a client does).
 */
import * as codes from "../codes.ts";
import type { Outcome } from "../errors.ts";
import { type ErrFrame, windowCount } from "../wire.ts";
import type { Context, RequestId } from "./messages.ts";
import { isReplacedBy, nextAttempt, type Operation, takesNumber, takesPlace } from "./operation.ts";

/** First repetition of what got no answer; doubles up to the most. */
export const repeatMs = 3_000;
export const repeatMaxMs = 15_000;
/** The shortest wait where the server asks for another try; doubles as well, up to the same. */
export const pushBackMs = 100;
/** The oldest open operation follows what the queue has seen; more than a few holes are a fault. */
const holesMax = 4;

/** What a queue uses of the rest of the core. */
export interface Line {
    /** May requests be written? */
    readonly up: boolean;
    /** Those that were not sent yet, too? Not while a new cid is under way, and not at the end. */
    readonly takesNew: boolean;
    write(text: string, ctx: Context): void;
    nextI(): number;
    /** This client's cid has no record in a queue any more: take another one. */
    renew(): void;
}

export type NewOperation = Pick<Operation, "kind"> & Partial<Operation>;

/** `resuming`: it began, and goes on once the server has answered on the new connection. */
export type Stream = "none" | "resuming" | "live";

export class Operations {
    readonly #queue: string;
    readonly #line: Line;
    /** A leave had its turn, and there is no life of the queue that could be left. */
    readonly #onNothingToLeave: (op: Operation, ctx: Context) => void;
    /** How the stream of the queue stands; only a live one takes `send` and `set`. */
    stream: Stream = "none";

    /** The life that new operations name, 0 = not known; and the number of the next one. */
    #inc = 0;
    #next = 1;
    /** Nobody said whether the number before `next` was taken note of in this life. */
    #guessed = false;
    /** Up to here an unnamed life may have taken note of numbers: this one, or any later one. */
    #stray = 0;
    /** The next numbers of earlier lives, should the queue return to one. */
    readonly #counted = new Map<number, number>();
    /** Not sent yet, in the app's order. */
    #waiting: Operation[] = [];
    /** Sent and numbered, in the order of their numbers. */
    #pending: Operation[] = [];
    /** Without numbers. */
    #asks: Operation[] = [];

    #repeatAt = Infinity;
    #repeatWaitMs = repeatMs;
    /** How often all was put off since something was answered. */
    #pushBacks = 0;
    /** The queue asked to wait until `repeatAt`. */
    #held = false;

    constructor(
        queue: string,
        line: Line,
        onNothingToLeave: (op: Operation, ctx: Context) => void,
    ) {
        this.#queue = queue;
        this.#line = line;
        this.#onNothingToLeave = onNothingToLeave;
    }

    /** How many were sent and have no verdict. */
    get pendingCount(): number {
        return this.#pending.length;
    }

    get waitingCount(): number {
        return this.#waiting.length;
    }

    /** How many of the places for what waits are taken. */
    get placesTaken(): number {
        return this.#waiting.filter(takesPlace).length + this.#asks.length;
    }

    get deadline(): number {
        const expires = this.#unsent.map((op) => op.expiresAt);
        return Math.min(this.#line.up ? this.#repeatAt : Infinity, ...expires);
    }

    get #unsent(): Operation[] {
        return this.#all.filter(({ waits }) => waits);
    }

    // What comes in.

    add(op: NewOperation, ctx: Context): void {
        const added = this.make(op);
        // Only the newest value of a key waits; whoever set the older one shares its verdict.
        const older = this.#waiting.find((waiting) => isReplacedBy(waiting, added));
        if (older) {
            this.remove(older);
            added.ids.unshift(...older.ids);
        }
        (takesNumber(added) ? this.#waiting : this.#asks).push(added);
        this.flush(ctx);
        if (added.volatile && added.n === 0) {
            this.#failUnsent(added, ctx);
        }
    }

    /** The client's own wish, before all that waits. */
    addFirst(op: NewOperation, ctx: Context): void {
        this.#waiting.unshift(this.make(op));
        this.flush(ctx);
    }

    make(op: NewOperation): Operation {
        const i = this.#line.nextI();
        return {
            fields: {},
            volatile: false,
            expiresAt: Infinity,
            ids: [],
            order: i,
            ...op,
            i,
            n: 0,
            inc: 0,
            tries: 0,
            holes: 0,
            waits: true,
            late: false,
            withdrawn: false,
        };
    }

    /** Does it again as a new operation, in its old place; late answers to the old one are void. */
    reissue(op: Operation): void {
        this.remove(op);
        const later = this.#waiting.findIndex((other) => other.order > op.order);
        const place = later < 0 ? this.#waiting.length : later;
        this.#waiting.splice(place, 0, this.make(op));
    }

    // Who is there.

    /** The last request of these kinds that has no verdict, and whose verdict still counts. */
    openOf(...kinds: Operation["kind"][]): Operation | undefined {
        return this.#all
            .sort((a, b) => b.order - a.order)
            .find((op) => kinds.includes(op.kind) && !op.withdrawn && !op.late);
    }

    /** Those that no server has heard of. */
    unsentOf(...kinds: Operation["kind"][]): Operation[] {
        return this.#all.filter((op) => kinds.includes(op.kind) && op.tries === 0);
    }

    /** The one that an answer is for. */
    find(i: number | undefined): Operation | undefined {
        return this.#all.find((op) => op.i === i);
    }

    get #all(): Operation[] {
        return [...this.#asks, ...this.#pending, ...this.#waiting];
    }

    overtake(join: Operation): void {
        for (const op of this.#pending.slice(0, this.#pending.indexOf(join))) {
            op.late = true;
        }
    }

    remove(op: Pick<Operation, "ids">): void {
        const others = (ops: Operation[]) => ops.filter((other) => other !== op);
        this.#waiting = others(this.#waiting);
        this.#pending = others(this.#pending);
        this.#asks = others(this.#asks);
    }

    /** The app gave up `id`; where it is here, the verdict follows all the same. */
    withdraw(id: RequestId, ctx: Context): void {
        const op = this.#all.find(({ ids }) => ids.includes(id));
        if (!op?.fields.m) {
            return;
        }
        // The payload is that of the last one; the others' values were replaced by it.
        const own = op.ids.at(-1) === id;
        if (op.n === 0 && own) {
            this.takeBack(op, ctx);
        } else if (op.n === 0) {
            op.ids = op.ids.filter((other) => other !== id);
            this.takeBack({ ...op, ids: [id] }, ctx);
        } else if (own && !op.withdrawn) {
            op.withdrawn = true;
            if (this.#line.up) {
                this.transmit(op, ctx);
            }
        }
    }

    /** It was not sent, and will not be. */
    takeBack(op: Operation, ctx: Context): void {
        this.fail(op, "not-sent", codes.withdrawn, "withdrawn", ctx);
    }

    // What the connection and the clock say.

    online(ctx: Context): void {
        this.#repeat(ctx);
        this.flush(ctx);
    }

    offline(): void {
        if (this.stream === "live") {
            this.stream = "resuming";
        }
        this.#held = false;
        this.#repeatWaitMs = repeatMs;
        this.#pushBacks = 0;
        for (const op of this.#pending) {
            // What was to be now or never is asked back instead of coming late.
            op.withdrawn ||= op.volatile;
        }
        this.#asks.forEach((op) => (op.waits = true));
    }

    /** Nothing under the old cid gets a verdict any more. */
    identityLost(ctx: Context): void {
        const lost = this.#pending;
        this.#pending = [];
        this.#next = 1;
        this.#guessed = false;
        this.#stray = 0;
        this.#counted.clear();
        for (const op of lost) {
            if ((op.kind === "join" || op.kind === "leave") && !op.withdrawn) {
                this.reissue(op);
            } else {
                this.fail(op, "unknown", codes.expired, "the client is forgotten", ctx);
            }
        }
    }

    /** Ends what was not sent; with `withdraw`, what was sent is asked back. */
    giveUp(code: string, withdraw: boolean, ctx: Context): void {
        this.#endAll(this.#all.filter(({ n }) => !n), code, ctx);
        for (const op of withdraw ? this.#pending : []) {
            op.withdrawn = true;
        }
    }

    over(code: string, ctx: Context): void {
        this.#endAll(this.#all, code, ctx);
    }

    #endAll(ops: Operation[], code: string, ctx: Context): void {
        for (const op of ops) {
            this.fail(op, op.n ? "unknown" : "not-sent", code, "the client is closed", ctx);
        }
    }

    tick(ctx: Context): void {
        for (const op of this.#unsent.filter(({ expiresAt }) => expiresAt <= ctx.now)) {
            this.#failUnsent(op, ctx);
        }
        if (this.#line.up && ctx.now >= this.#repeatAt) {
            if (!this.#held) {
                this.#repeatWaitMs = Math.min(repeatMaxMs, 2 * this.#repeatWaitMs);
            }
            this.#held = false;
            this.#repeat(ctx);
            this.flush(ctx);
        }
    }

    // The life of the queue.

    /** The present life is `inc` (0 tells nothing); numbers count on, or begin. */
    bindTo(inc: number): void {
        if (inc === this.#inc || inc === 0) {
            return;
        }
        if (this.#inc !== 0) {
            this.#counted.set(this.#inc, this.#next);
            this.#guessed = false;
            this.#next = 1;
        }
        this.#inc = inc;
        this.#next = this.#counted.get(inc) ?? this.#next;
    }

    /**
     * A final answer has come: what does it tell of the life that the operation named? `joined`,
     * which has no code (""), tells most.
     */
    learnFrom(op: Operation, code?: string): void {
        if (op.n === 0) {
            return;
        }
        if (op.inc > 0) {
            this.#guessed &&= op.inc !== this.#inc;
        } else if (code === "") {
            this.#guessed = false;
            this.#next = Math.max(this.#next, op.n + 1);
        } else if (this.#inc > 0) {
            this.#guessed = false;
            this.#next = 1; // Or more: no-ops make sure.
        } else {
            // Where there is no queue, nobody took note; elsewhere the queue did.
            this.#guessed = code !== "M2001" && code !== "M2002";
            this.#next = op.n + +this.#guessed;
        }
        if (op.inc === 0 && (op.tries > 1 || (this.#inc > 0 && code !== ""))) {
            this.#stray = Math.max(this.#stray, op.n);
        }
        if (code === codes.gone) {
            this.#counted.delete(op.inc);
            if (op.inc === this.#inc) {
                this.#inc = 0; // The next one is told by `joined` or `reset`.
                this.#next = 1;
            }
        }
    }

    /**
     * M2011: the queue has no record of this client, or a number that was only guessed was wrong
     * and is 1.
     */
    expired(op: Operation, ctx: Context): void {
        if (!this.#guessed || op.n === 1 || (op.inc > 0 && op.inc !== this.#inc)) {
            this.#forgotten(ctx);
        } else {
            this.#guessed = false;
            this.#next = 1;
            if (op.withdrawn) {
                this.fail(op, "rejected", codes.withdrawn, "withdrawn", ctx); // Never counted.
            } else {
                this.reissue(op);
            }
        }
        this.flush(ctx);
    }

    /** No open number can be resolved any more. */
    #forgotten(ctx: Context): void {
        this.identityLost(ctx);
        this.#line.renew();
    }

    /** It was turned away, and goes again. */
    putOff(op: Operation, code: string, afterMs: number, ctx: Context): void {
        const oldest = this.#pending.find(({ inc }) => inc === op.inc);
        if (code === codes.hole && op === oldest && ++op.holes > holesMax) {
            this.#forgotten(ctx); // The queue misses numbers that are long decided here.
        } else {
            op.waits = op.n === 0;
            this.hold(afterMs, ctx);
        }
    }

    // Sending.

    /** Gives out numbers, in order, as far as the window and the state of the stream allow. */
    flush(ctx: Context): void {
        if (!this.#line.takesNew || this.#held) {
            return;
        }
        for (const op of this.#asks) {
            if (op.waits && !this.#mustWait(op)) {
                this.transmit(op, ctx);
            }
        }
        for (;;) {
            // Without a stream nothing goes before the join that begins it.
            const op =
                this.stream === "none"
                    ? this.#waiting.find(({ kind }) => kind === "join" || kind === "leave")
                    : this.#waiting[0];
            if (!op || (op.kind === "leave" && this.#mustWait(op))) {
                return;
            }
            if (op.kind === "leave" && this.#inc === 0 && !this.#isBinding()) {
                this.#onNothingToLeave(op, ctx);
                continue;
            }
            if (!this.#mayNumber(op)) {
                return;
            }
            // A join names the present life (0) unless numbers were given out in the known one.
            const isFirst = op.kind === "join" && this.#next === 1 && this.#stray === 0;
            const inc = isFirst ? 0 : this.#inc;
            // Where this life may know the number as another one's, a no-op makes sure.
            const withdrawn = inc > 0 && this.#next <= this.#stray;
            const next = withdrawn ? this.make({ kind: "send" }) : op;
            this.remove(next);
            next.withdrawn = withdrawn;
            next.inc = inc;
            next.n = this.#next++;
            this.#pending.push(next);
            this.transmit(next, ctx);
        }
    }

    /**
     * Of `listen` and what ends it each waits for the one before: without a number, one that was
     * turned away would be sent again behind the later one, and undo it. An unlisten waits for what
     * a resume brings, too: it does not end the stream of a member.
     */
    #mustWait({ kind, order }: Operation): boolean {
        const other = kind === "listen" ? "unlisten" : "listen";
        return kind === "history"
            ? this.stream !== "live"
            : (kind === "unlisten" && this.stream === "resuming") ||
                  this.#asks.some((op) => op.order < order && op.kind === other);
    }

    /** A join to the present life is under way; its answer tells which one that is. */
    #isBinding(): boolean {
        return this.#pending.some(({ inc }) => inc === 0);
    }

    #mayNumber(op: Operation): boolean {
        if (this.#isBinding()) {
            return false;
        }
        if (op.kind === "join" && (this.#next === 1 || this.#inc === 0)) {
            return true;
        }
        const oldest = this.#pending.find((open) => open.inc === this.#inc);
        if (oldest?.n === 1) {
            return false; // Were it overtaken, the queue would take us for one long forgotten.
        }
        const window = this.#guessed ? 1 : windowCount;
        const inWindow = this.#next - (oldest?.n ?? this.#next) < window;
        const ready = this.stream === "live" || op.kind === "join" || op.kind === "leave";
        return this.#inc !== 0 && inWindow && ready;
    }

    transmit(op: Operation, ctx: Context): void {
        op.waits = false;
        this.#line.write(nextAttempt(this.#queue, op), ctx);
        if (this.#repeatAt === Infinity) {
            this.#repeatAt = ctx.now + this.#repeatWaitMs;
        }
    }

    /** Sends everything with a number again, in order. Of asks a server forgets none. */
    #repeat(ctx: Context): void {
        this.#repeatAt = Infinity;
        this.#pending.forEach((op) => this.transmit(op, ctx));
    }

    /** Nothing new goes to this queue, and everything open goes again, after a wait. */
    hold(afterMs: number, ctx: Context): void {
        if (!this.#held) {
            const waitMs = Math.min(repeatMaxMs, pushBackMs * 2 ** this.#pushBacks++);
            this.#repeatAt = ctx.now + waitMs;
            this.#held = true;
        }
        this.#repeatAt = Math.max(this.#repeatAt, ctx.now + afterMs);
    }

    /** A request got its answer: the others have time again, and the window may have opened. */
    progress(ctx: Context): void {
        this.#pushBacks = 0;
        if (!this.#held) {
            this.#repeatWaitMs = repeatMs;
            this.#repeatAt = this.#pending.length > 0 ? ctx.now + repeatMs : Infinity;
        }
        this.flush(ctx);
    }

    // Verdicts.

    /** It is done, and leaves. */
    settle(op: Operation, value: unknown, ctx: Context): void {
        this.remove(op);
        this.tell(op.ids, value, ctx);
    }

    /** What was asked for needs no operation, or no longer. */
    tell(ids: readonly RequestId[], value: unknown, ctx: Context): void {
        for (const id of ids) {
            ctx.out.push({ type: "settle", id, value });
        }
    }

    fail(
        op: Pick<Operation, "kind" | "ids">,
        outcome: Outcome,
        code: string,
        why: string | undefined,
        ctx: Context,
        frame?: ErrFrame,
    ): void {
        this.remove(op);
        const message = frame?.message ?? `${op.kind} in ${this.#queue}: ${why ?? code}`;
        const failure = { outcome, code, message, current: frame?.current };
        for (const id of op.ids) {
            ctx.out.push({ type: "fail", id, failure });
        }
    }

    /** The queue is neither joined nor listened to. */
    refuse(op: Pick<Operation, "kind" | "ids">, ctx: Context): void {
        this.fail(op, "not-sent", codes.notMember, "join() or listen() first", ctx);
    }

    /** The stream has ended before they were sent. */
    refuseWaiting(ctx: Context): void {
        for (const op of this.#all.filter(({ n, kind }) => !n && !/listen/.test(kind))) {
            if (op.kind === "leave") {
                this.settle(op, undefined, ctx);
            } else {
                this.refuse(op, ctx);
            }
        }
    }

    #failUnsent(op: Operation, ctx: Context): void {
        const [code, why] = this.#line.up
            ? [codes.busy, "too much waits"]
            : [codes.notConnected, "no connection"];
        this.fail(op, "not-sent", code, why, ctx);
    }
}
