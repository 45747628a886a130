/**
 * The contract of the core: the events that it takes, the actions that it asks for.
 *
 * The core is a deterministic state machine: the same events at the same times with the same chance
 * give the same actions. It opens no socket, reads no clock, sets no timer. All times are
 * milliseconds on a clock that never goes back and means nothing outside this process.
 */
import type { Failure } from "../errors.ts";
import type { JoinedFrame, MsgFrame, ServerFrame } from "../wire.ts";

/** Time and chance, and where to put what must be done. */
export interface Context {
    /** The present time in ms. */
    readonly now: number;
    /** Returns a number in [0, 1) from real entropy; 32 bits of it. */
    random(): number;
    readonly out: Action[];
}

/** Pairs an answer with what the app asked; made by the shell. */
export type RequestId = number;

/** Mount, key and conditions, as they stand in the frame. */
export interface Fields {
    m: string;
    k?: string;
    if?: number | undefined;
    before?: number | undefined;
}

export type AppRequest =
    | { type: "join" | "leave" | "listen" | "unlisten"; id: RequestId; q: string }
    | {
          type: "send" | "set" | "history";
          id: RequestId;
          q: string;
          fields: Fields;
          /** The payload as JSON, taken when the app called. Absent in a `set`: delete the key. */
          d?: string | undefined;
          /** Send it at once or not at all. */
          volatile: boolean;
          /** How long it may wait for its turn, else it ends `not-sent`; Infinity = for ever. */
          waitMs: number;
      };

export type Event =
    | AppRequest
    | { type: "start" }
    /** The gateways from the next attempt on: a name may have got other addresses. */
    | { type: "gateways"; urls: readonly string[] }
    /** Some time has passed: {@link Core.deadline} is due. */
    | { type: "tick" }
    /** The network or the page is back. `slept`: the timers stood still meanwhile. */
    | { type: "wake"; slept: boolean }
    | { type: "token"; request: number; token: string; livesMs?: number | undefined }
    | { type: "tokenFailed"; request: number; message: string }
    | { type: "opened"; socket: number }
    /** `frame` is undefined for bytes that are no frame. */
    | { type: "frame"; socket: number; frame: ServerFrame | undefined }
    | { type: "gone"; socket: number; code: number; reason: string }
    /** The app gave up waiting for `id`. */
    | { type: "withdraw"; id: RequestId }
    /** The app has taken all mail up to number `n`. */
    | { type: "ack"; n: number }
    | { type: "close" };

export type StatusState = "connecting" | "online" | "resuming" | "offline" | "closed";

/**
 * How the client stands with the server.
 * - `connecting`: the first sign-in is under way
 * - `online`: signed in; requests are answered
 * - `resuming`: the connection was lost and another one is being made
 * - `offline`: waiting to try again, in `retryInMs`
 * - `closed`: for good; `reason` says why, or is absent after `close()`
 */
export interface Status {
    readonly state: StatusState;
    readonly reason?: { readonly code: string; readonly message: string } | undefined;
    readonly retryInMs?: number;
}

export type Action =
    | { type: "open"; socket: number; url: string }
    | { type: "write"; socket: number; text: string }
    | { type: "shut"; socket: number; code: number; reason: string }
    | { type: "fetchToken"; request: number }
    | { type: "status"; status: Status }
    /** The one verdict on `id`. */
    | { type: "settle"; id: RequestId; value: unknown }
    | { type: "fail"; id: RequestId; failure: Failure }
    /** `again`: the stream goes on after an interruption, it does not begin. */
    | { type: "joined"; q: string; frame: JoinedFrame; again: boolean }
    /** An event of a queue, in order, without holes. */
    | { type: "stream"; frame: Extract<ServerFrame, { q: string }> }
    | { type: "left"; q: string; why: string }
    | { type: "mail"; frame: MsgFrame };
