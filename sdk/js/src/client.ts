/**
 * The shell around the core: carries events in and actions out. It has the clock, the timer, the
 * sockets and the promises, and decides nothing.
 */
import { Core } from "./core/core.ts";
import type { Action, Context, Event, RequestId, Status } from "./core/messages.ts";
import { MusterError } from "./errors.ts";
import { Listeners } from "./listeners.ts";
import { Mailbox, type Mail } from "./mailbox.ts";
import { type Joined, Queue, type Ask } from "./queue.ts";
import { type Codec, endpoint, Sockets, type WebSocketConstructor } from "./socket.ts";

export interface ConnectOptions {
    /**
     * Returns a token that your backend made for this user. Asked before each sign-in, again before
     * the token expires, and after sleep. A plain string cannot be renewed: the client closes when
     * the server does not take it any more.
     */
    token?: string | (() => string | Promise<string>);
    /** Only for a server in `--dev`: sign in under this name, without a token. */
    user?: string;
    /** The constructor to use where there is no global WebSocket, as that of `ws` in Node 20. */
    WebSocket?: WebSocketConstructor;
    /** `proto` of `@muster/client/proto` for binary frames. Nothing else depends on it. */
    codec?: Codec;
}

export interface ClientEvents {
    status: [Status];
    /** Some queue's stream began or goes on; also one that the backend made this user join. */
    joined: [queue: Queue, joined: Joined];
    /**
     * A message to this user. Reliable mail is acknowledged once every listener has returned, and
     * what it returned has resolved; otherwise it comes again at the next sign-in.
     */
    mail: [Mail];
}

/** The clock stood still this much longer than the timer: the machine has slept. */
const sleptMs = 10_000;
const timerMaxMs = 2 ** 31 - 1;

/** Returns the life of a JWT in ms, or undefined if it does not tell. */
export function lifeOf(token: string): number | undefined {
    try {
        const claims = token.split(".")[1]?.replaceAll("-", "+").replaceAll("_", "/") ?? "";
        const { exp, iat } = JSON.parse(atob(claims));
        const life = (exp - (iat ?? Date.now() / 1000)) * 1000;
        return life > 0 ? life : undefined;
    } catch {
        return undefined;
    }
}

/** A client of Muster: one user's connection, and the queues seen through it. */
export class Client {
    readonly #core: Core;
    readonly #sockets: Sockets;
    readonly #token: ConnectOptions["token"];
    readonly #queues = new Map<string, Queue<any, any>>();
    readonly #listeners = new Listeners<ClientEvents>();
    readonly #mailbox: Mailbox;
    #status_: Status = { state: "connecting" };

    readonly #inbox: Event[] = [];
    #working = false;
    #timer: ReturnType<typeof setTimeout> | undefined;
    #timerAt = Infinity;
    #lastId = 0;
    readonly #open = new Map<RequestId, (result: Action) => void>();
    readonly #whenClosed: Promise<void>;
    #resolveClosed = () => {};
    readonly #offWake: () => void;

    /** @internal Use {@link connect}. */
    constructor(
        urls: string[],
        options: ConnectOptions,
        constructor_: WebSocketConstructor,
        ready: Promise<unknown> = Promise.resolve(),
    ) {
        this.#token = options.token;
        this.#sockets = new Sockets(
            constructor_,
            (event) => this.#dispatch(event),
            options.codec,
        );
        const renewable = typeof options.token === "function";
        this.#core = new Core({ urls, user: options.user, renewable });
        this.#mailbox = new Mailbox(
            (mail) => Promise.all(this.#listeners.tell("mail", mail)),
            (n) => this.#dispatch({ type: "ack", n }),
        );
        this.#whenClosed = new Promise((resolve) => (this.#resolveClosed = resolve));
        this.#offWake = onWake(() => this.#dispatch({ type: "wake", slept: false }));
        // The app first gets the chance to say what it wants to be told.
        void ready.then(() => this.#dispatch({ type: "start" }));
    }

    /** @internal From the next attempt on these are the gateways. */
    useGateways(urls: readonly string[]): void {
        this.#dispatch({ type: "gateways", urls });
    }

    /** How the client stands with the server; the event `status` tells each change. */
    get status(): Status {
        return this.#status_;
    }

    /** Who this client is to the server; undefined before the first sign-in. */
    get user(): string | undefined {
        return this.#core.user;
    }

    /** The number of the user's time on line; a later session has a bigger one. */
    get session(): number | undefined {
        return this.#core.session;
    }

    /** Returns the queue of that name, always the same object. No I/O: see {@link Queue.join}. */
    queue<Mounts extends object = Record<string, any>, States extends object = Record<string, any>>(
        name: string,
    ): Queue<Mounts, States> {
        const queue = this.#queues.get(name) ?? new Queue<any, any>(name, this.#ask);
        this.#queues.set(name, queue);
        return queue;
    }

    /** Tells what happens. Returns the off switch. */
    on<Name extends keyof ClientEvents>(
        event: Name,
        listener: (...args: ClientEvents[Name]) => unknown,
    ): () => void {
        const off = this.#listeners.on(event, listener);
        if (event === "mail") {
            void this.#mailbox.open();
        }
        return off;
    }

    /**
     * Ends the connection, for good. Requests without a verdict get up to 2 s for it. Rooms that
     * were joined and not left show this user as away, and as gone after the server's `T_resume`.
     */
    close(): Promise<void> {
        this.#dispatch({ type: "close" });
        return this.#whenClosed;
    }

