/** Commands of the program, run to their end or until they are told to end. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { onTestFinished } from "vitest";
import { binary, plainEnvironment, type Server } from "./server.ts";
import { Arrivals, patienceMs, within } from "./wait.ts";

export interface CommandOptions {
    /** The server to speak with; it takes the place of the default addresses. */
    server?: Server;
    environment?: Record<string, string>;
    /** What runs it, as `["setpriv", "--reuid=65534"]`. */
    runner?: string[];
    folder?: string;
}

export interface Ended {
    code: number;
    out: string;
    err: string;
}

export class Command {
    /** What it prints, line by line. */
    readonly lines = new Arrivals<string>();
    readonly #process: ChildProcessByStdio<null, Readable, Readable>;
    readonly #words: string[];
    readonly #ended: Promise<number>;
    #err = "";

    /** Starts `words`, the program and its arguments; it ends with the running test at the latest. */
    constructor(words: string[], options: CommandOptions = {}) {
        this.#words = words;
        const [program, ...rest] = [...(options.runner ?? []), ...words] as [string, ...string[]];
        const { server } = options;
        this.#process = spawn(program, rest, {
            stdio: ["ignore", "pipe", "pipe"],
            ...(options.folder !== undefined && { cwd: options.folder }),
            env: plainEnvironment({
                ...(server && {
                    MUSTER_SERVER: `ws://${server.client}`,
                    MUSTER_ADMIN: server.admin,
                }),
                ...options.environment,
            }),
        });
        onTestFinished(() => void this.#process.kill("SIGKILL"));
        createInterface(this.#process.stdout).on("line", (line) => this.lines.push(line));
        this.#process.stderr.on("data", (bytes) => (this.#err += bytes));
        this.#ended = Promise.race([
            once(this.#process, "close").then(([code, signal]) => code ?? `signal ${signal}`),
            once(this.#process, "error").then(([error]) => Promise.reject(error as Error)),
        ]);
        this.#ended.then(
            (code) => this.lines.end(new Error(`${this} ended with ${code}: ${this.#err}`)),
            (error) => this.lines.end(error),
        );
    }

    /** Waits for its end, for at most `ms`. */
    async end(ms = patienceMs): Promise<Ended> {
        const now = () => `the end of ${this}; printed: ${this.lines.all.join("\n")} ${this.#err}`;
        const code = await within(this.#ended, now, ms);
        return { code, out: this.lines.all.join("\n"), err: this.#err.replace(remark, "").trimEnd() };
    }

    interrupt(): void {
        this.#process.kill("SIGINT");
    }

    toString(): string {
        return this.#words.join(" ");
    }
}

/** What LeakSanitizer says at the end of a process of which a thread is just ending as well. */
const remark = /^==\d+==Unable to get registers from thread \d+\.\n?/gm;

/** Runs `muster` with these arguments to its end. */
export function muster(words: string[], options?: CommandOptions): Promise<Ended> {
    return new Command([binary, ...words], options).end();
}
