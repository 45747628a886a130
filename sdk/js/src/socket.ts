/** The sockets of a client, by the numbers that the core gives them. Decides nothing. */
import type { Event } from "./core/messages.ts";
import { type ServerFrame, subprotocol } from "./wire.ts";

/** What is used of a WebSocket: the browser's, Node's (from 22 on) and that of `ws` all fit. */
export interface WebSocketLike {
    onopen: ((event: never) => void) | null;
    onmessage: ((event: never) => void) | null;
    onclose: ((event: never) => void) | null;
    onerror: ((event: never) => void) | null;
    send(data: string | Uint8Array<ArrayBuffer>): void;
    close(code?: number, reason?: string): void;
    binaryType?: unknown;
}

/** How frames are written: JSON, or that of `@muster/client/proto`. */
export interface Codec {
    readonly subprotocol: string;
    /** Turns a frame, as JSON, into what a WebSocket sends. */
    encode(json: string): string | Uint8Array<ArrayBuffer>;
    /** Turns back what a WebSocket received. Throws where that is no frame. */
    decode(data: unknown): ServerFrame;
}

export const json: Codec = {
    subprotocol,
    encode: (text) => text,
    decode: (data) => JSON.parse(data as string),
};

export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;

type SocketEvent = Extract<Event, { type: "opened" | "frame" | "gone" }>;

/** The path of the server's WebSocket, where the app named only a host. */
const defaultPath = "/connect";

/** `https://host` -> `wss://host/connect`. Errors: TypeError for what is no URL. */
export function endpoint(text: string): string {
    const url = new URL(text);
    url.protocol = url.protocol.replace("http", "ws");
    url.hash = "";
    if (url.pathname === "/") {
        url.pathname = defaultPath;
    }
    return url.href;
}

export class Sockets {
    readonly #open_ = new Map<number, WebSocketLike>();
    readonly #constructor_: WebSocketConstructor;
    readonly #tell: (event: SocketEvent) => void;
    readonly #codec: Codec;

    constructor(
        constructor_: WebSocketConstructor,
        tell: (event: SocketEvent) => void,
        codec: Codec = json,
    ) {
        this.#constructor_ = constructor_;
        this.#tell = tell;
        this.#codec = codec;
    }

    open(socket: number, url: string): void {
        const gone = (code: number, reason: string) => {
            if (this.#open_.delete(socket)) {
                this.#tell({ type: "gone", socket, code, reason });
            }
        };
        let made: WebSocketLike;
        try {
            made = new this.#constructor_(url, [this.#codec.subprotocol]);
            made.binaryType = "arraybuffer";
        } catch (error) {
            this.#tell({ type: "gone", socket, code: 1006, reason: String(error) });
            return;
        }
        this.#open_.set(socket, made);
        let opened = false;
        made.onopen = () => {
            opened = true;
            this.#tell({ type: "opened", socket });
        };
        made.onmessage = (event: { data: unknown }) => {
            if (this.#open_.has(socket)) {
                this.#tell({ type: "frame", socket, frame: this.#frameOf(event.data) });
            }
        };
        made.onclose = (event: { code: number; reason: string }) => gone(event.code, event.reason);
        // Mostly `close` follows; in Node 22 not where it never opened.
        made.onerror = () => opened || gone(1006, "");
    }

    write(socket: number, text: string): void {
        try {
            this.#open_.get(socket)?.send(this.#codec.encode(text));
        } catch {
            // It is closing; its `close` will come.
        }
    }

    /** Closes and forgets it: nothing that it still says is told. */
    shut(socket: number, code: number, reason: string): void {
        const closing = this.#open_.get(socket);
        this.#open_.delete(socket);
        try {
            closing?.close(code, reason);
        } catch {
            closing?.close(4000, reason); // Browsers let a page use 1000 and 3000 to 4999 only.
        }
    }

    #frameOf(data: unknown): Extract<SocketEvent, { type: "frame" }>["frame"] {
        try {
            const frame = this.#codec.decode(data);
            return typeof frame?.op === "string" ? frame : undefined;
        } catch {
            return undefined;
        }
    }
}
