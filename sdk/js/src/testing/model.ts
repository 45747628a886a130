/**
 * A model of the server for one room and one user, with all the faults that the guarantees speak
 * of: lost requests, lost answers, cuts, refusals, holes, a lost queue, a lost session, a forgotten
 * client. It follows GUARANTEES 5.1 and keeps a log of what took effect, for the checks.
 */
import type { Cursor, ServerFrame } from "../wire.ts";
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

interface Link {
    socket: number;
    greeted: boolean;
    listening: boolean;
    /** Gone for the client; what is on its way to the queue may still arrive before the fence. */
    cut: boolean;
    toServer: { at: number; text: string }[];
    toClient: { at: number; frame: ServerFrame | number }[];
}

export const room = "/room/1";
const user = "alice";

export class Model {
    now = 0;
    /** How likely each fault is, per chance it gets; 0 = all is well. */
    faults = 0.03;
    readonly applied: Applied[] = [];
    #links: Link[] = [];
    #inc = 1;
    #seq = 0;
    #history: ServerFrame[] = [];
    state: Record<string, unknown> = {};
    member = false;
    #records = new Map<string, { hi: number; results: Map<number, Written> }>();
    #expired = new Set<string>();
    #session = 1;
    #known = true;
    readonly #random: () => number;

    constructor(random: () => number) {
        this.#random = random;
    }

    get at(): Cursor {
        return [this.#inc, this.#seq];
    }

    #chance(share = 1): boolean {
        return this.#random() < this.faults * share;
    }

    // What the network does.

    connect(socket: number): void {
        const link: Link = {
            socket,
            greeted: false,
            listening: false,
            cut: false,
            toServer: [],
            toClient: [],
        };
        this.#links.push(link);
        this.#tell(link, this.#chance(4) ? 1006 : 0);
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
            if (!link.cut && this.#chance(0.05)) {
                this.#close(link, 1006); // The wire is cut; answers on their way are lost.
            }
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
        link.listening = false;
    }

    #misfortune(): void {
        if (this.#chance(0.03)) {
            // The node of the queue is lost.
            this.#inc += 1 + Math.floor(this.#random() * 3);
            this.#seq = 0;
            this.#history = [];
            this.state = {};
            this.member = false;
            this.#records.clear();
            for (const link of this.#links.filter(({ listening }) => listening)) {
                const mounts = { scores: { type: "state", value: {} } } as const;
                this.#tell(link, { op: "reset", q: room, at: this.at, why: "gone", mounts });
            }
        }
        if (this.#chance(0.01)) {
            // All clients were away for too long.
            this.#expired = new Set([...this.#expired, ...this.#records.keys()]);
            this.#records.clear();
        }
        if (this.#chance(0.02)) {
            this.#session++;
            this.member = false;
            this.#links.forEach((link) => this.#close(link, 4004));
        }
        if (this.#chance(0.02)) {
            this.#known = false;
        }
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
        if (frame["resume"] !== undefined && !this.#known) {
            this.#known = true;
            this.#close(link, 4010);
            return;
        }
        // The fence: nothing of the older connections takes effect from here on.
        for (const other of this.#links.filter(({ socket }) => socket < link.socket)) {
            other.toServer = [];
            other.cut = true;
            other.listening = false;
        }
        link.greeted = true;
        const cid = `cid of ${frame["nonce"] ?? String(frame["cid"]).slice(7)}`;
        this.#cids.set(link.socket, cid);
        const identity = { user, session: this.#session, resume: "r", cid, ping: 15 };
        this.#tell(link, { op: "hello", v: 1, ...identity });
        const since = frame["since"]?.[room] as Cursor | undefined;
        if (since || this.member) {
            this.#stream(link, since);
        }
    }

    readonly #cids = new Map<number, string>();

