/** The live copies of what a queue holds: the keys of a state mount, and the members. */
import * as codes from "./codes.ts";
import { MusterError } from "./errors.ts";
import { Listeners } from "./listeners.ts";
import type { RequestOptions, SendResult } from "./queue.ts";
import type { MemberInfo, MembersFrame, MountSnapshot, StateFrame } from "./wire.ts";

export interface SetOptions extends RequestOptions {
    /**
     * Only if the key last changed at this `seq`; 0 = only if it is not there. Otherwise M3009,
     * whose error tells the `current` one.
     */
    ifSeq?: number;
}

/** Makes the request; `value` undefined deletes the key. */
type Write = (key: string, value: unknown, options: SetOptions) => Promise<SendResult>;

const updateTriesMax = 20;

/** A value that is not JSON is shown as `{ base64 }`. */
function bytesOf(values: Record<string, string> = {}): Record<string, { base64: string }> {
    const entries = Object.entries(values);
    return Object.fromEntries(entries.map(([key, base64]) => [key, { base64 }]));
}

function isSame(a: unknown, b: unknown): boolean {
    return JSON.stringify(a) === JSON.stringify(b);
}

/**
 * A live copy of one state mount: key to its latest value. Reading costs nothing; it shows what the
 * server has told so far, so an accepted `set` appears here when its event arrives, like everybody
 * else's. Empty while the queue is neither joined nor listened to.
 */
