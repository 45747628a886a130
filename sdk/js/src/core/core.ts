/**
 * The client's state machine: takes events with their time, appends actions. No I/O, no clock, no
 * timer, no chance of its own; so a test drives it by hand, and a recorded run can be run again.
 *
 * Shape:      one Connection, one Queue for each name that was ever used.
 * Invariants: every request id gets exactly one `settle` or `fail`; frames of a socket that does
 *             not count any more change nothing.
 * In, out:    messages.ts.
 */
import * as codes from "../codes.ts";
import { type Cursor, frameBytesMax, type ServerFrame } from "../wire.ts";
import { Connection, type ConnectionOptions, type Session } from "./connection.ts";
import type { AppRequest, Context, Event } from "./messages.ts";
import type { Line } from "./operations.ts";
import { Queue } from "./queue.ts";

/** How many requests may wait for their turn, in all queues together; more end `not-sent`. */
export const waitingMaxOffline = 64;
export const waitingMaxOnline = 1024;
/** Room in a frame for what stands around the payload. */
const headBytes = 1024;

export class Core implements Session, Line {
    readonly #connection: Connection;
    readonly #queues = new Map<string, Queue>();
    #lastI = 0;
    #mustRenew = false;

    constructor(options: ConnectionOptions) {
        this.#connection = new Connection(options, this);
    }

    /** When the next `tick` is due; Infinity = never. */
    get deadline(): number {
        let due = this.#connection.deadline;
        this.#each(({ operations }) => (due = Math.min(due, operations.deadline)));
        return due;
    }

    get user(): string | undefined {
        return this.#connection.user;
    }

    get session(): number | undefined {
        return this.#connection.sessionNumber;
    }

    get closed(): boolean {
        return this.#connection.closed;
    }

    step(event: Event, ctx: Context): void {
        if ("q" in event) {
            this.#request(event, ctx);
        } else if (event.type === "ack") {
            if (this.up) {
                this.write(JSON.stringify({ op: "ack", n: event.n }), ctx);
            }
        } else if (event.type === "withdraw") {
            this.#each((queue) => queue.operations.withdraw(event.id, ctx));
        } else if (!("socket" in event) || this.#connection.owns(event.socket)) {
            this.#connection.step(event, ctx);
            if (event.type === "frame") {
                this.#route(event.frame, ctx);
            } else if (event.type === "tick") {
                this.#each((queue) => queue.operations.tick(ctx));
            }
        }
        if (this.#mustRenew && this.up && this.openCount() === 0) {
            this.#connection.step({ type: "renew" }, ctx);
        }
        this.#connection.finish(ctx);
    }

    #request(event: AppRequest, ctx: Context): void {
        const queue = this.#queue(event.q);
        const against = this.#reasonAgainst(event);
        if (against) {
            const { type: kind, id } = event;
            queue.operations.fail({ kind, ids: [id] }, "not-sent", ...against, ctx);
        } else if ("fields" in event) {
            const { type: kind, id, fields, d, volatile, waitMs } = event;
            const expiresAt = ctx.now + waitMs;
            queue.operate({ kind, ids: [id], fields, d, volatile, expiresAt }, ctx);
        } else {
            queue[event.type](event.id, ctx);
        }
    }

    /** Why a request cannot be taken at all: a code, and for people. */
    #reasonAgainst(event: AppRequest): [code: string, why: string] | undefined {
        if (!this.#connection.serving) {
            return [codes.clientClosed, "the client is closed"];
        }
        if (!("fields" in event)) {
            return undefined;
        }
        const size = new TextEncoder().encode(event.d).length;
        if (size > frameBytesMax - headBytes) {
            return [codes.tooBig, `${size} bytes are too many`];
        }
        // Values replace each other; their own bound only stops a flood of different keys.
        const isValue = event.type === "set" && event.fields.if === undefined;
        const limit = isValue || this.up ? waitingMaxOnline : waitingMaxOffline;
        let taken = 0;
        this.#each(({ operations }) => {
            taken += isValue ? operations.waitingCount : operations.placesTaken;
        });
        return taken >= limit ? [codes.busy, "too much waits"] : undefined;
    }

    #route(frame: ServerFrame | undefined, ctx: Context): void {
        if (!frame || !this.up) {
            return;
        }
        switch (frame.op) {
            case "ok":
            case "err":
            case "retry":
            case "refused":
            case "history":
                this.#each((queue) => queue.answer(frame, ctx));
                break;
            default:
                if (
                    frame.op === "msg" &&
                    frame.m === "mail" &&
                    frame.q === `/user/${this.user}`
                ) {
                    ctx.out.push({ type: "mail", frame });
                } else if ("q" in frame) {
                    this.#stream(frame, ctx);
                }
        }
    }

    #stream(frame: Extract<ServerFrame, { q: string }>, ctx: Context): void {
        const queue = frame.op === "joined" ? this.#queue(frame.q) : this.#queues.get(frame.q);
        const message = queue?.receive(frame, ctx);
        if (message !== undefined) {
            this.#connection.step({ type: "broken", message }, ctx);
        }
    }

    #queue(name: string): Queue {
        const queue = this.#queues.get(name) ?? new Queue(name, this);
        this.#queues.set(name, queue);
        return queue;
    }

    #each(act: (queue: Queue) => void): void {
        this.#queues.forEach(act);
    }

    // Session: what the connection asks.

    cursors(): Record<string, Cursor> {
        const since: Record<string, Cursor> = {};
        this.#each((queue) => {
            if (queue.cursor) {
                since[queue.name] = queue.cursor;
            }
        });
        return since;
    }

    openCount(): number {
        let count = 0;
        this.#each((queue) => (count += queue.operations.pendingCount));
        return count;
    }

    online(ctx: Context): void {
        this.#each((queue) => queue.operations.online(ctx));
    }

    offline(ctx: Context): void {
        this.#each((queue) => queue.offline(ctx));
    }

    identityLost(ctx: Context): void {
        this.#mustRenew = false;
        this.#each((queue) => queue.operations.identityLost(ctx));
    }

    giveUp(ctx: Context, code: string, withdraw: boolean): void {
        this.#each((queue) => queue.operations.giveUp(code, withdraw, ctx));
    }

    over(ctx: Context, code: string): void {
        this.#each((queue) => queue.operations.over(code, ctx));
    }

    // Line: what a queue asks.

    get up(): boolean {
        return this.#connection.up;
    }

    get takesNew(): boolean {
        return this.up && this.#connection.serving && !this.#mustRenew;
    }

    nextI(): number {
        return ++this.#lastI;
    }

    renew(): void {
        this.#mustRenew = true;
    }

    write(text: string, ctx: Context): void {
        this.#connection.write(text, ctx);
    }
}
