/**
 * The real program, started for a test: MUSTER_BINARY, or build/dev/muster.
 *
 * Each server has its own data folder and free ports, and is ready when it says so in its log. It
 * ends with its test or its file: alive until then, with exit code 0, `down` as the last line and
 * nothing from a sanitizer; whatever else happens fails the test with all that the server wrote.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { afterAll, afterEach, expect, onTestFinished } from "vitest";
import { Arrivals, within } from "./wait.ts";

export const repository = resolve(import.meta.dirname, "../..");
export const binary = resolve(process.env["MUSTER_BINARY"] ?? `${repository}/build/dev/muster`);

/** The environment without what would configure a server. */
export function plainEnvironment(more: Record<string, string> = {}): Record<string, string> {
    const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("MUSTER_"));
    return { ...(Object.fromEntries(kept) as Record<string, string>), NO_COLOR: "1", ...more };
}

/** Returns a new folder that goes away with the running test, or with the file outside of tests. */
export function temporaryFolder(): string {
    const folder = mkdtempSync(join(tmpdir(), "muster-e2e-"));
    const remove = () => rmSync(folder, { recursive: true, force: true });
    if (expect.getState().currentTestName === undefined) {
        afterAll(remove);
    } else {
        onTestFinished(remove);
    }
    return folder;
}

export interface ServerOptions {
    /** Start with --dev; the default. */
    dev?: boolean;
    /** Settings, each as a `--set NAME=VALUE`. */
    set?: Record<string, string | number | boolean>;
    /** More arguments of `serve`, as `["--config", file]`. */
    args?: string[];
    environment?: Record<string, string>;
    /** The data folder, to start again where another server was; a new one by default. */
    folder?: string;
    /** Where clients connect, to be found again after a restart; any free port by default. */
    client?: string;
    /** What runs the server, as `["prlimit", "--nofile=64"]`. */
    runner?: string[];
    /** Another program in its place. */
    program?: string;
}

export class Server {
    readonly options: ServerOptions;
    readonly folder: string;
    /** What it wrote to stderr, line by line, and to stdout. */
    readonly lines = new Arrivals<string>();
    readonly printed = new Arrivals<string>();
    /** HOST:PORT */
    client = "";
    admin = "";
    readonly #process: ChildProcessByStdio<null, Readable, Readable>;
    readonly #ended: Promise<string>;
    #end: string | undefined;
    #mayEnd = false;

