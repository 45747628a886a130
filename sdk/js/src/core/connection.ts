/**
 * Decides how the client stays connected: which gateway, when, as whom, and when to give up.
 * The client's table of the guarantees (section 5.2), without what concerns single queues.
 *
 * Owns:       the identity (nonce, cid, resume token), the token, the back-off, all deadlines of
 *             the connection. Not the socket: it names sockets by number, and the shell has them.
 * Invariants: one socket at a time; what an older one still says is ignored. A connection counts
 *             as good only after `stableMs`, so that no sequence of closes makes a hot loop.
 * In, out:    the events and actions of messages.ts that name a socket, a token or the status.
 */
import * as codes from "../codes.ts";
import { type Cursor, type HelloFrame, version } from "../wire.ts";
import type { Context, Event, Status, StatusState } from "./messages.ts";

/** From the start of an attempt to the server's hello. */
export const attemptMs = 10_000;
export const tokenMs = 30_000;
/** The longest random wait between two attempts. */
export const backOffMaxMs = 60_000;
/** A connection that lived so long is good: when it goes, the waits begin small again. */
export const stableMs = 10_000;
/** How long an answer to the ping after a wake-up may take. */
export const probeMs = 5_000;
/** How long `close()` waits for verdicts, and how long a superseded client asks for them. */
export const drainMs = 2_000;
export const resolveMs = 30_000;
/** So many attempts in a row may be made without a wait, as after a close that asks for a token. */
const atOnceMax = 3;
/**
 * Silent, drain, upstream, overload: the server hangs, or sends us away. Any other end says nothing
 * against it: where all are cut at once, they must spread over all servers again.
 */
const elsewhere = /M10(06|07|13|33)/;
/** A token is renewed when this part of its life is over. */
const tokenUse = 0.8;

export interface ConnectionOptions {
    urls: readonly string[];
    /** Development only: sign in by name, without a token. */
    user?: string | undefined;
    /** Can another token be had when one is refused or has expired? */
    renewable: boolean;
}

/** What the connection tells and asks the queues. */
export interface Session {
    /** Where to resume. */
    cursors(): Record<string, Cursor>;
    /** How many operations were sent and have no verdict. */
    openCount(): number;
    online(ctx: Context): void;
    offline(ctx: Context): void;
    /** The cid is gone: what was sent under it has no verdict any more. */
    identityLost(ctx: Context): void;
    /** Ends what has not been sent. With `withdraw`, what was sent is asked back. */
    giveUp(ctx: Context, code: string, withdraw: boolean): void;
    /** The end: every request gets its verdict now. */
    over(ctx: Context, code: string): void;
}

type Reason = { code: string; message: string };
type State = "idle" | "fetching" | "opening" | "greeting" | "up" | "waiting" | "closed";
/** `drain`: after close(). `resolve`: superseded, and only the verdicts are still wanted. */
type Purpose = "serve" | "drain" | "resolve";
type ConnectionEvent =
    | Extract<
          Event,
          { type: "start" | "tick" | "wake" | "token" | "tokenFailed" | "opened" | "frame" }
      >
    | Extract<Event, { type: "gone" | "close" | "gateways" }>
    /** The queues found the stream broken. */
    | { type: "broken"; message: string }
    /** The queues need another cid. */
    | { type: "renew" };

/** 40nn -> M10nn; the codes of WebSocket itself -> 1002 M1022, 1013 M1033 and so on. */
function reasonOf(code: number, text: string): Reason {
    const named = /^M\d{4}/.exec(text)?.[0];
    const standard = code === 1001 ? 1007 : code >= 1002 && code <= 1013 ? code + 20 : 0;
    const number = code >= 4000 && code < 4100 ? code - 3000 : code === 1006 ? 0 : standard;
    return {
        code: named ?? (number ? `M${number}` : codes.notConnected),
        message: text.replace(/^M\d{4}\W*/, "") || `the connection was closed (${code})`,
    };
}

export class Connection {
    #state: State = "idle";
    #purpose: Purpose = "serve";
    readonly #options: ConnectionOptions;
    #urls: readonly string[];
    readonly #session: Session;