    /** Starts the stream of the room: what was missed, then where it stands. */
    #stream(link: Link, since?: Cursor, i?: number): void {
        const known = since?.[0] === this.#inc && since[1] <= this.#seq;
        let resume: "fresh" | "snapshot" | `replayed ${number}` = since ? "snapshot" : "fresh";
        if (known && this.#random() < 0.7) {
            const missed = this.#history.slice(since[1]);
            missed.forEach((frame) => this.#tell(link, frame));
            resume = `replayed ${missed.length}`;
        }
        link.listening = true;
        this.#tell(link, {
            op: "joined",
            q: room,
            ...(i !== undefined && { i }),
            member: this.member,
            at: this.at,
            resume: { chat: resume },
            mounts: { chat: { type: "message" }, scores: { type: "state", value: this.state } },
            members: this.member ? 1 : 0,
            who: this.member ? { [user]: {} } : {},
        });
    }

    #request(link: Link, frame: Written): void {
        const i = frame["i"] as number;
        if (this.#chance(2)) {
            return; // The gateway could not hand it over within its time.
        }
        if (this.#chance(2)) {
            this.#tell(link, { op: "retry", i, code: "M2022", after_ms: 100 });
            return;
        }
        if (frame.op === "listen") {
            this.#stream(link, undefined, i);
            return;
        }
        if (frame.op === "history" && !link.listening) {
            this.#tell(link, { op: "err", i, code: "M2003" });
            return;
        }
        if (frame.op === "history") {
            this.#tell(link, { op: "history", i, items: [] });
            return;
        }
        if (frame.op === "unlisten") {
            link.listening = false;
            this.#tell(link, { op: "ok", i });
            return;
        }
        if (frame["try"] === 1 && this.#chance(2)) {
            this.#tell(link, { op: "refused", i, try: 1, code: "M2023" });
            return;
        }
        const answer = this.#queue(link, frame);
        if (answer && !this.#chance(2)) {
            this.#tell(link, answer);
        }
    }

    // What the queue does: the first line that fits.

    #queue(link: Link, frame: Written): ServerFrame | undefined {
        const i = frame["i"] as number;
        const [n, named] = [frame["n"] as number, frame["inc"] as number];
        const cid = this.#cids.get(link.socket) as string;
        if (named > this.#inc) {
            throw new Error(`inc ${named} from nowhere`);
        }
        if (named !== 0 && named < this.#inc) {
            return { op: "err", i, code: "M2010" };
        }
        let record = this.#records.get(cid);
        if (named === 0 && record && frame.op === "join") {
            this.#join(link, i); // It is carried out once more, which harms nobody.
            return undefined;
        }
        if (this.#expired.has(cid) || (!record && n !== 1)) {
            return { op: "err", i, code: "M2011" };
        }
        record ??= { hi: 0, results: new Map() };
        this.#records.set(cid, record);
        if (n <= record.hi) {
            const stored = record.results.get(n) as Written;
            if (frame.op === "join" && stored.op === "ok") {
                this.#stream(link, undefined, i);
                return undefined;
            }
            return { ...stored, i } as unknown as ServerFrame;
        }
        if (n !== record.hi + 1) {
            return { op: "retry", i, code: "M2020" };
        }
        record.hi = n;
        const no = (code: string): Written => ({ op: "err", code, outcome: "rejected" });
        const ok = (): Written => ({ op: "ok", seq: this.#seq });
        let result: Written;
        switch (frame.op) {
            case "withdraw":
                result = no("M2006");
                break;
            case "join":
                if (this.#chance(2)) {
                    result = no("M2004");
                    break;
                }
                record.results.set(n, ok());
                this.#join(link, i);
                return undefined;
            case "leave":
                this.member = false;
                this.#event({ op: "members", q: room, seq: 0, del: { [user]: "leave" }, count: 0 });
                link.listening = false;
                result = ok();
                break;
            default:
                if (!this.member || this.#chance(1)) {
                    result = no("M2003");
                } else if (frame.op === "send") {
                    const d = frame["d"];
                    this.#event({ op: "msg", q: room, m: "chat", seq: 0, from: user, d });
                    result = ok();
                } else {
                    const k = frame["k"] as string;
                    this.state = { ...this.state, [k]: frame["d"] };
                    const set = { [k]: frame["d"] };
                    this.#event({ op: "state", q: room, m: "scores", seq: 0, set });
                    result = ok();
                }
        }
        record.results.set(n, result);
        return { ...result, i } as unknown as ServerFrame;
    }

    #join(link: Link, i: number): void {
        if (!this.member) {
            this.member = true;
            this.#event({ op: "members", q: room, seq: 0, set: { [user]: {} }, count: 1 });
        }
        this.#stream(link, undefined, i);
    }

    #event(event: ServerFrame): void {
        const frame = { ...event, seq: ++this.#seq } as ServerFrame;
        this.#history.push(frame);
        this.applied.push({ inc: this.#inc, seq: this.#seq, frame });
        this.#links.filter(({ listening }) => listening).forEach((link) => this.#tell(link, frame));
    }
}
