/** A WebSocket whose other end is the test. */
import type { WebSocketConstructor, WebSocketLike } from "../socket.ts";
import type { ServerFrame } from "../wire.ts";
import type { Written } from "./bench.ts";

export class FakeWebSocket implements WebSocketLike {
    onopen: ((event: never) => void) | null = null;
    onmessage: ((event: never) => void) | null = null;
    onclose: ((event: never) => void) | null = null;
    onerror: ((event: never) => void) | null = null;
    readonly sent: string[] = [];
    readonly closed: [number | undefined, string | undefined][] = [];
    /** Throws for close codes that a page may not use. */
    likeBrowser = false;
    readonly url: string;
    readonly protocols: string[];

    constructor(url: string, protocols: string[]) {
        this.url = url;
        this.protocols = protocols;
    }

    send(text: string): void {
        this.sent.push(text);
    }

    close(code?: number, reason?: string): void {
        if (this.likeBrowser && code !== undefined && code !== 1000 && code < 3000) {
            throw new DOMException("not for pages", "InvalidAccessError");
        }
        this.closed.push([code, reason]);
    }

    /** The frames that the client wrote since the last call. */
    written(): Written[] {
        return this.sent.splice(0).map((text) => JSON.parse(text));
    }

    accept(): void {
        this.onopen?.({} as never);
    }

    deliver(data: unknown): void {
        this.onmessage?.({ data } as never);
    }

    receive(...frames: ServerFrame[]): void {
        for (const frame of frames) {
            this.deliver(JSON.stringify(frame));
        }
    }

    drop(code = 1006, reason = ""): void {
        this.onerror?.({} as never);
        this.onclose?.({ code, reason } as never);
    }

    hello(more: object = {}): void {
        const frame = { v: 1, user: "alice", session: 1, resume: "token", cid: "c", ping: 15 };
        this.receive({ op: "hello", ...frame, ...more });
    }

    /** Returns a constructor and the list of what it makes. */
    static collect(): { constructor_: WebSocketConstructor; sockets: FakeWebSocket[] } {
        const sockets: FakeWebSocket[] = [];
        class Collected extends FakeWebSocket {
            constructor(url: string, protocols: string[]) {
                super(url, protocols);
                sockets.push(this);
            }
        }
        return { constructor_: Collected, sockets };
    }
}
