/** Plays the server's side of a transcript for a client, and checks what that says and tells its app. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { type Client, connect, MusterError, type Queue } from "@muster/client";
import { WebSocket, WebSocketServer } from "ws";
import {
    difference,
    expectAll,
    filled,
    groupsOf,
    type Line,
    Names,
    type Pattern,
    patternOf,
    type Transcript,
} from "./conformance_script.ts";
import type { Frame } from "./peer.ts";
import { plainEnvironment } from "./server.ts";
import { Arrivals, within } from "./wait.ts";

/** What an app asks of a client: `{"do":"send","id":2,"q":"/room/1","m":"chat","d":1}`. */
export interface Command {
    do: string;
    id?: number;
    url?: string;
    user?: string;
    tokens?: string[];
    q?: string;
    m?: string;
    k?: string;
    d?: unknown;
    if?: number;
    before?: number;
}

/** An app with the client under test in it. */
export interface App {
    /** What the client tells it: `{"id":2,"outcome":"ok","seq":21}`, `{"on":"msg",…}`. */
    readonly told: Arrivals<object>;
    do(command: Command): void;
    end(): Promise<void>;
}

/** An app that uses `@muster/client`. */
export class SdkApp implements App {
    readonly told = new Arrivals<object>();
    #client: Client | undefined;
    readonly #queues = new Map<string, Queue<{ chat: unknown }, { board: unknown }>>();
    readonly #controls = new Map<number, AbortController>();

    do(command: Command): void {
        const { id = 0 } = command;
        if (command.do === "connect") {
            this.#connect(command);
        } else if (command.do === "close") {
            void (this.#client as Client).close();
        } else if (command.do === "give up") {
            this.#controls.get(id)?.abort();
        } else {
            this.#request(command).then(
                (more) => this.told.push({ id, outcome: "ok", ...more }),
                (error: unknown) => {
                    if (!(error instanceof MusterError)) {
                        throw error;
                    }
                    const { outcome, code, current } = error;
                    this.told.push({ id, outcome, code, current });
                },
            );
        }
    }

    async end(): Promise<void> {
        await within(Promise.resolve(this.#client?.close()), "the end of the client");
    }

    #connect({ url = "", user, tokens = [] }: Command): void {
        let taken = 0;
        const token = async () => tokens[Math.min(taken++, tokens.length - 1)] as string;
        const who = user === undefined ? { token } : { user };
        const client = connect(url, { WebSocket, ...who });
        client.on("status", ({ state, reason }) => {
            this.told.push({ on: "status", state, code: reason?.code });
        });
        client.on("joined", (_, { queue, member, at, resume }) => {
            this.told.push({ on: "joined", q: queue, member, at, resume });
        });
        client.on("mail", ({ n, data }) => void this.told.push({ on: "mail", n, d: data }));
        this.#client = client;
    }

    async #request({ do: what, id = 0, q = "", m, k = "", d, if: ifSeq, before }: Command): Promise<object | void> {
        const queue = this.#queue(q);
        const control = new AbortController();
        this.#controls.set(id, control);
        const options = { signal: control.signal, ...(ifSeq !== undefined && { ifSeq }) };
        switch (what) {
            case "join":
                await queue.join();
                return;
            case "listen":
                await queue.listen();
                return;
            case "leave":
                return await queue.leave();
            case "unlisten":
                return await queue.unlisten();
            case "send":
                return await queue.message(m as "chat").send(d, options);
            case "set":
                return d === undefined
                    ? await queue.state(m as "board").delete(k, options)
                    : await queue.state(m as "board").set(k, d, options);
            case "history": {
                const items = await queue.message(m as "chat").history(before);
                return { items: items.map(({ seq, data }) => ({ seq, d: data })) };
            }
            default:
                throw new Error(`an app cannot ${what}`);
        }
    }