    #socket = 0;
    #url: string | undefined;
    /** Not to be picked while there is another one: it did not let us in, or it sent us away. */
    #avoided: string | undefined;
    #deadline_ = Infinity;
    #purposeDeadline = Infinity;

    #nonce: string | undefined;
    #cid: string | undefined;
    #resume: string | undefined;
    #attempts = 0;

    #token: string | undefined;
    #tokenGoodUntil = 0;
    #tokenRequest = 0;
    #refreshAt = Infinity;
    #refusals = 0;

    #failures = 0;
    #notBefore = 0;
    /** What the server said before it closes, and how long it wants to be left alone. */
    #bye: Reason | undefined;
    #retryMs = 0;
    #reason: Reason | undefined;
    #reported: Status | undefined;

    #upSince = 0;
    #pingMs = 15_000;
    #pingAt = Infinity;
    #deadAt = Infinity;
    #leaveAt = Infinity;

    /** Who we are to the server; set by the first hello. */
    user: string | undefined;
    sessionNumber: number | undefined;

    constructor(options: ConnectionOptions, session: Session) {
        this.#options = options;
        this.#urls = options.urls;
        this.#session = session;
    }

    get up(): boolean {
        return this.#state === "up";
    }

    get closed(): boolean {
        return this.#state === "closed";
    }

    /** Do new requests still have a future? */
    get serving(): boolean {
        return this.#purpose === "serve" && this.#state !== "closed";
    }

    /** Is this the socket that counts? */
    owns(socket: number): boolean {
        return socket === this.#socket;
    }

    /** When the next tick is due; Infinity = never. */
    get deadline(): number {
        const due =
            this.#state === "up"
                ? Math.min(this.#pingAt, this.#deadAt, this.#leaveAt, this.#refreshAt)
                : this.#deadline_;
        return this.#state === "closed" ? Infinity : Math.min(due, this.#purposeDeadline);
    }

    write(text: string, ctx: Context): void {
        ctx.out.push({ type: "write", socket: this.#socket, text });
    }

    step(event: ConnectionEvent, ctx: Context): void {
        const was = this.#state;
        this.#state = this.#react(event, ctx);
        if (was !== "closed" && this.#state === "closed") {
            this.#session.over(ctx, this.#reason?.code ?? codes.clientClosed);
        } else if (was === "up" && this.#state !== "up") {
            this.#session.offline(ctx);
        }
        this.#report(ctx);
        if (was !== "up" && this.#state === "up") {
            this.#session.online(ctx);
        }
    }

    /** Ends a connection that was only waiting for verdicts, once all are in. */
    finish(ctx: Context): void {
        if (this.#purpose !== "serve" && this.#session.openCount() === 0) {
            this.step({ type: "tick" }, ctx);
        }
    }

    #react(event: ConnectionEvent, ctx: Context): State {
        if (this.#state === "closed") {
            return "closed";
        }
        if (event.type === "close") {
            return this.#close(ctx);
        }
        if (event.type === "gateways") {
            this.#urls = event.urls;
        }
        if (event.type === "wake" && event.slept && this.#options.renewable) {
            this.#tokenGoodUntil = 0; // Nobody knows how much of its life passed in sleep.
        }
        const isDone = ctx.now >= this.#purposeDeadline || this.#session.openCount() === 0;
        if (this.#purpose !== "serve" && isDone) {
            return this.#end(ctx);
        }
        switch (this.#state) {
            case "idle":
                return event.type === "start" ? this.#begin(ctx) : "idle";
            case "waiting":
                return this.#inWaiting(event, ctx);
            case "fetching":
                return this.#inFetching(event, ctx);
            case "opening":
                if (event.type === "opened") {
                    this.#greet(ctx);
                    return "greeting";
                }
                return this.#inAttempt(event, ctx);
            case "greeting":
                return this.#inAttempt(event, ctx);
            case "up":
                return this.#inUp(event, ctx);
        }
    }

    #inWaiting(event: ConnectionEvent, ctx: Context): State {
        const due = event.type === "tick" && ctx.now >= this.#deadline_;
        const early = event.type === "wake" && ctx.now >= this.#notBefore;
        return due || early ? this.#begin(ctx) : "waiting";
    }

    #inFetching(event: ConnectionEvent, ctx: Context): State {
        if (event.type === "token" && this.#takeToken(event, ctx)) {
            return this.#open(ctx);
        }
        const failed = event.type === "tokenFailed" && event.request === this.#tokenRequest;
        if (failed || (event.type === "tick" && ctx.now >= this.#deadline_)) {
            const why = failed ? event.message : "no answer in time";
            this.#tokenRequest++;
            const message = `the token function failed: ${why}`;
            return this.#again({ code: codes.notConnected, message }, 0, ctx);
        }
        return "fetching";
    }

    /** Until the server's hello, whatever else comes. */
    #inAttempt(event: ConnectionEvent, ctx: Context): State {
        if (event.type === "gone") {
            return this.#lost(event.code, event.reason, ctx);
        }
        if (event.type === "tick" && ctx.now >= this.#deadline_) {
            return this.#drop(4006, "no answer in time", ctx);
        }
        if (event.type !== "frame") {
            return this.#state;
        }
        const frame = event.frame;
        if (frame?.op === "hello") {
            return this.#welcome(frame, ctx);
        }
        if (frame?.op === "err" && frame.code === codes.unsupported) {
            return this.#unsupported(frame.message ?? "", ctx);
        }
        return this.#commonFrame(event, ctx);
    }

