/** One request to one queue, from the app's call to its verdict. */
import type { Fields, RequestId } from "./messages.ts";

export type NumberedKind = "join" | "leave" | "send" | "set";
/** Requests without a number change nothing in the queue, so they may simply be asked again. */
export type AskKind = "listen" | "unlisten" | "history";

export interface Operation {
    readonly kind: NumberedKind | AskKind;
    /** Pairs the answer with it; the same in all attempts. */
    readonly i: number;
    /** Its place in the app's order. */
    readonly order: number;
    /** Who waits for the verdict. Empty: nobody any more, or it is the client's own. */
    ids: RequestId[];
    readonly fields: Partial<Fields>;
    /** The payload as JSON. */
    readonly d?: string | undefined;
    readonly volatile: boolean;
    /** While it has not been sent: when it ends `not-sent`. */
    readonly expiresAt: number;
    /** Its number among the operations of this client in this life of the queue; 0 = not sent. */
    n: number;
    /** The life of the queue that it was sent to; 0 = the present one. */
    inc: number;
    tries: number;
    /** How often the queue missed the number before it. */
    holes: number;
    /** Not sent on this connection, as there is no stream yet that it could be about. */
    waits: boolean;
    /** A join that was sent later has been answered: it ends and begins nothing any more. */
    late: boolean;
    /** It is sent as a no-op: whichever copy the queue sees first decides. */
    withdrawn: boolean;
}

export function takesNumber({ kind }: Operation): boolean {
    return !/listen|history/.test(kind);
}

/** Nothing but the newest value of a key counts, unless the app made it conditional. */
export function isReplacedBy(older: Operation, newer: Operation): boolean {
    return (
        older.kind === "set" &&
        newer.kind === "set" &&
        older.fields.m === newer.fields.m &&
        older.fields.k === newer.fields.k &&
        older.fields.if === undefined &&
        newer.fields.if === undefined
    );
}

/** Counts against the limit of what may wait: all but values of which only the newest waits. */
export function takesPlace(op: Operation): boolean {
    return op.kind === "send" || (op.kind === "set" && op.fields.if !== undefined);
}

/** Returns the frame of the next attempt and counts it. */
export function nextAttempt(queue: string, op: Operation): string {
    op.tries++;
    const numbers = op.n > 0 ? { n: op.n, inc: op.inc, try: op.tries } : {};
    const head = { op: op.withdrawn ? "withdraw" : op.kind, i: op.i, ...numbers, q: queue };
    if (op.withdrawn) {
        return JSON.stringify(head);
    }
    const text = JSON.stringify({ ...head, ...op.fields });
    return op.d === undefined ? text : `${text.slice(0, -1)},"d":${op.d}}`;
}