    #queue(q: string): Queue<{ chat: unknown }, { board: unknown }> {
        const known = this.#queues.get(q);
        if (known) {
            return known;
        }
        const queue = (this.#client as Client).queue<{ chat: unknown }, { board: unknown }>(q);
        this.#queues.set(q, queue);
        const tell = (on: string, more: object) => this.told.push({ on, q, ...more });
        queue.message("chat").on(({ seq, from, data, base64 }) => {
            tell("msg", { m: "chat", seq, from, d: data, b: base64 });
        });
        queue.state("board").on("change", (k, d) => tell("state", { m: "board", k, d }));
        queue.members.on("change", ({ set, del }) => {
            Object.keys(set).forEach((user) => tell("member", { user, in: true }));
            Object.keys(del).forEach((user) => tell("member", { user, in: false, why: del[user] }));
        });
        queue.on("reset", ({ why }) => tell("reset", { why }));
        queue.on("left", ({ why }) => tell("left", { why }));
        queue.on("gap", ({ mount, from, to }) => tell("gap", { m: mount, from, to }));
        queue.on("stalled", (is) => tell("stalled", { is }));
        return queue;
    }
}

/** An app in another program: commands on its stdin, what it is told on its stdout, a line each. */
export class ProgramApp implements App {
    readonly told = new Arrivals<object>();
    readonly #process: ChildProcessByStdio<Writable, Readable, null>;

    constructor(command: string) {
        this.#process = spawn("sh", ["-c", `exec ${command}`], {
            stdio: ["pipe", "pipe", "inherit"],
            env: plainEnvironment(),
        });
        this.#process.stdin.on("error", () => {}); // It has ended; `told` says so.
        createInterface(this.#process.stdout).on("line", (line) => this.told.push(JSON.parse(line)));
        this.#process.on("close", (code) => {
            this.told.end(new Error(`${command} ended with ${code}`));
        });
    }

    do(command: Command): void {
        this.#process.stdin.write(`${JSON.stringify(command)}\n`);
    }

    async end(): Promise<void> {
        const ended = this.#process.exitCode !== null || once(this.#process, "close");
        this.#process.stdin.end();
        await within(Promise.resolve(ended), "the end of the client's program");
        if (this.#process.exitCode !== 0) {
            throw new Error(`the client's program ended with ${this.#process.exitCode}`);
        }
    }

    kill(): void {
        this.#process.kill("SIGKILL");
    }
}

function requestOf({ i: _, try: __, ...request }: Frame): string {
    return JSON.stringify(request);
}

/** One connection that the client has made. */
class Link {
    readonly socket: WebSocket;
    readonly frames = new Arrivals<Frame>();
    readonly closed: Promise<unknown>;
    #taken = 0;

    constructor(socket: WebSocket) {
        this.socket = socket;
        this.closed = once(socket, "close").then(([code]) => {
            this.frames.end(new Error(`the client closed with ${code}`));
        });
        socket.on("error", () => {});
        socket.on("message", (bytes) => this.frames.push(JSON.parse(String(bytes))));
    }

    /** Returns the next frame. The client's own pings are answered, and are no part of it. */
    async next(): Promise<Frame> {
        for (;;) {
            const place = this.#taken++;
            const frame = await this.frames.next(() => this.frames.all.length > place, "a frame");
            if (frame.op !== "ping") {
                return frame;
            }
            this.socket.send('{"op":"pong"}');
        }
    }

    /**
     * Was this request made on this connection before? Where a busy machine lets a client wait for
     * its answer for 3 s, it asks again.
     */
    isRepeated(frame: Frame): boolean {
        const first = this.frames.all.find((other) => requestOf(other) === requestOf(frame));
        return frame["i"] !== undefined && first !== frame;
    }

    get rest(): Frame[] {
        const rest = this.frames.all.slice(this.#taken);
        return rest.filter((frame) => frame.op !== "ping" && !this.isRepeated(frame));
    }
}

class Play {
    readonly #app: App;
    readonly #names = new Names();
    readonly #server: WebSocketServer;
    readonly #accepted = new Arrivals<Link>();
    #link_: Link | undefined;

