/**
 * docs/tutorials/first-room.md, done as it stands there: what is typed, and what comes back.
 *
 * In its ```js blocks, `say({…})` is a frame that is sent, and a comment that begins with `// <` a
 * frame that then comes (`//    ` goes on with it). In frames `…` stands for anything; what differs
 * from run to run (times, sessions, what the dice show) may be another number. `AQAA…` and `2f5c…`
 * stand for the `resume` and `cid` of the last hello. A fenced block without a language holds
 * commands; a `hello` after the first one is said on a new connection.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Command } from "./command.ts";
import { type Frame, Peer } from "./peer.ts";
import { binary, repository, serverOfFile } from "./server.ts";
import { type Block, blocks } from "./transcript.ts";
import { within } from "./wait.ts";

const page = "docs/tutorials/first-room.md";
const tutorial = blocks(readFileSync(join(repository, page), "utf8"));
const server = await serverOfFile();

/** The steps of a block: what is said, and the frames that are shown to come then. */
interface Step {
    said: string;
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
        } else if (text.startsWith("say(")) {
            steps.push({ said: text, shown: [], line: block.line + index });
        } else if (last && last.shown.length === 0) {
            last.said += `\n${text}`;
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

/** Who follows the tutorial. */
class Typist {
    peer: Peer | undefined;
    texts: string[] = [];
    hello: Frame | undefined;

    async say(frame: Frame): Promise<void> {
        if (frame.op === "hello") {
            this.peer?.socket.terminate();
            this.peer = await Peer.connect(server);
            this.texts = [];
            this.peer.socket.on("message", (bytes) => this.texts.push(String(bytes)));
        }
        this.peer?.write(frame);
    }

    /** Waits for a frame that looks as shown. */
    async hears(shown: string, where: string): Promise<Frame> {
        const like = frameLike(shown);
        const find = async () => {
            for (;;) {
                const found = this.texts.findIndex((text) => like.test(text));
                if (found >= 0) {
                    return JSON.parse(this.texts.splice(found, 1)[0] as string) as Frame;
                }
                await (this.peer as Peer).frames.next();
            }
        };
        const came = () => `${where}\n${shown}\nas a frame; came:\n${this.texts.join("\n")}`;
        return within(find(), came, 5_000);
    }
}

/** The history that each queue has here, not the one on the page. */
const incs = new Map<string, number>();

test("the tutorial can be typed as it stands there, and shows what comes", async () => {
    const typist = new Typist();
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
        for (const { said, shown, line } of stepsOf(block)) {
            const where = `${page}:${line}`;
            const typed = said
                .replaceAll("AQAA…", typist.hello?.["resume"] ?? "")
                .replaceAll("2f5c…", typist.hello?.["cid"] ?? "")
                .replaceAll(/"(\/room\/\w+)": \[\d{9,},/g, (_, q) => `"${q}": [${incs.get(q)},`);
            const typing: Frame[] = [];
            new Function("say", typed)((frame: Frame) => typing.push(frame));
            for (const frame of typing) {
                await typist.say(frame);
            }
            for (const text of shown) {
                const came = await typist.hears(text, where);
                frames++;
                if (came.op === "hello") {
                    typist.hello = came;
                }
                if (came.op === "joined") {
                    incs.set(came["q"], came["at"][0]);
                }
            }
        }
    }
    expect(frames).toBeGreaterThan(8);
});