    private constructor(options: ServerOptions) {
        this.options = options;
        this.folder = options.folder ?? join(temporaryFolder(), "data");
        const set = {
            "listen.client": options.client ?? "127.0.0.1:0",
            "listen.admin": "127.0.0.1:0",
            "data.folder": this.folder,
            ...options.set,
        };
        const command = [
            // The server dies with us, whatever we die of.
            ...["setpriv", "--pdeathsig", "KILL"],
            ...(options.runner ?? []),
            ...[options.program ?? binary, "serve"],
            ...(options.dev === false ? [] : ["--dev"]),
            ...Object.entries(set).flatMap(([name, value]) => ["--set", `${name}=${value}`]),
            ...(options.args ?? []),
        ];
        if (!existsSync(binary)) {
            throw new Error(`no program at ${binary}: build it, or name it in MUSTER_BINARY`);
        }
        this.#process = spawn(command[0] as string, command.slice(1), {
            stdio: ["ignore", "pipe", "pipe"],
            env: plainEnvironment(options.environment),
        });
        createInterface(this.#process.stdout).on("line", (line) => this.printed.push(line));
        createInterface(this.#process.stderr).on("line", (line) => this.lines.push(line));
        this.#ended = once(this.#process, "close").then(([code, signal]) => {
            this.#end = signal === null ? `exit code ${code}` : `signal ${signal}`;
            const why = this.failure(`the server ended with ${this.#end}`);
            this.lines.end(why);
            this.printed.end(why);
            return this.#end;
        });
    }

    /** Starts a server; it is ready when this resolves. The caller ends it. */
    static async start(options: ServerOptions = {}): Promise<Server> {
        const server = new Server(options);
        try {
            const up = await server.line("up");
            server.client = /client=(\S+)/.exec(up)?.[1] ?? "";
            server.admin = /admin=(\S+)/.exec(up)?.[1] ?? "";
        } catch (error) {
            server.kill();
            throw error;
        }
        return server;
    }

    get pid(): number {
        return this.#process.pid as number;
    }

    get isAlive(): boolean {
        return this.#end === undefined;
    }

    /** The URL for the SDK, and of the page. */
    get url(): string {
        return `http://${this.client}`;
    }

    get webSocketUrl(): string {
        return `ws://${this.client}/connect`;
    }

    get adminUrl(): string {
        return `http://${this.admin}`;
    }

    /** What opens the admin API outside --dev. */
    get adminKey(): string {
        return readFileSync(join(this.folder, "admin.key"), "utf8").trim();
    }

    /** The HS256 key of the tokens that `muster token` makes. */
    get tokenKey(): string {
        return readFileSync(join(this.folder, "token.key"), "utf8").trim();
    }

    /** Returns the next log line with this event id. */
    line(id: string): Promise<string> {
        return this.lines.next((line) => line.split(" ")[2] === `${id}:`, `log line "${id}"`);
    }

    /** Ends the server as an operator does. Errors: it was dead, or it does not end well. */
    async stop(): Promise<void> {
        if (!this.isAlive) {
            throw this.failure(`the server was dead before its end, with ${this.#end}`);
        }
        this.#mayEnd = true;
        this.#process.kill("SIGTERM");
        const end = await within(this.#ended, () => this.failure("the end after SIGTERM").message);
        const all = this.lines.all;
        if (end !== "exit code 0") {
            throw this.failure(`the server ended with ${end}, not with exit code 0`);
        }
        if (all.at(-1)?.split(" ")[2] !== "down:") {
            throw this.failure(`the last line is not "down" but: ${all.at(-1)}`);
        }
        const complaint = all.find((line) => /Sanitizer|runtime error:/.test(line));
        if (complaint !== undefined) {
            throw this.failure(`a sanitizer complains: ${complaint}`);
        }
    }

    /** Waits for a death that the test has brought about. Returns its signal, or its exit code. */
    async death(): Promise<string> {
        this.#mayEnd = true;
        return await within(this.#ended, () => this.failure("the server's death").message);
    }

    /** Ends the server as a loss of power does. */
    async crash(): Promise<void> {
        this.#mayEnd = true;
        this.kill();
        await within(this.#ended, "the end after SIGKILL");
    }

    kill(): void {
        this.#process.kill("SIGKILL");
    }

    /** What every server of a test goes through at the end. */
    async finish(): Promise<void> {
        if (!this.#mayEnd || this.isAlive) {
            try {
                await this.stop();
            } finally {
                this.kill();
            }
        }
    }

    failure(what: string): Error {
        const all = this.lines.all.slice(-60);
        return new Error(`${what}\nThe server's stderr:\n  ${all.join("\n  ") || "(nothing)"}`);
    }
}

/** Starts a server for all tests of a file: call it at the file's top. */
export async function serverOfFile(options: ServerOptions = {}): Promise<Server> {
    const server = await Server.start(options);
    afterEach(({ task }) => {
        if (task.result?.state === "fail" || !server.isAlive) {
            console.error(server.failure(`after "${task.name}"`).message);
        }
    });
    afterAll(() => server.finish());
    return server;
}

/** Starts a server for the running test. */
export async function serverOfTest(options: ServerOptions = {}): Promise<Server> {
    const server = await Server.start(options);
    onTestFinished(async ({ task }) => {
        if (task.result?.state === "fail") {
            console.error(server.failure(`after "${task.name}"`).message);
        }
        await server.finish();
    });
    return server;
}