    private constructor(app: App, server: WebSocketServer) {
        this.#app = app;
        this.#server = server;
        server.on("connection", (socket) => this.#accepted.push(new Link(socket)));
    }

    static async start(app: App): Promise<Play> {
        const server = new WebSocketServer({
            host: "127.0.0.1",
            port: 0,
            path: "/connect",
            handleProtocols: (offered) => offered.has("muster.v1.json") && "muster.v1.json",
        });
        await once(server, "listening");
        return new Play(app, server);
    }

    async group(group: Line[]): Promise<void> {
        const [line] = group as [Line];
        switch (line.sign) {
            case ">":
            case ">~": {
                const link = this.#link;
                const isRepeated = (frame: Frame) => link.isRepeated(frame);
                await expectAll(group, this.#names, () => link.next(), isRepeated);
                break;
            }
            case "<":
                this.#link.socket.send(JSON.stringify(filled(patternOf(line.rest), this.#names)));
                break;
            case "<!":
                this.#link.socket.send(line.rest);
                break;
            case "":
                await this.#word(line);
                break;
            default:
                throw new Error(`${line.sign} is no sign for a client's transcript`);
        }
    }

    async #word({ who: word, rest }: Line): Promise<void> {
        const command = () => filled(patternOf(rest), this.#names) as Command;
        switch (word) {
            case "start": {
                const { port } = this.#server.address() as AddressInfo;
                const url = `ws://127.0.0.1:${port}`;
                this.#app.do({ do: "connect", url, ...(filled(patternOf(rest), this.#names) as object) });
                break;
            }
            case "app":
                this.#app.do(command());
                break;
            case "told":
                await this.#told(patternOf(rest));
                break;
            case "untold": {
                const pattern = patternOf(rest);
                const told = this.#app.told.all.find((one) => !difference(pattern, one, this.#names));
                if (told) {
                    throw new Error(`the app was told ${JSON.stringify(told)}`);
                }
                break;
            }
            case "accept":
                this.#checkRest();
                this.#link_ = await this.#accepted.next(undefined, "another connection");
                break;
            case "close": {
                const [code, ...reason] = rest.split(" ");
                this.#link.socket.close(Number(code), reason.join(" "));
                await within(this.#link.closed, "the client's answer to a close");
                break;
            }
            case "cut":
                this.#link.socket.terminate();
                break;
            case "closed":
                await within(this.#link.closed, "the client's close");
                break;
            default:
                throw new Error(`"${word}" is no word of a transcript`);
        }
    }

    /** Waits until the app was told what fits and was not asked for before. */
    async #told(pattern: Pattern): Promise<void> {
        // The names are bound by the one that is taken.
        const fits = (one: object) => !difference(pattern, one, this.#names);
        await this.#app.told.next(fits, "that the app is told so");
    }

    get #link(): Link {
        if (!this.#link_) {
            throw new Error("no connection was accepted yet");
        }
        return this.#link_;
    }

    #checkRest(): void {
        const rest = this.#link_?.rest ?? [];
        if (rest.length > 0) {
            throw new Error(`the client said more: ${JSON.stringify(rest)}`);
        }
    }

    finish(): void {
        this.#checkRest();
        const more = this.#accepted.all.length;
        if (this.#link_ && this.#accepted.all.at(-1) !== this.#link_) {
            throw new Error(`the client made ${more} connections`);
        }
    }

    end(): void {
        for (const { socket } of this.#accepted.all) {
            socket.terminate();
        }
        this.#server.close();
    }
}

/** Plays a transcript. Errors: the client does otherwise; names the line. */
export async function playForClient(transcript: Transcript, app: App): Promise<void> {
    const play = await Play.start(app);
    try {
        for (const group of groupsOf(transcript.lines)) {
            try {
                await play.group(group);
            } catch (error) {
                const [line] = group as [Line];
                const { message } = error as Error;
                throw new Error(`line ${line.number}: ${line.text}\n${message.slice(0, 2000)}`);
            }
        }
        play.finish();
        await app.end();
    } finally {
        play.end();
    }
}
