/** A client as somebody types it: JSON text frames over a WebSocket, or bytes over a socket. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { type ClientOptions, WebSocket } from "ws";
import type { Server } from "./server.ts";
import { Arrivals, within } from "./wait.ts";

export interface Frame {
    op: string;
    [field: string]: any;
}

/** How a WebSocket ended. */
export interface End {
    code: number;
    reason: string;
}

/** One WebSocket, frames in and out. */
export class Peer {
    readonly socket: WebSocket;
    readonly frames = new Arrivals<Frame>();
    readonly ended: Promise<End>;
    #lastRequest = 0;

    private constructor(socket: WebSocket) {
        this.socket = socket;
        socket.on("message", (bytes) => this.frames.push(JSON.parse(String(bytes))));
        socket.on("error", () => {}); // `close` follows.
        this.ended = once(socket, "close").then(([code, reason]) => {
            this.frames.end(new Error(`closed with ${code} ${reason}`));
            return { code: code as number, reason: String(reason) };
        });
    }

    /** Connects; ends with the running test. Offers permessage-deflate, unless `options` do not. */
    static async connect(
        server: Pick<Server, "webSocketUrl">,
        options: ClientOptions = {},
    ): Promise<Peer> {
        const peer = new Peer(new WebSocket(server.webSocketUrl, "muster.v1.json", options));
        onTestFinished(() => peer.socket.terminate());
        const failed = peer.ended.then(({ code }) => Promise.reject(new Error(`closed: ${code}`)));
        await within(Promise.race([once(peer.socket, "open"), failed]), "an open WebSocket");
        return peer;
    }

    /** Connects and says hello as a user of a server in --dev. */
    static async login(server: Server, user: string, more: object = {}): Promise<Peer> {
        const peer = await Peer.connect(server);
        peer.write({ op: "hello", v: [1], user, ...more });
        await peer.next("hello");
        return peer;
    }

    write(frame: object): void {
        this.text(JSON.stringify(frame));
    }

    text(text: string): void {
        this.socket.send(text);
    }

    /** Returns the first frame with this `op` and these fields that was not returned before. */
    next(op: string, fields: object = {}): Promise<Frame> {
        return this.frames.next((frame) => hasFields(frame, { op, ...fields }), `frame ${op}`);
    }

    /** Sends a request, numbered, and returns its answer. */
    ask(frame: object): Promise<Frame> {
        const i = ++this.#lastRequest;
        this.write({ i, ...frame });
        return this.frames.next((answer) => answer["i"] === i, `answer to ${JSON.stringify(frame)}`);
    }

    /** Returns how the server closed. */
    end(): Promise<End> {
        return within(this.ended, () => `a close; came: ${JSON.stringify(this.frames.all)}`);
    }
}

function hasFields(frame: Frame, fields: object): boolean {
    return Object.entries(fields).every(
        ([name, value]) => JSON.stringify(frame[name]) === JSON.stringify(value),
    );
}

/** A bare TCP connection to the client port. */
export class Raw {
    readonly socket: Socket;
    readonly ended: Promise<void>;
    #bytes = Buffer.alloc(0);
    #hasEnded = false;

    private constructor(address: string) {
        const [host, port] = address.split(":") as [string, string];
        this.socket = connect(Number(port), host);
        this.socket.on("error", () => {});
        this.socket.on("data", (bytes) => {
            this.#bytes = Buffer.concat([this.#bytes, bytes]);
        });
        this.ended = once(this.socket, "close").then(() => {
            this.#hasEnded = true;
        });
    }

    /** Connects; ends with the running test. */
    static async connect(address: string): Promise<Raw> {
        const raw = new Raw(address);
        onTestFinished(() => void raw.socket.destroy());
        await within(once(raw.socket, "connect"), "a TCP connection");
        return raw;
    }

    /** Connects and upgrades to a WebSocket, with headers as upgradeRequest() has them. */
    static async upgraded(address: string, change: Record<string, string> = {}): Promise<Raw> {
        const raw = await Raw.connect(address);
        raw.write(upgradeRequest(address, change));
        await raw.read("\r\n\r\n");
        if (!raw.text.startsWith("HTTP/1.1 101 ")) {
            throw new Error(`no upgrade: ${raw.text}`);
        }
        raw.#bytes = Buffer.alloc(0);
        return raw;
    }

    get text(): string {
        return this.#bytes.toString("latin1");
    }

    write(bytes: string | Uint8Array): void {
        this.socket.write(bytes);
    }

    /** Waits until the received text has `part`. */
    async read(part: string): Promise<string> {
        const missing = () => `${JSON.stringify(part)}; came: ${JSON.stringify(this.text)}`;
        while (!this.text.includes(part)) {
            if (this.#hasEnded) {
                throw new Error(`closed without ${missing()}`);
            }
            await within(Promise.race([once(this.socket, "data"), this.ended]), missing);
        }
        return this.text;
    }

    /** Waits for the server's close; returns all that came. */
    async rest(): Promise<string> {
        await within(this.ended, () => `a close; came: ${JSON.stringify(this.text)}`);
        return this.text;
    }

    /** Waits for the server's close; returns the status code of the answer, 0 without one. */
    async status(): Promise<number> {
        return Number(/^HTTP\/1\.1 (\d{3}) /.exec(await this.rest())?.[1] ?? 0);
    }

    /** Waits for the server's close; returns the code of its WebSocket close frame, if any. */
    async closeCode(): Promise<number | undefined> {
        await this.rest();
        let at = 0;
        while (at + 2 <= this.#bytes.length) {
            const opcode = (this.#bytes[at] as number) & 0x0f;
            let length = (this.#bytes[at + 1] as number) & 0x7f;
            at += 2;
            if (length === 126) {
                length = this.#bytes.readUInt16BE(at);
                at += 2;
            } else if (length === 127) {
                length = Number(this.#bytes.readBigUInt64BE(at));
                at += 8;
            }
            if (opcode === 8) {
                return length >= 2 ? this.#bytes.readUInt16BE(at) : undefined;
            }
            at += length;
        }
        return undefined;
    }
}

/** The head of an upgrade; a header of `change` replaces ours, null takes it out. */
export function upgradeRequest(host: string, change: Record<string, string | null> = {}): string {
    const headers: Record<string, string | null> = {
        Host: host,
        Upgrade: "websocket",
        Connection: "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol": "muster.v1.json",
        ...change,
    };
    const lines = Object.entries(headers).filter(([, value]) => value !== null);
    return `GET /connect HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
}

/** A WebSocket frame of a client; `mask` false leaves it unmasked, `length` lies about it. */
export function clientFrame(
    opcode: number,
    payload: string | Uint8Array,
    { mask = true, fin = true, length = undefined as number | undefined } = {},
): Buffer {
    const bytes = Buffer.from(payload as string);
    const told = length ?? bytes.length;
    const head = [(fin ? 0x80 : 0) | opcode];
    const maskBit = mask ? 0x80 : 0;
    let extended = Buffer.alloc(0);
    if (told < 126) {
        head.push(maskBit | told);
    } else if (told < 65536) {
        head.push(maskBit | 126);
        extended = Buffer.alloc(2);
        extended.writeUInt16BE(told);
    } else {
        head.push(maskBit | 127);
        extended = Buffer.alloc(8);
        extended.writeBigUInt64BE(BigInt(told));
    }
    const key = Buffer.from([0x12, 0x34, 0x56, 0x78]);
    const body = mask ? bytes.map((byte, i) => byte ^ (key[i % 4] as number)) : bytes;
    return Buffer.concat([Buffer.from(head), extended, mask ? key : Buffer.alloc(0), body]);
}
