/** A queue as the app holds it: its mounts, its members, and what happens to its stream. */
import type { Action, AppRequest } from "./core/messages.ts";
import * as codes from "./codes.ts";
import { MusterError } from "./errors.ts";
import { Listeners } from "./listeners.ts";
import { Members, StateMount } from "./mirror.ts";
import type {
    Cursor,
    HistoryFrame,
    JoinedFrame,
    MountSnapshot,
    ResetFrame,
    Resume,
} from "./wire.ts";

/** How a single send or set is to be handled. */
export interface RequestOptions {
    /**
     * Now or never: dropped (`not-sent`) instead of waiting for a connection, and asked back
     * instead of repeated where the connection was lost before the answer. Its failure needs no
     * `catch`. For positions and other things that are soon out of date.
     */
    volatile?: boolean;
    /**
     * How long it may wait for a connection, in ms, before it ends `not-sent`. Default: 30,000;
     * for a `set` without `ifSeq` as long as it takes. Once sent, its verdict is waited for.
     */
    waitMs?: number;
    /** Aborting withdraws it. It still ends with a verdict: accepted if the server was faster. */
    signal?: AbortSignal;
}

/** An accepted request: `seq` is its place in the queue. */
export interface SendResult {
    seq: number;
}

export interface MessageEvent<Data> {
    queue: string;
    mount: string;
    /** Its place in the queue; places of all mounts together grow without a hole. */
    seq: number;
    /** The user who sent it; the server vouches for it. Undefined if the backend did. */
    from: string | undefined;
    /** When the queue took it, in ms since 1970 by the server's clock. */
    time: number;
    data: Data;
    /** A payload that is not JSON, as base64; then `data` is undefined. */
    base64?: string;
}

/** The stream of a queue begins, or goes on after an interruption. */
export interface Joined {
    queue: string;
    /** Is this user a member, or only watching? */
    member: boolean;
    at: Cursor;
    /** What happened to each mount meanwhile; `gap a..b`: these places cannot be had any more. */
    resume: Record<string, Resume>;
    /** It goes on after an interruption; false where it begins. */
    again: boolean;
}

export interface Gap {
    mount: string;
    /** Places `from` to `to`, both included, hold messages that this client will not see. */
    from: number;
    to: number;
}

export interface QueueEvents {
    joined: [Joined];
    /** The stream has ended: `left` (your own), `kicked`, `deleted`, or the code of a refusal. */
    left: [{ why: string }];
    /** The state was replaced by another one, as after the loss of a node. */
    reset: [{ why: ResetFrame["why"]; at: Cursor }];
    /** Messages were dropped because this client was too slow. */
    gap: [Gap];
    /** The queue does not answer for the moment (true), or does again (false). */
    stalled: [boolean];
}

type WithoutId<Request> = Request extends unknown ? Omit<Request, "id"> : never;
type Request = WithoutId<AppRequest>;

/** @internal What the handles use of the client: asks, and resolves to the verdict. */
export type Ask = (request: Request, signal?: AbortSignal) => Promise<unknown>;

const defaultWaitMs = 30_000;

type Item = HistoryFrame["items"][number];

function messageOf<Data>(queue: string, mount: string, item: Item): MessageEvent<Data> {
    return {
        queue,
        mount,
        seq: item.seq ?? 0,
        from: item.from,
        time: item.t ?? 0,
        data: item.d as Data,
        ...(item.b !== undefined && { base64: item.b }),
    };
}

type Write = Pick<Extract<Request, { fields: unknown }>, "type" | "q" | "fields">;

async function write(
    ask: Ask,
    request: Write,
    value: unknown,
    options: RequestOptions,
    waitMs: number,
): Promise<unknown> {
    const d = JSON.stringify(value) as string | undefined;
    if (request.type === "send" && d === undefined) {
        throw new TypeError("send() takes a JSON value");
    }
    const { volatile = false, signal } = options;
    return ask({ ...request, d, volatile, waitMs: options.waitMs ?? waitMs }, signal);
}

