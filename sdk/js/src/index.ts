/** `@muster/client`: a client of Muster for browsers and Node. */
export { Client, type ClientEvents, type ConnectOptions, connect } from "./client.ts";
export type { Status, StatusState } from "./core/messages.ts";
export { MusterError, type Outcome } from "./errors.ts";
export type { Mail } from "./mailbox.ts";
export type { Members, MembersChange, SetOptions, StateMount } from "./mirror.ts";
export type {
    Gap,
    Joined,
    MessageEvent,
    MessageMount,
    Queue,
    QueueEvents,
    RequestOptions,
    SendResult,
} from "./queue.ts";
export type { Codec, WebSocketConstructor, WebSocketLike } from "./socket.ts";
export type { Cursor, MemberInfo, Resume } from "./wire.ts";
