// Long because: it is a whole server, and a test must be able to reach into each of its parts.
/**
 * A model of the server for one room and one user, with all the faults that the guarantees speak
 * of: lost requests, lost answers, cuts, refusals, holes, a lost queue, a lost session, a forgotten
 * client, a backend that lets in and removes, another client that takes over. It follows GUARANTEES
 * 5.1 and what the gateway makes of streams, and keeps a log of what took effect, for the checks.
 *
 * Long because: it is a queue, a gateway and a network at once, which share all they know.
 */
import { type Cursor, type ServerFrame, windowCount } from "../wire.ts";
import type { Written } from "./bench.ts";

/** mulberry32: small, fast, the same everywhere. Returns numbers in [0, 1). */
export function seeded(seed: number): () => number {
    let state = seed;
    return () => {
        state = (state + 0x6d2b79f5) | 0;
        let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
        mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
}

export interface Applied {
    inc: number;
    seq: number;
    frame: ServerFrame;
}

/** Somebody who is to get a stream once the gateway has the queue. */
interface Follower {
    i: number | undefined;
    since: Cursor | undefined;
    /** The life of the queue that it has just joined. */
    joined?: number | undefined;
}

interface Link {
    socket: number;
    greeted: boolean;
    /** It takes withdrawals, and nothing else. */
    resolving: boolean;
    cid: string;
    /** The gateway streams the room, or will: to a member or to one who listens. */
    following: { member: boolean; live: boolean } | undefined;
    /** They wait until the gateway has the room. */
    awaiting: Follower[];
    warmAt: number;
    /** The last leave that was answered; a copy of it, or of what came before it, does nothing. */
    answered: Cursor;
    /** Gone for the client; what is on its way to the queue may still arrive before the fence. */
    cut: boolean;
    toServer: { at: number; text: string }[];
    toClient: { at: number; frame: ServerFrame | number }[];
}

interface Verdict {
    frame: Written;
    /** It was decided now, not repeated. */
    fresh: boolean;
}

/** What may go wrong. Each seed has its own mix: some kinds often, some never. */
const kinds = [
    "cut",
    "silence",
    "busy",
    "refusal",
    "rejection",
    "cold",
    "lostQueue",
    "lostSession",
    "forgotten",
    "kick",
    "letIn",
] as const;
type Kind = (typeof kinds)[number];

/** So many may wait for the stream of one queue on one connection; the oldest makes room. */
const awaitedMax = 4;

export const room = "/room/1";
const user = "alice";
const identity = { resume: "r", ping: 15, op: "hello", v: 1, user } as const;
const chatOnly = { chat: { type: "message" } } as const;

export class Model {
    now = 0;
    /** How likely each fault is, per chance it gets; 0 = all is well. */
    faults = 0.03;
    readonly applied: Applied[] = [];
    /** What the client did against the protocol. */
    readonly breaches: string[] = [];
    /** Something has made the server forget clients, so that they may be told EXPIRED. */
    hasForgotten = false;
    /** Those who only listen may send, too. */
    readonly anyoneMaySend: boolean;
    #links: Link[] = [];
    #inc = 1;
    #exists = true;
    #seq = 0;
    #history: ServerFrame[] = [];
    /** Messages up to this place are not remembered any more. */
    #forgotten = 0;
    state: Record<string, unknown> = {};
    member = false;
    #records = new Map<string, { hi: number; results: Map<number, Written> }>();
    #expired = new Set<string>();
    #session = 1;
    #known = true;
    /** Joins and leaves on their way through the user's queue, and back. */
    #passing: { at: number; link: Link; arrive: () => void }[] = [];
    /** Another client of the user is the one that counts now. */
    takenOver = false;
    readonly #weights: Record<Kind, number>;
    readonly #random: () => number;

    constructor(random: () => number) {
        this.#random = random;
        this.anyoneMaySend = random() < 0.5;
        const weight = () => [0, 1, 1, 3][Math.floor(random() * 4)] as number;
        this.#weights = Object.fromEntries(kinds.map((kind) => [kind, weight()])) as never;
    }

    get at(): Cursor {
        return [this.#inc, this.#seq];
    }

    /** To how many connections is the room streamed? */
    get streamCount(): number {
        return this.#links.filter(({ following, cut }) => following && !cut).length;
    }

    /** No fault happens any more, and the room is there. */
    heal(): void {
        this.faults = 0;
        if (!this.#exists) {
            this.#exists = true;
            this.#inc++;
        }
    }

    #chance(kind: Kind, share = 1): boolean {
        return this.#random() < this.faults * share * this.#weights[kind];
    }

    /** Another client of this user signs in, and is the current one. */
    takeOver(): void {
        this.takenOver = true;
        this.#passing = [];
        for (const link of this.#links) {
            link.toServer = [];
            if (!link.cut) {
                this.#close(link, 4003);
            }
        }
    }

    /** The queue says something; who listens must hear it. */
    speak(text: string): void {
        this.#event({ op: "msg", q: room, m: "chat", seq: 0, d: text });
    }

    // What the network does.

    connect(socket: number): void {
        const link: Link = {
            socket,
            greeted: false,
            resolving: false,
            cid: "",
            following: undefined,
            awaiting: [],
            warmAt: 0,
            answered: [0, 0],
            cut: false,
            toServer: [],
            toClient: [],
        };
        this.#links.push(link);
        this.#tell(link, this.#chance("cut", 4) ? 1006 : 0);
    }

    write(socket: number, text: string): void {
        const link = this.#links.find((other) => other.socket === socket);
        if (link && !link.cut) {
            const last = link.toServer.at(-1)?.at ?? 0;
            link.toServer.push({ at: Math.max(last, this.now + this.#random() * 200), text });
        }
    }

    cut(socket: number): void {
        const link = this.#links.find((other) => other.socket === socket);
        if (link) {
            link.cut = true;
        }
    }

    /** Returns what arrives at the client until `now`: frames, 0 = opened, else a close code. */
    advance(now: number): { socket: number; what: ServerFrame | number }[] {
        this.now = now;
        for (const link of [...this.#links]) {
            while (link.toServer[0] && link.toServer[0].at <= now) {
                const { text } = link.toServer.shift() as { text: string };
                this.#take(link, JSON.parse(text));
            }
            if (link.warmAt <= now) {
                // Who joined an earlier life comes last: that must not end what others are given.
                const isOf = (earlier: boolean) => (follower: Follower) =>
                    this.#isEarlier(follower) === earlier;
                const waiting = link.awaiting.splice(0);
                if (link.following && this.#exists && waiting.some(isOf(true))) {
                    link.following.member = this.member; // Else a listen would be told so.
                }
                [...waiting.filter(isOf(false)), ...waiting.filter(isOf(true))].forEach(
                    (follower) => this.#serve(link, follower),
                );
            }
            if (!link.cut && this.#chance("cut", 0.05)) {
                this.#close(link, 1006); // The wire is cut; answers on their way are lost.
            }
        }
        while (this.#passing[0] && this.#passing[0].at <= now) {
            this.#passing.shift()?.arrive();
        }
        this.#misfortune();
        this.#links = this.#links.filter(
            ({ cut, toServer, toClient }) => !cut || toServer.length + toClient.length > 0,
        );
        return this.#links.flatMap((link) => {
            const due = link.toClient.filter(({ at }) => at <= now);
            link.toClient = link.toClient.filter(({ at }) => at > now);
            return due.map(({ frame }) => ({ socket: link.socket, what: frame }));
        });
    }

    #tell(link: Link, frame: ServerFrame | number): void {
        if (!link.cut) {
            const last = link.toClient.at(-1)?.at ?? 0;
            link.toClient.push({ at: Math.max(last, this.now + this.#random() * 200), frame });
        }
    }

    #close(link: Link, code: number): void {
        const keep = Math.floor(this.#random() * (link.toClient.length + 1));
        link.toClient.length = keep;
        this.#tell(link, code);
        link.cut = true;
        link.following = undefined;
    }

    #pass(link: Link, arrive: () => void): void {
        const last = this.#passing.at(-1)?.at ?? 0;
        const slow = this.faults > 0 && this.#random() < 0.3 ? 400 : 20;
        this.#passing.push({ at: Math.max(last, this.now + this.#random() * slow), link, arrive });
    }

    #misfortune(): void {
        if (this.#chance("lostQueue", 0.03)) {
            this.#loseQueue();
        }
        if (this.#chance("forgotten", 0.01)) {
            // All clients were away for too long.
            this.hasForgotten = true;
            this.#expired = new Set([...this.#expired, ...this.#records.keys()]);
            this.#records.clear();
        }
        if (this.#chance("lostSession", 0.02)) {
            this.#endSession();
            this.#links.forEach((link) => this.#close(link, 4004));
        }
        if (this.#chance("lostSession", 0.04) && !this.#links.some(({ cut }) => !cut)) {
            this.#endSession(); // Nobody came back in time.
        }
        if (this.#chance("forgotten", 0.02)) {
            this.#known = false;
        }
        if (this.#chance("forgotten", 0.02)) {
            this.#forgotten = this.#seq;
        }
        if (this.#chance("kick", 0.03) && this.member) {
            this.#leave("kicked");
            this.#passToCurrent((link) => {
                if (link.following) {
                    this.#unfollow(link);
                    this.#tell(link, { op: "left", q: room, why: "kicked" });
                }
            });
        }
        if (this.#chance("letIn", 0.03) && this.#exists && !this.member) {
            this.#enter();
            const inc = this.#inc;
            this.#passToCurrent((link) => {
                if (inc === this.#inc) {
                    this.#follow(link, true, { i: undefined, since: undefined });
                }
            });
        }
    }

    /** What the backend did takes the way of joins and leaves, behind those before it. */
    #passToCurrent(arrive: (link: Link) => void): void {
        const current = this.#links
            .filter(({ greeted, resolving, cut }) => greeted && !resolving && !cut)
            .at(-1);
        if (current) {
            this.#pass(current, () => arrive(current));
        }
    }

    #endSession(): void {
        this.#session++;
        if (this.member) {
            this.#leave("timeout");
        }
    }

    #loseQueue(): void {
        const before = this.at;
        const deleted = this.#random() < 0.3;
        this.#end();
        this.#exists = !deleted;
        this.#inc += deleted ? 0 : 1 + Math.floor(this.#random() * 3);
        for (const link of this.#following) {
            if (deleted || this.#random() < 0.5) {
                const i = link.awaiting.splice(0).map((follower) => follower.i);
                link.following = undefined;
                this.#answerOvertaken(link, i);
                const why = deleted ? "deleted" : "gone";
                this.#tell(link, { op: "reset", q: room, at: before, why });
            } else if (link.following?.live) {
                link.following = { member: false, live: false };
                this.#serve(link, { i: undefined, since: before });
            }
        }
    }

    #end(): void {
        this.#seq = 0;
        this.#forgotten = 0;
        this.#history = [];
        this.state = {};
        this.member = false;
        this.#records.clear();
    }

    get #following(): Link[] {
        return this.#links.filter(({ following, cut }) => following && !cut);
    }

    // What the gateway does.

    #take(link: Link, frame: Written): void {
        if (link.cut && frame.op === "hello") {
            return;
        }
        if (frame.op === "hello") {
            this.#greet(link, frame);
        } else if (frame.op === "ping") {
            this.#tell(link, { op: "pong" });
        } else if (link.greeted) {
            this.#request(link, frame);
        }
    }

    #greet(link: Link, frame: Written): void {
        if (this.takenOver) {
            link.greeted = link.resolving = frame["resolve"] === true;
            if (link.resolving) {
                link.cid = `cid of ${frame["nonce"] ?? String(frame["cid"]).slice(7)}`;
                const { resume: _, ...mine } = identity;
                this.#tell(link, { ...mine, session: 0, cid: link.cid });
            } else {
                this.#close(link, 4003);
            }
            return;
        }
        if (frame["resume"] !== undefined && !this.#known) {
            this.#known = true;
            this.hasForgotten = true;
            this.#close(link, 4010);
            return;
        }
        // The fence: nothing of the older connections takes effect from here on.
        for (const other of this.#links.filter(({ socket }) => socket < link.socket)) {
            other.toServer = [];
            other.cut = true;
            other.following = undefined;
        }
        this.#passing = this.#passing.filter((passing) => passing.link === link);
        link.greeted = true;
        link.cid = `cid of ${frame["nonce"] ?? String(frame["cid"]).slice(7)}`;
        this.#tell(link, { ...identity, session: this.#session, cid: link.cid });
        const since = frame["since"]?.[room] as Cursor | undefined;
        if (since || this.member) {
            this.#follow(link, this.member, { i: undefined, since });
        }
    }

    #follow(link: Link, member: boolean, follower: Follower): void {
        if (link.cut) {
            return;
        }
        link.following ??= { member: false, live: false };
        link.following.member ||= member;
        if (link.awaiting.length === 0 && this.#chance("cold", 6)) {
            link.warmAt = this.now + this.#random() * 500;
        }
        if (link.warmAt > this.now || link.awaiting.length > 0) {
            if (link.awaiting.length === awaitedMax) {
                this.#answerOvertaken(link, [link.awaiting.shift()?.i]);
            }
            link.awaiting.push(follower);
        } else {
            this.#serve(link, follower);
        }
    }

    /** Starts the stream of the room: what was missed, then where it stands. */
    #serve(link: Link, { i, since, joined }: Follower): void {
        const { following } = link;
        const isEarlier = this.#exists && this.#isEarlier({ joined });
        if (following && isEarlier) {
            following.member = this.member;
        }
        if (!following || (isEarlier && following.live)) {
            // Another one was refused, and with it the stream; or it goes on in the present life.
            if (i !== undefined) {
                this.#tell(link, { op: "err", i, code: "M2010" });
            }
            return;
        }
        const isGone = !this.#exists || isEarlier;
        if (isGone || (!following.member && this.#chance("rejection"))) {
            const isLost = isEarlier || following.member;
            const code = isGone ? (isLost ? "M2010" : "M2002") : "M2004";
            link.following = undefined;
            if (i !== undefined) {
                this.#tell(link, { op: "err", i, code });
            }
            if (i === undefined || following.live) {
                this.#tell(link, { op: "reset", q: room, at: [0, 0], why: "gone" });
            }
            return;
        }
        const [inc, seq] = since ? (following.live ? this.at : since) : [0, 0];
        const known = inc === this.#inc && seq <= this.#seq;
        const mounts = { ...chatOnly, scores: { type: "state", value: this.state } } as const;
        const who = this.member ? { [user]: {} } : {};
        const content = { q: room, at: this.at, mounts, members: this.member ? 1 : 0, who };
        let resume: "fresh" | "snapshot" | `replayed ${number}` | `gap ${number}..${number}`;
        resume = since ? "snapshot" : "fresh";
        if (known) {
            const missed = this.#history.filter(
                (frame) => frame.op === "msg" && (frame.seq ?? 0) > Math.max(seq, this.#forgotten),
            );
            let prev = seq;
            for (const frame of missed) {
                this.#tell(link, { ...frame, prev } as ServerFrame);
                prev = (frame as { seq: number }).seq;
            }
            resume =
                this.#forgotten > seq
                    ? `gap ${seq + 1}..${this.#forgotten}`
                    : `replayed ${missed.length}`;
        } else if (since) {
            const why = inc < this.#inc ? "gone" : "unknown";
            this.#tell(link, { op: "reset", why, ...content });
        }
        following.live = true;
        this.#tell(link, {
            op: "joined",
            ...(i !== undefined && { i }),
            member: following.member,
            resume: { chat: resume, scores: since ? "snapshot" : "fresh" },
            ...content,
        });
    }

    #isEarlier({ joined }: Pick<Follower, "joined">): boolean {
        return joined !== undefined && joined < this.#inc;
    }

    #unfollow(link: Link): void {
        if (!link.following) {
            return;
        }
        link.following = undefined;
        this.#answerOvertaken(
            link,
            link.awaiting.splice(0).map(({ i }) => i),
        );
    }

    /** Who waited for a stream that is not wanted any more gets an answer all the same. */
    #answerOvertaken(link: Link, requests: (number | undefined)[]): void {
        for (const i of requests.filter((request) => request !== undefined)) {
            this.#tell(link, { op: "ok", i });
        }
    }

    #request(link: Link, frame: Written): void {
        const i = frame["i"] as number;
        if (link.resolving && frame.op !== "withdraw") {
            this.breaches.push(`${frame.op} over a resolve-only connection`);
            return;
        }
        if (frame["n"] !== undefined && this.#chance("silence", 2)) {
            return; // The gateway could not hand it over within its time.
        }
        if (this.#chance("busy", 4)) {
            const after_ms = this.#random() < 0.5 ? 100 : 1000;
            this.#tell(link, { op: "retry", i, code: "M2022", after_ms });
            return;
        }
        switch (frame.op) {
            case "listen":
                this.#follow(link, false, { i, since: undefined });
                return;
            case "history":
                if (link.following && !link.following.live) {
                    this.#tell(link, { op: "retry", i, code: "M2021", after_ms: 250 });
                } else {
                    const known = link.following !== undefined;
                    const history: ServerFrame = { op: "history", i, items: [] };
                    this.#tell(link, known ? history : { op: "err", i, code: "M2003" });
                }
                return;
            case "unlisten":
                if (link.following && !link.following.member) {
                    this.#unfollow(link);
                }
                this.#tell(link, { op: "ok", i });
                return;
        }
        if (frame["try"] === 1 && this.#chance("refusal", 2)) {
            this.#tell(link, { op: "refused", i, try: 1, code: "M2023" });
        } else if (frame.op === "join" || frame.op === "leave") {
            this.#pass(link, () => {
                const verdict = this.#decide(link, frame);
                const joined = this.member ? this.#inc : 0;
                const place: Cursor = [frame["inc"] || this.#inc, frame["n"]];
                this.#pass(link, () => this.#answerPassed(link, frame, verdict, place, joined));
            });
        } else {
            this.#answer(link, i, this.#decide(link, frame));
        }
    }

    #answer(link: Link, i: number, verdict: Verdict | undefined): void {
        if (verdict && !this.#chance("silence", 2)) {
            this.#tell(link, { ...verdict.frame, i } as unknown as ServerFrame);
        }
    }

    /**
     * `place` is where it was decided, `joined` the life of the queue that the user was a member of
     * when it answered.
     */
    #answerPassed(
        link: Link,
        frame: Written,
        verdict: Verdict | undefined,
        place: Cursor,
        joined: number,
    ): void {
        const i = frame["i"] as number;
        const [inc, n] = link.answered;
        const late = place[0] === inc && place[1] <= n;
        const ok = verdict?.frame.op === "ok" && !late;
        if (this.#chance("silence", 2)) {
            return; // The answer is lost on its way to the gateway.
        }
        if (ok && frame.op === "join" && joined > 0) {
            this.#follow(link, true, { i, since: undefined, joined });
            return;
        }
        const ends = ok && frame.op === "leave";
        if (ends) {
            link.answered = place;
            this.#unfollow(link);
        }
        if (verdict) {
            this.#tell(link, { ...verdict.frame, i } as unknown as ServerFrame);
        }
        if (ends && joined > 0) {
            // A leave of long ago, sent again: the user has joined since.
            this.#follow(link, true, { i: undefined, since: undefined, joined });
        }
    }

    // What the queue does: the first line that fits.

    #decide(link: Link, frame: Written): Verdict | undefined {
        const [n, named] = [frame["n"] as number, frame["inc"] as number];
        const no = (code: string): Written => ({ op: "err", code, outcome: "rejected" });
        const ok = (): Written => ({ op: "ok", seq: this.#seq });
        const once = (verdict: Written): Verdict => ({ frame: verdict, fresh: true });
        if (named > this.#inc) {
            throw new Error(`inc ${named} from nowhere`);
        }
        if (named !== 0 && (named < this.#inc || !this.#exists)) {
            return once({ op: "err", code: "M2010", outcome: "unknown" });
        }
        if (!this.#exists && frame.op !== "join") {
            return once(no("M2002"));
        }
        if (!this.#exists) {
            this.#exists = true;
            this.#inc++;
        }
        let record = this.#records.get(link.cid);
        if (this.#expired.has(link.cid) || (!record && n !== 1)) {
            return once({ op: "err", code: "M2011", outcome: "unknown" });
        }
        record ??= { hi: 0, results: new Map() };
        this.#records.set(link.cid, record);
        if (n <= record.hi - windowCount) {
            if (frame.op !== "join" && frame.op !== "leave") {
                // A copy of those may be late, as it takes another way.
                this.breaches.push(`number ${n} is far behind ${record.hi}`);
            }
            this.#close(link, 4000);
            return undefined;
        }
        if (n <= record.hi) {
            return { frame: record.results.get(n) as Written, fresh: false };
        }
        if (n !== record.hi + 1) {
            return once({ op: "retry", code: "M2020" });
        }
        record.hi = n;
        const maySend = this.member || this.anyoneMaySend;
        let result: Written;
        if (frame.op === "withdraw") {
            result = no("M2006");
        } else if (frame.op === "join") {
            result = this.#chance("rejection", 2) ? no("M2004") : this.#enter();
        } else if (frame.op === "leave") {
            result = this.member ? this.#leave("left") : no("M2003");
        } else if (!maySend || this.#chance("rejection")) {
            result = no(maySend ? "M2004" : "M2003");
        } else if (frame.op === "send") {
            this.#event({ op: "msg", q: room, m: "chat", seq: 0, from: user, d: frame["d"] });
            result = ok();
        } else {
            const set = { [frame["k"] as string]: frame["d"] };
            this.state = { ...this.state, ...set };
            this.#event({ op: "state", q: room, m: "scores", seq: 0, set });
            result = ok();
        }
        record.results.set(n, result);
        return once(result);
    }

    #enter(): Written {
        if (!this.member) {
            this.member = true;
            this.#event({ op: "members", q: room, seq: 0, set: { [user]: {} }, count: 1 });
        }
        return { op: "ok", seq: this.#seq };
    }

    #leave(why: string): Written {
        this.member = false;
        this.#event({ op: "members", q: room, seq: 0, del: { [user]: why }, count: 0 });
        return { op: "ok", seq: this.#seq };
    }

    #event(event: ServerFrame): void {
        const frame = { ...event, seq: ++this.#seq } as ServerFrame;
        this.#history.push(frame);
        this.applied.push({ inc: this.#inc, seq: this.#seq, frame });
        for (const link of this.#following) {
            if (link.following?.live) {
                this.#tell(link, frame);
            }
        }
    }
}