    #inUp(event: ConnectionEvent, ctx: Context): State {
        switch (event.type) {
            case "gone":
                return this.#lost(event.code, event.reason, ctx);
            case "broken":
                return this.#drop(1002, event.message, ctx);
            case "renew":
                this.#forget(ctx);
                this.#shut(1000, "", ctx);
                return this.#begin(ctx);
            case "frame":
                this.#heard(ctx);
                return this.#commonFrame(event, ctx);
            case "wake":
                if (event.slept && this.#options.renewable) {
                    this.#refreshAt = ctx.now;
                }
                this.#ping(ctx);
                this.#deadAt = Math.min(this.#deadAt, ctx.now + probeMs);
                return "up";
            case "token":
                if (this.#takeToken(event, ctx)) {
                    this.write(JSON.stringify({ op: "auth", token: event.token }), ctx);
                }
                return "up";
            case "tokenFailed":
                if (event.request === this.#tokenRequest) {
                    this.#refreshAt = ctx.now + stableMs;
                }
                return "up";
            case "tick":
                return this.#tickUp(ctx);
            default:
                return "up";
        }
    }

    #tickUp(ctx: Context): State {
        if (ctx.now >= this.#deadAt) {
            return this.#drop(4006, "no answer in time", ctx);
        }
        if (ctx.now >= this.#leaveAt) {
            this.#shut(1000, "", ctx);
            this.#reason = this.#bye;
            this.#avoided = this.#url;
            return this.#begin(ctx);
        }
        if (ctx.now >= this.#pingAt) {
            this.#ping(ctx);
        }
        if (ctx.now >= this.#refreshAt) {
            this.#refreshAt = Infinity;
            this.#fetchToken(ctx);
        }
        return "up";
    }

    /** Frames that mean the same before and after the hello. */
    #commonFrame(event: { frame: unknown }, ctx: Context): State {
        const frame = event.frame as Extract<Event, { type: "frame" }>["frame"];
        switch (frame?.op) {
            case undefined:
                return this.#drop(1002, "not a frame", ctx);
            case "ping":
                this.write('{"op":"pong"}', ctx);
                break;
            case "bye":
                this.#bye = {
                    code: frame.code,
                    message: frame.message ?? "",
                };
                this.#retryMs = frame.retry_ms ?? 0;
                if (frame.spread_ms !== undefined) {
                    this.#leaveAt = ctx.now + ctx.random() * frame.spread_ms;
                }
                break;
            case "hello": // Answers `auth`.
                this.#resume = frame.resume ?? this.#resume;
        }
        return this.#state;
    }

    // The attempt.

    #begin(ctx: Context): State {
        const needsToken =
            this.#options.user === undefined &&
            (this.#token === undefined || ctx.now >= this.#tokenGoodUntil);
        if (needsToken) {
            this.#fetchToken(ctx);
            this.#deadline_ = ctx.now + tokenMs;
            return "fetching";
        }
        return this.#open(ctx);
    }

    #open(ctx: Context): State {
        const others = this.#urls.filter((url) => url !== this.#avoided);
        const choice = others.length > 0 ? others : this.#urls;
        this.#url = choice[Math.floor(ctx.random() * choice.length)] as string;
        this.#avoided = this.#url; // Until it lets us in.
        this.#socket++;
        this.#bye = undefined;
        this.#retryMs = 0;
        this.#leaveAt = Infinity;
        this.#deadline_ = ctx.now + attemptMs;
        ctx.out.push({ type: "open", socket: this.#socket, url: this.#url });
        return "opening";
    }

    #greet(ctx: Context): void {
        this.#nonce ??= Array.from({ length: 4 }, () =>
            Math.floor(ctx.random() * 2 ** 32)
                .toString(16)
                .padStart(8, "0"),
        ).join("");
        const resolves = this.#purpose === "resolve";
        const since = this.#session.cursors();
        // What is undefined does not go into the frame.
        const hello = {
            op: "hello",
            v: [version],
            token: this.#token,
            user: this.#options.user,
            nonce: this.#nonce,
            resume: this.#resume,
            cid: this.#resume && this.#cid,
            cn: ++this.#attempts,
            resolve: resolves || undefined,
            since: resolves || Object.keys(since).length === 0 ? undefined : since,
        };
        this.write(JSON.stringify(hello), ctx);
    }

    #welcome(frame: HelloFrame, ctx: Context): State {
        if (frame.v !== version) {
            return this.#unsupported(`the server speaks version ${frame.v}`, ctx);
        }
        if (this.#cid !== undefined && frame.cid !== undefined && this.#cid !== frame.cid) {
            this.#session.identityLost(ctx);
        }
        this.#cid = frame.cid ?? this.#cid;
        this.#resume = frame.resume ?? this.#resume;
        this.user = frame.user;
        this.sessionNumber = frame.session;
        this.#pingMs = (frame.ping || 15) * 1000;
        this.#upSince = ctx.now;
        this.#avoided = undefined;
        this.#refusals = 0;
        if (this.#purpose === "serve") {
            this.#reason = undefined;
        }
        this.#heard(ctx);
        return "up";
    }

    #heard(ctx: Context): void {
        this.#pingAt = ctx.now + this.#pingMs;
        this.#deadAt = ctx.now + 2 * this.#pingMs + 5_000;
    }

    #ping(ctx: Context): void {
        this.#pingAt = ctx.now + this.#pingMs;
        this.write('{"op":"ping"}', ctx);
    }

    // The token.

    #fetchToken(ctx: Context): void {
        ctx.out.push({ type: "fetchToken", request: ++this.#tokenRequest });
    }

    #takeToken(event: Extract<Event, { type: "token" }>, ctx: Context): boolean {
        if (event.request !== this.#tokenRequest) {
            return false;
        }
        this.#tokenRequest++;
        this.#token = event.token;
        // A token that does not tell its life is asked for again at each attempt.
        const used = (event.livesMs ?? 0) * tokenUse;
        this.#tokenGoodUntil = this.#options.renewable ? ctx.now + used : Infinity;
        this.#refreshAt = used > 0 ? this.#tokenGoodUntil : Infinity;
        return true;
    }

    // The end of a connection, and what comes after it.

    /** Closes the socket for a reason of our own. */
    #drop(code: number, message: string, ctx: Context): State {
        this.#shut(code, message, ctx);
        return this.#lost(code, message, ctx);
    }

    #shut(code: number, reason: string, ctx: Context): void {
        ctx.out.push({ type: "shut", socket: this.#socket, code, reason });
        this.#socket++; // What the old one still says is not ours.
    }

    #lost(code: number, text: string, ctx: Context): State {
        if (this.#state === "up" && ctx.now - this.#upSince >= stableMs) {
            this.#failures = 0;
        }
        // A bye with a spread announces one end only; this may be another.
        const drains = this.#leaveAt < Infinity;
        const reason = (drains && code >= 4000 ? undefined : this.#bye) ?? reasonOf(code, text);
        // If it goes before our moment in its spread, all its clients are without a server now.
        const hint = drains
            ? this.#leaveAt - ctx.now
            : this.#retryMs || Number(/retry_ms=(\d+)/.exec(text)?.[1] ?? 0);
        if (elsewhere.test(reason.code)) {
            this.#avoided = this.#url;
        }
        this.#socket++;
        if (this.#purpose === "drain") {
            return "closed";
        }
        switch (code) {
            case 4001:
            case 4002:
                this.#token = undefined;
                this.#refusals += code === 4001 ? 1 : 0;
                if (!this.#options.renewable || this.#refusals > 1) {
                    this.#reason = reason;
                    return "closed";
                }
                return this.#again(reason, hint, ctx, true);
            case 4003:
                return this.#superseded(reason, ctx);
            case 4004:
                // A new login under the old nonce, which gives the old cid: open operations keep
                // their numbers.
                this.#resume = undefined;
                break;
            case 4010:
                this.#forget(ctx);
                this.#avoided = undefined; // The token is to blame, not the server.
                return this.#again(reason, hint, ctx, true);
        }
        // Others lost the same server or node: not all come back at the same moment.
        return this.#again(reason, hint, ctx);
    }

    #again(reason: Reason, hintMs: number, ctx: Context, atOnce?: boolean): State {
        if (this.#purpose === "serve") {
            this.#reason = reason;
        }
        const failures = this.#failures++;
        if (atOnce && !hintMs && failures < atOnceMax) {
            return this.#begin(ctx);
        }
        const random = ctx.random() * Math.min(backOffMaxMs, 1000 * 2 ** failures);
        this.#notBefore = ctx.now + hintMs;
        this.#deadline_ = ctx.now + Math.max(hintMs, random);
        return "waiting";
    }

    #forget(ctx: Context): void {
        this.#nonce = undefined;
        this.#cid = undefined;
        this.#resume = undefined;
        this.#session.identityLost(ctx);
    }

    #superseded(reason: Reason, ctx: Context): State {
        this.#reason = reason;
        this.#session.giveUp(ctx, reason.code, true);
        if (this.#purpose === "resolve" || this.#session.openCount() === 0) {
            return "closed";
        }
        this.#purpose = "resolve";
        this.#purposeDeadline = ctx.now + resolveMs;
        return this.#begin(ctx);
    }

    #close(ctx: Context): State {
        if (this.#purpose === "resolve") {
            return this.#end(ctx);
        }
        this.#reason = undefined;
        this.#session.giveUp(ctx, codes.clientClosed, false);
        if (this.#state !== "up" || this.#session.openCount() === 0) {
            return this.#end(ctx);
        }
        this.#purpose = "drain";
        this.#purposeDeadline = Math.min(this.#purposeDeadline, ctx.now + drainMs);
        return "up";
    }

    #unsupported(message: string, ctx: Context): State {
        this.#reason = { code: codes.unsupported, message };
        return this.#end(ctx);
    }

    #end(ctx: Context): State {
        this.#shut(1000, "", ctx); // If there is a socket.
        return "closed";
    }

    #report(ctx: Context): void {
        const status = this.#status(ctx);
        const last = this.#reported;
        if (status.state !== last?.state || status.reason !== last.reason) {
            this.#reported = status;
            ctx.out.push({ type: "status", status });
        }
    }

    #status(ctx: Context): Status {
        const reason = this.#reason;
        if (this.#state === "closed" || this.#purpose === "resolve") {
            return { state: "closed", reason };
        }
        if (this.#state === "waiting") {
            return { state: "offline", reason, retryInMs: this.#deadline_ - ctx.now };
        }
        const trying: StatusState = this.sessionNumber === undefined ? "connecting" : "resuming";
        return { state: this.#state === "up" ? "online" : trying, reason };
    }
}
