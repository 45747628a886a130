/** Plays the clients' side of a transcript against a server, and checks what that says. */
import { createHmac, randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import { WebSocket } from "ws";
import {
    expectAll,
    filled,
    groupsOf,
    type Line,
    Names,
    patternOf,
    type Transcript,
} from "./conformance_script.ts";
import type { Frame } from "./peer.ts";
import { Arrivals, within } from "./wait.ts";

/** A server that a transcript can be played against. */
export interface ServerUnderTest {
    /** `ws://HOST:PORT/connect` */
    webSocketUrl: string;
    /** `http://HOST:PORT` */
    adminUrl: string;
    adminKey: string;
    /** The HS256 key of tokens of the kid "own". */
    tokenKey: string;
    /** Asks the server to end. */
    stop(): Promise<void>;
    /** Returns the server's next life, after it has died of a sudden. */
    restart(): Promise<ServerUnderTest>;
}

/** One WebSocket of the transcript. */
class Link {
    readonly socket: WebSocket;
    readonly frames = new Arrivals<Frame>();
    readonly closed: Promise<string>;
    /** How many of the frames were expected, or need not be. */
    #taken = 0;

    constructor(url: string) {
        this.socket = new WebSocket(url, "muster.v1.json");
        this.socket.on("message", (bytes) => this.frames.push(JSON.parse(String(bytes))));
        this.socket.on("error", () => {}); // `close` follows.
        this.closed = once(this.socket, "close").then(([code, reason]) => {
            const how = `${code} ${reason}`;
            this.frames.end(new Error(`closed with ${how}`));
            return how;
        });
    }

    /** Returns the next frame. Pings of a slow run are answered, and are no part of it. */
    async next(isPingWanted: boolean): Promise<Frame> {
        for (;;) {
            const place = this.#taken++;
            const frame = await this.frames.next(() => this.frames.all.length > place, "a frame");
            if (frame.op !== "ping" || isPingWanted) {
                return frame;
            }
            this.socket.send('{"op":"pong"}');
        }
    }

    /** Returns the frames that nobody expected, once the server has answered what was sent. */
    async rest(): Promise<Frame[]> {
        if (this.socket.readyState === WebSocket.OPEN) {
            this.socket.send('{"op":"ping"}');
            const unexpected: Frame[] = [];
            for (;;) {
                const frame = await this.next(false);
                if (frame.op === "pong") {
                    return unexpected;
                }
                unexpected.push(frame);
            }
        }
        return this.frames.all.slice(this.#taken).filter(({ op }) => op !== "ping");
    }

    /** Sends several frames in one piece, so that the server takes them in one. */
    send(texts: string[]): void {
        const { _socket: tcp } = this.socket as unknown as { _socket: Socket };
        tcp.cork();
        texts.forEach((text) => this.socket.send(text));
        tcp.uncork();
    }
}

/** Names that need no binding: rooms and users that no other transcript has, and their tokens. */
function given(server: ServerUnderTest): (name: string) => unknown {
    const run = randomBytes(4).toString("hex");
    const token = (user: string, claims: object, key = server.tokenKey) => {
        const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
        const now = Math.floor(Date.now() / 1000);
        const head = part({ alg: "HS256", typ: "JWT", kid: "own" });
        const body = part({ sub: user, iat: now, exp: now + 3600, ...claims });
        const signature = createHmac("sha256", key).update(`${head}.${body}`);
        return `${head}.${body}.${signature.digest("base64url")}`;
    };
    return (name) => {
        const [base, what] = name.split(".") as [string, string | undefined];
        const user = `${base}-${run}`;
        switch (what) {
            case "user":
                return user;
            case "token":
                return token(user, {});
            case "expired":
                return token(user, { iat: 1_600_000_000, exp: 1_600_003_600 });
            case "forged":
                return token(user, {}, "somebody else's key");
        }
        const text = /^text(\d+)k$/.exec(name)?.[1];
        if (text !== undefined) {
            return "x".repeat(Number(text) * 1024);
        }
        if (name === "closed") {
            return `/kit/closed/${run}`;
        }
        return /^room\d?$/.test(name) ? `/kit/${name}-${run}` : undefined;
    };
}

class Play {
    #server: ServerUnderTest;
    readonly #names: Names;
    readonly #links = new Map<string, Link>();

    constructor(server: ServerUnderTest) {
        this.#server = server;
        this.#names = new Names(given(server));
    }

    async group(group: Line[]): Promise<void> {
        const [line] = group as [Line];
        const frame = () => JSON.stringify(filled(patternOf(line.rest), this.#names));
        switch (line.sign) {
            case ">":
                this.#link(line.who).send([frame()]);
                break;
            case ">!":
                this.#link(line.who).send([this.#names.inText(line.rest, true)]);
                break;
            case "<":
            case "<~": {
                const link = this.#link(line.who);
                const isPing = line.rest.includes('"op":"ping"');
                await expectAll(group, this.#names, () => link.next(isPing));
                break;
            }
            case "":
                await this.#word(line);
                break;
            default:
                throw new Error(`${line.sign} is no sign for a server's transcript`);
        }
    }

    async #word({ who: word, rest }: Line): Promise<void> {
        switch (word) {
            case "connect": {
                const link = new Link(this.#server.webSocketUrl);
                this.#links.set(rest, link);
                const failed = link.closed.then((how) => Promise.reject(new Error(how)));
                await within(Promise.race([once(link.socket, "open"), failed]), "a WebSocket");
                break;
            }
            case "cut":
                this.#link(rest).socket.terminate();
                await within(this.#link(rest).closed, "the end of what was cut");
                break;
            case "close":
                this.#link(rest).socket.close(1000);
                await within(this.#link(rest).closed, "the end of what was closed");
                break;
            case "closed": {
                const [name = "", ...wanted] = rest.split(" ");
                const link = this.#link(name);
                const how = await within(link.closed, () => `a close; came: ${shown(link)}`);
                if (!how.startsWith(wanted.join(" "))) {
                    throw new Error(`it was closed with ${how}`);
                }
                break;
            }
            case "times":
                this.#times(rest);
                break;
            case "http":
                await this.#http(rest);
                break;
            case "stop":
                await this.#server.stop();
                break;
            case "restart":
                this.#server = await this.#server.restart();
                break;
            default:
                throw new Error(`"${word}" is no word of a transcript`);
        }
    }

    /** `times 33 k a> {…}`: the frame for k = 1, 2 … 33, in one piece. */
    #times(rest: string): void {
        const [, count, name, who, text] = /^(\d+) (\w+) (\w+)> (.*)$/.exec(rest) ?? [];
        if (!count || !name || !who || !text) {
            throw new Error("write: times COUNT NAME CONNECTION> FRAME");
        }
        const texts = Array.from({ length: Number(count) }, (_, i) => {
            this.#names.bind(name, i + 1);
            return JSON.stringify(filled(patternOf(text), this.#names));
        });
        this.#link(who).send(texts);
    }

    /** `http 200 PUT /v1/queues$room {…}`: a call of the backend, and its status. */
    async #http(rest: string): Promise<void> {
        const [, status, method, path, body] = /^(\d+) (\S+) (\S+)(?: (.*))?$/.exec(rest) ?? [];
        if (!status || !method || !path) {
            throw new Error("write: http STATUS METHOD PATH [BODY]");
        }
        const answer = await fetch(this.#server.adminUrl + this.#names.inText(path, true), {
            method,
            headers: {
                authorization: `Bearer ${this.#server.adminKey}`,
                "content-type": "application/json",
            },
            ...(body !== undefined && {
                body: JSON.stringify(filled(patternOf(body), this.#names)),
            }),
        });
        const text = await answer.text();
        if (answer.status !== Number(status)) {
            throw new Error(`the answer is ${answer.status} ${text}`);
        }
    }

    #link(name: string): Link {
        const link = this.#links.get(name);
        if (!link) {
            throw new Error(`there is no connection "${name}"`);
        }
        return link;
    }

    /** Errors: the server said more than the transcript. */
    async finish(): Promise<void> {
        for (const [name, link] of this.#links) {
            const rest = await link.rest();
            if (rest.length > 0) {
                throw new Error(`${name} was told more: ${JSON.stringify(rest)}`);
            }
        }
    }

    end(): void {
        for (const { socket } of this.#links.values()) {
            socket.terminate();
        }
    }
}

function shown(link: Link): string {
    return JSON.stringify(link.frames.all);
}

/** Plays a transcript. Errors: the server answers otherwise; names the line. */
export async function playAgainstServer(
    transcript: Transcript,
    server: ServerUnderTest,
): Promise<void> {
    const play = new Play(server);
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
        await play.finish();
    } finally {
        play.end();
    }
}
