/**
 * Hands the user's mail to the app, one by one, and acknowledges what it took.
 *
 * Invariants: an acknowledged number stands for all before it, so after a mail that the app did
 * not take none is handed on until the server, at the next sign-in, begins again with that one.
 */
import { throwLater } from "./listeners.ts";
import type { MsgFrame } from "./wire.ts";

/** A message to this user. */
export interface Mail {
    /** Its number, if it is reliable: kept by the server until the app has taken it. */
    n?: number;
    /** Who sent it; undefined for the backend. */
    from: string | undefined;
    /** When, in ms since 1970 by the server's clock. */
    time: number;
    data: unknown;
}

/** So many wait for the app; reliable ones beyond come again at the next sign-in. */
const waitingMax = 256;

export class Mailbox {
    readonly #tell: (mail: Mail) => Promise<unknown>;
    readonly #acknowledge: (n: number) => void;
    #waiting: MsgFrame[] = [];
    #isOpen = false;
    #working = false;
    /** The last number that the app has taken. */
    #taken = 0;
    /** A reliable one was not taken. */
    #stopped = false;

    constructor(tell: (mail: Mail) => Promise<unknown>, acknowledge: (n: number) => void) {
        this.#tell = tell;
        this.#acknowledge = acknowledge;
    }

    /** The server begins again with the first one that was not acknowledged. */
    signedIn(): void {
        this.#stopped = false;
    }

    /** The app listens now. */
    open(): Promise<void> {
        this.#isOpen = true;
        return this.#work();
    }

    take(frame: MsgFrame, listening: boolean): void {
        this.#isOpen = listening;
        const reliable = frame.n !== undefined;
        if (this.#stopped && reliable) {
            return;
        }
        if (this.#waiting.length >= waitingMax) {
            this.#stopped ||= reliable;
            return;
        }
        this.#waiting.push(frame);
        void this.#work();
    }

    async #work(): Promise<void> {
        if (this.#working) {
            return;
        }
        this.#working = true;
        while (this.#isOpen && this.#waiting.length > 0) {
            await this.#handOn(this.#waiting.shift() as MsgFrame);
        }
        this.#working = false;
    }

    async #handOn(frame: MsgFrame): Promise<void> {
        const { n } = frame;
        if (n === undefined || n > this.#taken) {
            const mail = { from: frame.from, time: frame.t ?? 0, data: frame.d };
            try {
                await this.#tell(n === undefined ? mail : { n, ...mail });
            } catch (error) {
                throwLater(error);
                if (n !== undefined) {
                    this.#stopped = true;
                    this.#waiting = this.#waiting.filter((other) => other.n === undefined);
                    return;
                }
            }
            this.#taken = Math.max(this.#taken, n ?? 0);
        }
        if (n !== undefined) {
            this.#acknowledge(this.#taken);
        }
    }
}