/** The same, but nobody has to catch the failure of what was now or never. */
function submit(...args: Parameters<typeof write>): Promise<SendResult> {
    const promise = write(...args);
    if (args[3].volatile) {
        promise.catch(() => {});
    }
    return promise as Promise<SendResult>;
}

/** A message mount: events in order, kept as a short history only. */
export class MessageMount<Data> {
    readonly #queue: string;
    readonly #mount: string;
    readonly #ask: Ask;
    readonly #listeners = new Listeners<{ message: [MessageEvent<Data>] }>();

    /** @internal */
    constructor(queue: string, mount: string, ask: Ask) {
        this.#queue = queue;
        this.#mount = mount;
        this.#ask = ask;
    }

    /** Tells each message, in order, each once, your own too. Returns the off switch. */
    on(listener: (event: MessageEvent<Data>) => unknown): () => void {
        return this.#listeners.on("message", listener);
    }

    /**
     * Sends a message: any JSON value, up to 16 KiB unless the server was told otherwise.
     * While there is no connection it waits, up to 30 s, with at most 64 others.
     *
     * Errors: MusterError; `rejected` M2003 not_member, M2004 forbidden, M3001 no_mount, M3003
     * too_big and others; `not-sent` M1040 no connection, M2022 too many are waiting; `unknown`
     * M2010 gone, M2011 expired.
     */
    send(data: Data, options: RequestOptions = {}): Promise<SendResult> {
        const send = { type: "send", q: this.#queue, fields: { m: this.#mount } } as const;
        return submit(this.#ask, send, data, options, defaultWaitMs);
    }

    /**
     * Returns what the queue still has of this mount, oldest first; with `before` (a `seq`), what
     * came before that place.
     */
    async history(before?: number): Promise<MessageEvent<Data>[]> {
        const q = this.#queue;
        const m = this.#mount;
        const history = { type: "history", q, fields: { m, before } } as const;
        const items = await write(this.#ask, history, undefined, {}, defaultWaitMs);
        return (items as Item[])
            .map((item) => messageOf<Data>(q, m, item))
            .sort((a, b) => a.seq - b.seq);
    }

    /** @internal */
    tell(item: Item): void {
        this.#listeners.tell("message", messageOf(this.#queue, this.#mount, item));
    }
}

/**
 * One queue. Having it costs nothing and asks nothing of the server; `join()` or `listen()` starts
 * its stream, which then survives lost connections and gateways until `leave()`.
 *
 * `Mounts` names the payload of each message mount, `States` the value of each state mount.
 */
export class Queue<
    Mounts extends object = Record<string, any>,
    States extends object = Record<string, any>,
> {
    readonly name: string;
    /** Who is in; live while joined or listened to. */
    readonly members = new Members();
    readonly #ask: Ask;
    readonly #messages = new Map<string, MessageMount<any>>();
    readonly #states = new Map<string, StateMount<any>>();
    readonly #listeners = new Listeners<QueueEvents>();
    #joined_: Joined | undefined;

    /** @internal */
    constructor(name: string, ask: Ask) {
        this.name = name;
        this.#ask = ask;
    }

    /** How the stream last began or went on; undefined while there is none. */
    get joined(): Joined | undefined {
        return this.#joined_;
    }

    /**
     * Becomes a member and starts the stream. Waits for a connection as long as it takes. Joining
     * what is joined changes nothing. The membership is kept up: after the loss of the session or
     * of the queue's node the client joins again by itself.
     *
     * Errors: MusterError, as M2002 no_queue, M2004 forbidden, M2005 limit, M5001 callout_denied.
     */
    async join(): Promise<Joined> {
        await this.#ask({ type: "join", q: this.name });
        return this.#present();
    }

    /** Starts the stream without becoming a member. Otherwise as {@link join}. */
    async listen(): Promise<Joined> {
        await this.#ask({ type: "listen", q: this.name });
        return this.#present();
    }

    /** Ends the membership (or the watch) and the stream. What was sent before is sent before. */
    async leave(): Promise<void> {
        await this.#ask({ type: "leave", q: this.name });
    }

    /** Ends a watch. A member keeps its stream. */
    async unlisten(): Promise<void> {
        await this.#ask({ type: "unlisten", q: this.name });
    }

    /** Returns the message mount of that name; always the same object. */
    message<Mount extends keyof Mounts & string>(mount: Mount): MessageMount<Mounts[Mount]> {
        const found = this.#messages.get(mount) ?? new MessageMount(this.name, mount, this.#ask);
        this.#messages.set(mount, found);
        return found;
    }

    /** Returns the live copy of the state mount of that name; always the same object. */
    state<Mount extends keyof States & string>(mount: Mount): StateMount<States[Mount]> {
        let found = this.#states.get(mount);
        if (!found) {
            found = new StateMount((key, value, options) => {
                const { ifSeq } = options;
                const fields = { m: mount, k: key, if: ifSeq };
                const waitMs = ifSeq === undefined ? Infinity : defaultWaitMs;
                const set = { type: "set", q: this.name, fields } as const;
                return submit(this.#ask, set, value, options, waitMs);
            });
            this.#states.set(mount, found);
        }
        return found;
    }

    /** Tells what happens to the stream. Returns the off switch. */
    on<Name extends keyof QueueEvents>(
        event: Name,
        listener: (...args: QueueEvents[Name]) => unknown,
    ): () => void {
        return this.#listeners.on(event, listener);
    }

    /** @internal */
    onJoined(frame: JoinedFrame, again: boolean): Joined {
        this.#joined_ = {
            queue: this.name,
            member: frame.member,
            at: frame.at,
            resume: frame.resume ?? {},
            again,
        };
        this.#replaceAll(frame.mounts ?? {}, frame.at[1]);
        this.members.replace(frame.who ?? {}, frame.members, "unknown");
        this.#listeners.tell("joined", this.#joined_);
        return this.#joined_;
    }

    /** @internal */
    onLeft(why: string): void {
        this.#joined_ = undefined;
        this.#replaceAll({}, 0);
        this.members.replace({}, 0, why);
        this.#listeners.tell("left", { why });
    }

    /** @internal */
    onStream(frame: Extract<Action, { type: "stream" }>["frame"]): void {
        switch (frame.op) {
            case "msg":
                this.#messages.get(frame.m)?.tell(frame);
                break;
            case "state":
                this.state(frame.m as never).apply(frame);
                break;
            case "members":
                this.members.apply(frame);
                break;
            case "mount":
                if (frame.type === null) {
                    this.#states.get(frame.m)?.replace(undefined);
                }
                break;
            case "reset":
                this.#onReset(frame);
                return;
            case "gap":
                this.#listeners.tell("gap", { mount: frame.m, from: frame.from, to: frame.to });
                return;
            case "stalled":
                this.#listeners.tell("stalled", frame.on);
                return;
            default:
                return;
        }
        const { seq } = frame;
        if (seq !== undefined) {
            this.#states.forEach((state) => state.advance(seq));
        }
    }

    #onReset(frame: ResetFrame): void {
        const ends = frame.why === "gone" || frame.why === "deleted";
        if (frame.mounts || ends) {
            this.#replaceAll(frame.mounts ?? {}, frame.at[1]);
        }
        if (frame.who || ends) {
            this.members.replace(frame.who ?? {}, frame.members, frame.why);
        }
        this.#listeners.tell("reset", { why: frame.why, at: frame.at });
    }

    #replaceAll(mounts: Record<string, MountSnapshot>, at: number): void {
        for (const [mount, snapshot] of Object.entries(mounts)) {
            if (snapshot.type === "state") {
                this.state(mount as never);
            }
        }
        for (const [mount, state] of this.#states) {
            state.replace(Object.hasOwn(mounts, mount) ? mounts[mount] : undefined);
            state.advance(at);
        }
    }

    #present(): Joined {
        if (!this.#joined_) {
            // It was left again before the app was told.
            throw new MusterError({
                outcome: "rejected",
                code: codes.withdrawn,
                message: `${this.name} was left at once`,
            });
        }
        return this.#joined_;
    }
}
