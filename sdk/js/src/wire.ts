/**
 * The frames of `muster.v1.json`: one JSON object in each text frame of the WebSocket.
 *
 * Times (`t`) are milliseconds since 1970 by the server's clock; waits (`after_ms`, `spread_ms`,
 * `retry_ms`) are milliseconds, `ping` is seconds. A frame whose `op` is not known is ignored, so
 * that an older client can talk to a younger server.
 */

/** The WebSocket subprotocol that this client speaks. */
export const subprotocol = "muster.v1.json";
/** The version that `hello` agrees on. */
export const version = 1;
/** The server closes a connection that sends a longer frame (M1029). */
export const frameBytesMax = 64 * 1024;
/** How many operations of one client may be open in one queue (W in the guarantees). */
export const windowCount = 32;

/**
 * Where a reader stands in a queue. `inc` is one unbroken life of the queue, `seq` the place of the
 * last event seen in it. Compared as a pair; a bigger `inc` is younger.
 */
export type Cursor = readonly [inc: number, seq: number];

/** What a (re)join says of one mount. `gap 18..25`: these places of the queue cannot be had. */
export type Resume = "fresh" | "snapshot" | `replayed ${number}` | `gap ${number}..${number}`;

export interface HelloFrame {
    op: "hello";
    v: number;
    user: string;
    session: number;
    /** Both are left out where only verdicts are asked for, and `ping` is 0 there. */
    resume?: string;
    cid?: string;
    ping?: number;
}

export interface MountSnapshot {
    type: "message" | "state";
    /** State mounts: every key with its value. */
    value?: Record<string, unknown>;
    /** The same for values that are not JSON, as base64. */
    valueb?: Record<string, string>;
}

export interface JoinedFrame {
    op: "joined";
    i?: number;
    q: string;
    member: boolean;
    at: Cursor;
    resume?: Record<string, Resume>;
    mounts?: Record<string, MountSnapshot>;
    members?: number;
    who?: Record<string, MemberInfo>;
}

/** What the queue tells of a member; `online: false` while away. Anything else is the backend's. */
export interface MemberInfo {
    online?: boolean;
    [more: string]: unknown;
}

export interface MsgFrame {
    op: "msg";
    q: string;
    m: string;
    seq?: number;
    /** The `seq` that this event follows, where that is not `seq - 1`. */
    prev?: number;
    from?: string;
    t?: number;
    d?: unknown;
    /** Payloads that are not JSON, as base64. */
    b?: string;
    /** Mail only: its number if it is reliable and waits for an `ack`. */
    n?: number;
}

export interface StateFrame {
    op: "state";
    q: string;
    m: string;
    seq: number;
    prev?: number;
    set?: Record<string, unknown>;
    /** The same for values that are not JSON, as base64. */
    setb?: Record<string, string>;
    del?: string[];
}

/** A mount came (with its type) or went (null). */
export interface MountFrame {
    op: "mount";
    q: string;
    m: string;
    seq: number;
    prev?: number;
    type: "message" | "state" | null;
}

export interface MembersFrame {
    op: "members";
    q: string;
    seq?: number;
    prev?: number;
    set?: Record<string, MemberInfo>;
    /** User to the reason why: `left`, `timeout`, `kicked`. */
    del?: Record<string, string>;
    count?: number;
}

export interface OkFrame {
    op: "ok";
    i?: number;
    seq?: number;
}

export interface ErrFrame {
    op: "err";
    i?: number;
    code: string;
    message?: string;
    outcome?: "rejected" | "unknown";
    /** M3009: the `seq` at which the key last changed, 0 = it is not there. */
    current?: number;
}

export interface RetryFrame {
    op: "retry";
    i: number;
    code: string;
    after_ms?: number;
}

export interface RefusedFrame {
    op: "refused";
    i: number;
    try: number;
    code: string;
}

export interface GapFrame {
    op: "gap";
    q: string;
    m: string;
    from: number;
    to: number;
}

export interface StalledFrame {
    op: "stalled";
    q: string;
    on: boolean;
}

export interface LeftFrame {
    op: "left";
    q: string;
    why: string;
}

export interface ResetFrame {
    op: "reset";
    q: string;
    at: Cursor;
    why: "gone" | "deleted" | "behind" | "unknown";
    mounts?: Record<string, MountSnapshot>;
    members?: number;
    who?: Record<string, MemberInfo>;
}

export interface ByeFrame {
    op: "bye";
    code: string;
    message?: string;
    /** There: the gateway will go; leave it at a random time within. Else: it closes now. */
    spread_ms?: number;
    /** Do not come back sooner. */
    retry_ms?: number;
}

export interface HistoryFrame {
    op: "history";
    i: number;
    items: Omit<MsgFrame, "op" | "q" | "m">[];
    /** Older ones are still there. */
    more?: boolean;
}

export type ServerFrame =
    | HelloFrame
    | JoinedFrame
    | MsgFrame
    | StateFrame
    | MembersFrame
    | OkFrame
    | ErrFrame
    | RetryFrame
    | RefusedFrame
    | GapFrame
    | StalledFrame
    | LeftFrame
    | ResetFrame
    | ByeFrame
    | HistoryFrame
    | MountFrame
    | { op: "ping" }
    | { op: "pong" };