    readonly #ask: Ask = (request, signal) => {
        const id = ++this.#lastId;
        return new Promise((resolve, reject) => {
            const giveUp = () => this.#dispatch({ type: "withdraw", id });
            this.#open.set(id, (result) => {
                signal?.removeEventListener("abort", giveUp);
                if (result.type === "fail") {
                    reject(new MusterError(result.failure));
                } else if (result.type === "settle") {
                    resolve(result.value);
                }
            });
            this.#dispatch({ ...request, id });
            if (signal?.aborted) {
                giveUp();
            } else {
                signal?.addEventListener("abort", giveUp, { once: true });
            }
        });
    };

    /** Takes an event; those that come up while one is being worked on wait for their turn. */
    #dispatch(event: Event): void {
        this.#inbox.push(event);
        if (this.#working) {
            return;
        }
        this.#working = true;
        try {
            for (let next = this.#inbox.shift(); next; next = this.#inbox.shift()) {
                const context: Context = { now: performance.now(), random, out: [] };
                this.#core.step(next, context);
                for (const action of context.out) {
                    this.#perform(action);
                }
            }
        } finally {
            this.#working = false;
        }
        if (this.#core.closed) {
            this.#resolveClosed(); // The status may say so long before: see `superseded`.
        }
        this.#setTimer();
    }

    #perform(action: Action): void {
        switch (action.type) {
            case "open":
                this.#sockets.open(action.socket, action.url);
                break;
            case "write":
                this.#sockets.write(action.socket, action.text);
                break;
            case "shut":
                this.#sockets.shut(action.socket, action.code, action.reason);
                break;
            case "fetchToken":
                void this.#fetchToken(action.request);
                break;
            case "status":
                this.#onStatus(action.status);
                break;
            case "settle":
            case "fail": {
                const settle = this.#open.get(action.id);
                this.#open.delete(action.id);
                settle?.(action);
                break;
            }
            case "joined": {
                const queue = this.queue(action.q);
                this.#listeners.tell("joined", queue, queue.onJoined(action.frame, action.again));
                break;
            }
            case "stream":
                this.#queues.get(action.frame.q)?.onStream(action.frame);
                break;
            case "left":
                this.#queues.get(action.q)?.onLeft(action.why);
                break;
            case "mail":
                this.#mailbox.take(action.frame, this.#listeners.count("mail") > 0);
        }
    }

    #onStatus(status: Status): void {
        this.#status_ = status;
        if (status.state === "online") {
            this.#mailbox.signedIn();
        }
        if (status.state === "closed") {
            this.#offWake();
        }
        this.#listeners.tell("status", status);
    }

    async #fetchToken(request: number): Promise<void> {
        try {
            const token = typeof this.#token === "function" ? await this.#token() : this.#token;
            if (typeof token !== "string" || token === "") {
                throw new TypeError("no token");
            }
            this.#dispatch({ type: "token", request, token, livesMs: lifeOf(token) });
        } catch (error) {
            this.#dispatch({ type: "tokenFailed", request, message: String(error) });
        }
    }

    /** One timer, for the earliest of the core's deadlines; it may come early, never late. */
    #setTimer(): void {
        const at = this.#core.deadline;
        if (this.#timer !== undefined && this.#timerAt <= at && at !== Infinity) {
            return;
        }
        clearTimeout(this.#timer);
        this.#timer = undefined;
        if (at === Infinity) {
            return;
        }
        const delayMs = Math.min(Math.max(0, at - performance.now()), timerMaxMs);
        const wallAt = Date.now() + delayMs;
        this.#timerAt = at;
        this.#timer = setTimeout(() => {
            this.#timer = undefined;
            if (Date.now() - wallAt > sleptMs) {
                this.#dispatch({ type: "wake", slept: true });
            }
            this.#dispatch({ type: "tick" });
        }, delayMs);
    }
}

/** Returns a number in [0, 1), from real entropy. */
function random(): number {
    return (crypto.getRandomValues(new Uint32Array(1))[0] as number) / 2 ** 32;
}

/** Calls `wake` when a browser's network or page is back. Returns the off switch. */
function onWake(wake: () => void): () => void {
    const { document } = globalThis;
    const visible = () => {
        if (document.visibilityState === "visible") {
            wake();
        }
    };
    globalThis.addEventListener?.("online", wake);
    document?.addEventListener("visibilitychange", visible);
    return () => {
        globalThis.removeEventListener?.("online", wake);
        document?.removeEventListener("visibilitychange", visible);
    };
}

/**
 * Connects to Muster, and stays connected: returns at once, and makes the connection and its
 * successors by itself. `urls` are the gateways, as `wss://g1.example.com`; one is picked at
 * random, and another one where it fails.
 *
 * ```ts
 * const m = connect(["wss://g1.example.com", "wss://g2.example.com"], {
 *     token: async () => (await fetch("/rt-token")).text(),
 * });
 * m.on("status", (status) => show(status.state));
 * const room = m.queue("/room/123");
 * await room.join();
 * ```
 *
 * Errors: TypeError where no gateway, no way to sign in or no WebSocket was given.
 */
export function connect(
    urls: string | string[],
    options: ConnectOptions,
    /** The first attempt waits for it: for the addresses, in Node. */
    ready?: Promise<unknown>,
): Client {
    const list = [urls].flat().map(endpoint);
    if (list.length === 0) {
        throw new TypeError("connect() takes a gateway");
    }
    if (options.token === undefined && options.user === undefined) {
        throw new TypeError("connect() takes a token, or in --dev a user");
    }
    const constructor_ = options.WebSocket ?? (globalThis.WebSocket as WebSocketConstructor);
    if (constructor_ === undefined) {
        throw new TypeError("no WebSocket here: pass that of ws");
    }
    return new Client(list, options, constructor_, ready);
}