export class StateMount<Value> {
    readonly #values = new Map<string, Value>();
    readonly #seqs = new Map<string, number>();
    readonly #listeners = new Listeners<{
        change: [key: string, now: Value | undefined, was: Value | undefined];
    }>();
    readonly #write: Write;
    /** The queue's `seq` up to which this copy is complete. */
    #at = 0;
    #readers: (() => void)[] = [];

    /** @internal */
    constructor(write: Write) {
        this.#write = write;
    }

    get(key: string): Value | undefined {
        return this.#values.get(key);
    }

    has(key: string): boolean {
        return this.#values.has(key);
    }

    get size(): number {
        return this.#values.size;
    }

    keys(): IterableIterator<string> {
        return this.#values.keys();
    }

    entries(): IterableIterator<[string, Value]> {
        return this.#values.entries();
    }

    /** The `seq` at which the key last changed, for `ifSeq`; undefined where that is not known. */
    seqOf(key: string): number | undefined {
        return this.#values.has(key) ? this.#seqs.get(key) : 0;
    }

    /**
     * Sets a key. While there is no connection, only the newest value of each key waits, as long as
     * it takes; a value that was replaced while it waited shares the newer one's verdict.
     * Conditional sets wait one by one, like messages.
     *
     * Errors: MusterError; M3009 conflict, M3003 too_big, M3004 full, M2003 not_member and others.
     */
    set(key: string, value: Value, options: SetOptions = {}): Promise<SendResult> {
        return this.#write(key, value, options);
    }

    /** Removes a key; otherwise as {@link set}. */
    delete(key: string, options: SetOptions = {}): Promise<SendResult> {
        return this.#write(key, undefined, options);
    }

    /**
     * Sets a key to what `change` makes of its present value, once, whoever else writes: where
     * another one was first, `change` is asked again with the newer value. `change` returns
     * undefined to delete the key.
     *
     * ```ts
     * await scores.update("alice", (score = 0) => score + 7);
     * ```
     */
    async update(
        key: string,
        change: (now: Value | undefined) => Value | undefined,
        options: RequestOptions = {},
    ): Promise<SendResult> {
        for (let tries = 1; ; tries++) {
            const next = change(this.get(key));
            const ifSeq = this.seqOf(key) ?? this.#at;
            try {
                return await this.#write(key, next, { ...options, ifSeq });
            } catch (error) {
                const current = error instanceof MusterError && error.current;
                const conflict = error instanceof MusterError && error.code === codes.conflict;
                if (!conflict || typeof current !== "number" || tries === updateTriesMax) {
                    throw error;
                }
                // This copy is complete up to `at`: from `current` on it shows the value of then.
                await this.#reach(current === 0 && this.has(key) ? this.#at + 1 : current);
                if ((this.#seqs.get(key) ?? 0) < current) {
                    this.#seqs.set(key, current);
                }
            }
        }
    }

    /** Tells each change, also those found after an interruption. Returns the off switch. */
    on(
        event: "change",
        listener: (key: string, now: Value | undefined, was: Value | undefined) => unknown,
    ): () => void {
        return this.#listeners.on(event, listener);
    }

    /** @internal */
    apply(frame: StateFrame): void {
        const set = { ...frame.set, ...bytesOf(frame.setb) };
        this.#change(set, frame.del ?? [], frame.seq);
    }

    /** @internal Everything is as in `snapshot`, or gone. */
    replace(snapshot: MountSnapshot | undefined): void {
        const value = { ...snapshot?.value, ...bytesOf(snapshot?.valueb) };
        const gone = [...this.#values.keys()].filter((key) => !Object.hasOwn(value, key));
        this.#seqs.clear();
        this.#change(value, gone, undefined);
    }

    /** @internal Everything up to `seq` has been told; 0 = the stream has ended. */
    advance(seq: number): void {
        this.#at = seq;
        this.#readers.splice(0).forEach((read) => read());
    }

    /** Resolves once the copy is complete up to `seq`, or has ended. */
    async #reach(seq: number): Promise<void> {
        while (this.#at < seq) {
            await new Promise<void>((resolve) => this.#readers.push(resolve));
            if (this.#at === 0) {
                return;
            }
        }
    }

    #change(set: Record<string, unknown>, del: string[], seq: number | undefined): void {
        const changes: [string, Value | undefined, Value | undefined][] = [];
        for (const key of del) {
            if (this.#values.has(key)) {
                changes.push([key, undefined, this.#values.get(key)]);
            }
            this.#values.delete(key);
            this.#seqs.delete(key);
        }
        for (const [key, value] of Object.entries(set) as [string, Value][]) {
            const was = this.#values.get(key);
            if (!this.#values.has(key) || !isSame(value, was)) {
                changes.push([key, value, was]);
            }
            this.#values.set(key, value);
            if (seq !== undefined) {
                this.#seqs.set(key, seq);
            }
        }
        // Whoever is told of one change sees the others of the same event, too.
        for (const change of changes) {
            this.#listeners.tell("change", ...change);
        }
    }
}

/** What changed among the members: who is new or different, who left and why. */
export interface MembersChange {
    set: Record<string, MemberInfo>;
    /** User to the reason: `left`, `timeout`, `kicked`. */
    del: Record<string, string>;
    count: number;
}

/**
 * A live copy of the members of a queue: user to what is known of them. The server lists the first
 * 1,024 members; {@link count} counts all.
 */
export class Members {
    readonly #who = new Map<string, MemberInfo>();
    readonly #listeners = new Listeners<{ change: [MembersChange] }>();
    #count_ = 0;

    /** How many members the queue has, listed or not. */
    get count(): number {
        return this.#count_;
    }

    get(user: string): MemberInfo | undefined {
        return this.#who.get(user);
    }

    has(user: string): boolean {
        return this.#who.has(user);
    }

    keys(): IterableIterator<string> {
        return this.#who.keys();
    }

    entries(): IterableIterator<[string, MemberInfo]> {
        return this.#who.entries();
    }

    [Symbol.iterator](): IterableIterator<[string, MemberInfo]> {
        return this.entries();
    }

    /** Tells who came, changed or left. Returns the off switch. */
    on(event: "change", listener: (change: MembersChange) => unknown): () => void {
        return this.#listeners.on(event, listener);
    }

    /** @internal */
    apply(frame: MembersFrame): void {
        this.#change(frame.set ?? {}, frame.del ?? {}, frame.count);
    }

    /** @internal */
    replace(who: Record<string, MemberInfo>, count: number | undefined, why: string): void {
        const gone = [...this.#who.keys()].filter((user) => !Object.hasOwn(who, user));
        const del = Object.fromEntries(gone.map((user) => [user, why]));
        this.#change(who, del, count ?? Object.keys(who).length);
    }

    #change(
        set: Record<string, MemberInfo>,
        del: Record<string, string>,
        count: number | undefined,
    ): void {
        const before = this.#count_;
        const changed = Object.entries(set).filter(
            ([user, info]) => !this.#who.has(user) || !isSame(this.#who.get(user), info),
        );
        const gone = Object.entries(del).filter(([user]) => this.#who.delete(user));
        for (const [user, info] of changed) {
            this.#who.set(user, info);
        }
        this.#count_ = count ?? this.#who.size;
        if (changed.length + gone.length > 0 || this.#count_ !== before) {
            this.#listeners.tell("change", {
                set: Object.fromEntries(changed),
                del: Object.fromEntries(gone),
                count: this.#count_,
            });
        }
    }
}
