/** One visit to a room, without its looks: what the page shows, and what its buttons do. */
import { type Client, connect, type Members, type Queue, type StateMount } from "@muster/client";
import type { Cursor, MessageEvent, Status } from "@muster/client";
import { Wire } from "./wire.ts";
import { failureText, resumeText, type Roll, sumOf } from "./words.ts";

type Mounts = { chat: { text: string }; dice: Roll };
type States = { scores: number };

/** Something that was said or rolled; `seq` is its place in the room. */
export type Entry = { seq: number; from: string; time: number } & (
    { kind: "chat"; text: string } | { kind: "dice"; roll: Roll }
);

/** Something that was said or rolled here and has no verdict yet. */
export interface Unsent {
    id: number;
    text: string;
}

export interface Notice {
    id: number;
    time: number;
    text: string;
    kind: "info" | "problem";
}

const entriesMax = 300;
const noticesMax = 6;

export class DiceRoom {
    readonly user: string;
    readonly room: string;
    entries: Entry[] = [];
    unsent: Unsent[] = [];
    notices: Notice[] = [];
    /** Why the user is not in the room though on line; undefined while in it, or on the way. */
    outside: string | undefined;
    readonly #client: Client;
    readonly #queue: Queue<Mounts, States>;
    readonly #wire = new Wire();
    readonly #changed: () => void;
    #lastId = 0;
    /** The life of the room that `entries` belong to. */
    #inc = 0;

    /** `changed` is called whenever there is something new to show. */
    constructor(url: string, user: string, room: string, changed: () => void) {
        this.user = user;
        this.room = room;
        this.#changed = changed;
        this.#client = connect(url, { user, WebSocket: this.#wire.WebSocket });
        this.#queue = this.#client.queue(room);
        this.#listen();
        this.enter();
    }

    /** Joins the room, also again. */
    enter(): void {
        this.outside = undefined;
        this.#changed();
        this.#queue.join().catch((error: unknown) => this.#stayOutside(failureText("Joining", error)));
    }

    get status(): Status {
        return this.#client.status;
    }

    get members(): Members {
        return this.#queue.members;
    }

    get scores(): StateMount<number> {
        return this.#queue.state("scores");
    }

    get isCut(): boolean {
        return this.#wire.isCut;
    }

    say(text: string): void {
        this.#send(text, this.#queue.message("chat").send({ text }));
    }

    /** Asks the room to roll; the room decides what the dice show. */
    roll(dice: string): void {
        this.#send(`rolls ${dice}`, this.#queue.message("dice").send({ roll: dice }));
    }

    cut(): void {
        this.#tell("You pulled the cable. What you say now waits for up to 30 s.");
        this.#wire.cut();
        this.#changed();
    }

    mend(): void {
        this.#wire.mend();
        // What a browser tells when its network is back; the client then tries at once.
        globalThis.dispatchEvent(new Event("online"));
        this.#changed();
    }

    /** Leaves the room and ends the connection. */
    async leave(): Promise<void> {
        if (this.status.state === "online") {
            await this.#queue.leave().catch(() => {});
        }
        await this.#client.close();
    }

    /** Ends the connection, but not the membership. */
    close(): void {
        void this.#client.close();
    }

    #listen(): void {
        const queue = this.#queue;
        this.#client.on("status", this.#changed);
        queue.members.on("change", this.#changed);
        queue.state("scores").on("change", this.#changed);
        queue.message("chat").on((event) => this.#add([chatEntry(event)]));
        queue.message("dice").on((event) => {
            this.#add([diceEntry(event)]);
            if (event.from === this.user) {
                this.#score(sumOf(event.data));
            }
        });
        queue.on("joined", ({ again, resume, at }) => {
            this.outside = undefined;
            this.#follow(at);
            if (again) {
                this.#tell(`Back in the room. ${resumeText(resume)}`);
            }
            void this.#showHistory();
        });
        queue.on("gap", ({ mount, from, to }) =>
            this.#tell(`${mount}: places ${from} to ${to} came too fast and were dropped`),
        );
        queue.on("stalled", (on) =>
            this.#tell(on ? "The room does not answer for the moment." : "The room answers again."),
        );
        queue.on("reset", ({ why, at }) => {
            this.#follow(at);
            this.#tell(`The room begins anew (${why}).`);
        });
        queue.on("left", ({ why }) =>
            this.#stayOutside(`You are not in the room any more (${why}).`),
        );
    }

    #stayOutside(why: string): void {
        this.outside = why;
        this.#tell(why, "problem");
    }

    /** A room that was lost and made again counts its places from the start. */
    #follow([inc]: Cursor): void {
        if (inc !== this.#inc) {
            this.#inc = inc;
            this.entries = [];
        }
    }

    async #showHistory(): Promise<void> {
        try {
            const [chat, dice] = await Promise.all([
                this.#queue.message("chat").history(),
                this.#queue.message("dice").history(),
            ]);
            this.#add([...chat.map(chatEntry), ...dice.map(diceEntry)]);
        } catch (error) {
            this.#tellFailure("History", error);
        }
    }

    /** Whoever else writes at the same time: the sum is added once. */
    #score(sum: number): void {
        this.scores
            .update(this.user, (score = 0) => score + sum)
            .catch((error: unknown) => this.#tellFailure("Your score", error));
    }

    #send(text: string, sent: Promise<unknown>): void {
        const unsent = { id: ++this.#lastId, text };
        this.unsent = [...this.unsent, unsent];
        this.#changed();
        sent.catch((error: unknown) => this.#tellFailure(`“${text}”`, error)).finally(() => {
            this.unsent = this.unsent.filter((other) => other !== unsent);
            this.#changed();
        });
    }

    /** Places of the room are unique, so what history and stream both tell is shown once. */
    #add(entries: Entry[]): void {
        const bySeq = new Map(this.entries.map((entry) => [entry.seq, entry]));
        for (const entry of entries) {
            bySeq.set(entry.seq, entry);
        }
        this.entries = [...bySeq.values()].sort((a, b) => a.seq - b.seq).slice(-entriesMax);
        this.#changed();
    }

    #tell(text: string, kind: Notice["kind"] = "info"): void {
        const notice = { id: ++this.#lastId, time: Date.now(), text, kind };
        this.notices = [...this.notices, notice].slice(-noticesMax);
        this.#changed();
    }

    #tellFailure(what: string, error: unknown): void {
        this.#tell(failureText(what, error), "problem");
    }
}

function chatEntry(event: MessageEvent<{ text: string }>): Entry {
    // Anybody may send anything; what is no chat line is shown as it is.
    const { text = undefined } = Object(event.data) as { text?: unknown };
    const shown = typeof text === "string" ? text : JSON.stringify(event.data);
    return { kind: "chat", ...common(event), text: shown ?? "" };
}

function diceEntry(event: MessageEvent<Roll>): Entry {
    const { roll, got } = Object(event.data) as Partial<Roll>;
    const eyes = Array.isArray(got) ? got.filter((one) => typeof one === "number") : [];
    return { kind: "dice", ...common(event), roll: { roll: String(roll ?? "?"), got: eyes } };
}

function common({ seq, from, time }: MessageEvent<unknown>) {
    return { seq, from: from ?? "the backend", time };
}
