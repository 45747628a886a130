/** A client of `muster.v1.proto`, over WebSocket or plain TCP. Frames are shown as those of JSON. */
import { once } from "node:events";
import { connect } from "node:net";
import { proto } from "@muster/client/proto";
import { onTestFinished } from "vitest";
import { WebSocket } from "ws";
import type { Frame } from "./peer.ts";
import type { Server } from "./server.ts";
import { Arrivals, within } from "./wait.ts";

export class ProtoPeer {
    readonly frames = new Arrivals<Frame>();
    /** Sends one message, framed. */
    readonly send: (message: Uint8Array) => void;
    #lastRequest = 0;

    private constructor(send: (message: Uint8Array) => void) {
        this.send = send;
    }

    /** Connects over WebSocket; ends with the running test. */
    static async overWebSocket(server: Server): Promise<ProtoPeer> {
        const socket = new WebSocket(server.webSocketUrl, "muster.v1.proto");
        onTestFinished(() => socket.terminate());
        const peer = new ProtoPeer((message) => socket.send(message));
        socket.on("message", (bytes: Buffer) => peer.#take(bytes));
        socket.on("error", () => {});
        socket.on("close", (code) => peer.frames.end(new Error(`closed with ${code}`)));
        await within(once(socket, "open"), "an open WebSocket");
        return peer;
    }

    /** Connects over plain TCP; ends with the running test. */
    static async overTcp(server: Server): Promise<ProtoPeer> {
        const [host, port] = server.client.split(":") as [string, string];
        const socket = connect(Number(port), host);
        onTestFinished(() => void socket.destroy());
        const peer = new ProtoPeer((message) => {
            const length = Buffer.alloc(4);
            length.writeUInt32BE(message.length);
            socket.write(Buffer.concat([length, message]));
        });
        let came = Buffer.alloc(0);
        socket.on("data", (bytes: Buffer) => {
            came = Buffer.concat([came, bytes]);
            while (came.length >= 4 && came.length >= 4 + came.readUInt32BE(0)) {
                const end = 4 + came.readUInt32BE(0);
                peer.#take(came.subarray(4, end));
                came = came.subarray(end);
            }
        });
        socket.on("error", () => {});
        socket.on("close", () => peer.frames.end(new Error("closed")));
        await within(once(socket, "connect"), "a TCP connection");
        return peer;
    }

    /** Says hello as a user of a server in --dev, and waits for the answer. */
    async login(user: string): Promise<this> {
        this.write({ op: "hello", v: [1], user });
        await this.next("hello");
        return this;
    }

    write(frame: object): void {
        this.send(proto.encode(JSON.stringify(frame)) as Uint8Array);
    }

    /** Returns the first frame with this `op` that was not returned before. */
    next(op: string): Promise<Frame> {
        return this.frames.next((frame) => frame.op === op, `frame ${op}`);
    }

    /** Sends a request, numbered, and returns its answer. */
    ask(frame: object): Promise<Frame> {
        const i = ++this.#lastRequest;
        this.write({ i, ...frame });
        return this.frames.next((answer) => answer["i"] === i, `answer to ${JSON.stringify(frame)}`);
    }

    #take(bytes: Buffer): void {
        this.frames.push(proto.decode(Uint8Array.from(bytes).buffer) as unknown as Frame);
    }
}
