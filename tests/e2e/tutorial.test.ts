/**
 * docs/tutorials/first-room.md, done as it stands there: what is typed, and what comes back.
 *
 * Its ```js blocks are typed, in order, into one JavaScript console, which has the `WebSocket` of a
 * browser. A comment that begins with `// <` shows a frame that is logged then (`//    ` goes on with
 * it). In frames `…` stands for anything; what differs from run to run (times, sessions, what the
 * dice show) may be another number. `AQAA…` and `2f5c…` stand for the `resume` and `cid` of the last
 * hello. A fenced block without a language holds commands.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createContext, runInContext } from "node:vm";
import { expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { Command } from "./command.ts";
import type { Frame } from "./peer.ts";
import { binary, repository, type Server, serverOfFile, serverOfTest } from "./server.ts";
import { type Block, blocks } from "./transcript.ts";
import { Arrivals, within } from "./wait.ts";

const page = "docs/tutorials/first-room.md";
const tutorial = blocks(readFileSync(join(repository, page), "utf8"));
const server = await serverOfFile();

/** The steps of a block: what is typed, and the frames that are shown to come then. */
interface Step {
    typed: string;
    shown: string[];
    line: number;
}

function stepsOf(block: Block): Step[] {
    const steps: Step[] = [];
    for (const [index, text] of block.lines.entries()) {
        const last = steps.at(-1);
        if (text.startsWith("// <")) {
            last?.shown.push(text.slice(4).trim());
        } else if (text.startsWith("//") && last) {
            last.shown.push((last.shown.pop() ?? "") + text.slice(2).trim());
        } else if (last && last.shown.length === 0) {
            last.typed += `\n${text}`;
        } else {
            steps.push({ typed: text, shown: [], line: block.line + index });
        }
    }
    return steps;
}

/** A frame as it is shown becomes the pattern of what comes. */
function frameLike(shown: string): RegExp {
    const text = shown.replaceAll(/AQAA…|2f5c…/g, "…").replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    return new RegExp(
        `^${text
            .replaceAll("…", ".*")
            .replaceAll(/\d{9,}/g, "\\d+")
            .replaceAll('"got":\\[3,5\\]', '"got":\\[\\d+,\\d+\\]')}$`,
    );
}

/** The console of a browser's developer tools, on a page of `server`. */
class Console {
    /** What was logged: frames, without the `<` before them. */
    readonly logged = new Arrivals<string>();
    /** All that came, whether it was logged or not. */
    readonly frames = new Arrivals<Frame>();
    readonly #context: object;
    #texts: string[] = [];

    constructor(server: Server) {
        const { frames } = this;
        class PageWebSocket extends WebSocket {
            constructor(url: string, protocol: string) {
                super(url.replace("127.0.0.1:7400", server.client), protocol);
                onTestFinished(() => this.terminate());
                this.on("message", (bytes) => frames.push(JSON.parse(String(bytes))));
                this.on("close", () => frames.push({ op: "(closed)" }));
            }
        }
        const log = (mark: string, ...words: unknown[]) => {
            this.#texts.push(words.join(" "));
            this.logged.push(`${mark} ${words.join(" ")}`);
        };
        this.#context = createContext({ WebSocket: PageWebSocket, console: { log } });
    }

    type(code: string): void {
        runInContext(code, this.#context);
    }

    /** Waits for a frame that looks as shown. */
    async hears(shown: string, where: string): Promise<Frame> {
        const like = frameLike(shown);
        const find = async () => {
            for (;;) {
                const found = this.#texts.findIndex((text) => like.test(text));
                if (found >= 0) {
                    return JSON.parse(this.#texts.splice(found, 1)[0] as string) as Frame;
                }
                await this.logged.next();
            }
        };
        const came = () => `${where}\n${shown}\nas a frame; came:\n${this.#texts.join("\n")}`;
        return within(find(), came, 5_000);
    }
}

/** The history that each queue has here, not the one on the page. */
const incs = new Map<string, number>();

test("the tutorial can be typed as it stands there, and shows what comes", async () => {
    const typist = new Console(server);
    let hello: Frame | undefined;
    let frames = 0;
    for (const block of tutorial) {
        if (block.language === "") {
            const commands = block.lines.join("\n").replaceAll("\\\n", " ").split("\n");
            for (const command of commands.filter((line) => line.trim())) {
                const real = command
                    .replaceAll("build/release/muster", binary)
                    .replaceAll(/(localhost|127\.0\.0\.1):7401/g, server.admin);
                const ended = await new Command(["sh", "-c", real], { server }).end();
                expect(ended.code, `${page}:${block.line}: ${command}\n${ended.err}`).toBe(0);
                expect(ended.out, command).not.toContain("urn:muster:");
            }
            continue;
        }
        for (const { typed, shown, line } of stepsOf(block)) {
            const real = typed
                .replaceAll("AQAA…", hello?.["resume"] ?? "")
                .replaceAll("2f5c…", hello?.["cid"] ?? "")
                .replaceAll(/"(\/room\/\w+)": \[\d{9,},/g, (_, q) => `"${q}": [${incs.get(q)},`);
            typist.type(real);
            for (const text of shown) {
                const came = await typist.hears(text, `${page}:${line}`);
                frames++;
                if (came.op === "hello") {
                    hello = came;
                }
                if (came.op === "joined") {
                    incs.set(came["q"], came["at"][0]);
                }
            }
        }
    }
    expect(frames).toBeGreaterThan(8);
});

test("whoever types slowly is not cut off: what the tutorial opens answers the server's pings", async () => {
    const hasty = await serverOfTest({
        set: { "gateway.ping_interval": "400ms", "gateway.dead_after": "2s" },
    });
    const typist = new Console(hasty);
    const scripts = tutorial.filter(({ language }) => language === "js");
    for (const { typed } of scripts.slice(0, 2).flatMap(stepsOf)) {
        typist.type(typed);
    }
    await typist.frames.next(({ op }) => op === "hello");
    // Longer than `dead_after` without a word of ours but the answers.
    for (let i = 0; i < 7; i++) {
        const { op } = await typist.frames.next(({ op }) => op === "ping" || op === "(closed)");
        expect(op).toBe("ping");
    }
    expect(typist.logged.all.filter((line) => line.includes("ping\"}"))).toEqual([]);
});
