/**
 * The quick start of README.md, done as it stands there.
 *
 * From each ```console (or ```sh) block of the section "Quick start", the lines that begin with
 * `$ ` are commands, run in order in one shell each, in a folder where `build/release/muster` is
 * the program under test. What stands below a command up to the next one is its output, where `…`
 * stands for anything on its line, and for any lines where it stands alone. So that no port is
 * fixed, 127.0.0.1:7400 and localhost:7401 stand for the server's real addresses, in commands as in
 * output. A command fails the test if its exit code is not 0 or its output is another one.
 *
 *   make run          starts the program with the arguments that `make -n run` names
 *   make TARGET       is not made, but `make -n TARGET` must work: it is how this test was built
 *   git clone, cd     are passed over: we are there already
 *
 * The ```ts block of the section is run, too, and every `make TARGET` that README.md and
 * CONTRIBUTING.md name must be in the Makefile.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { connect, type ConnectOptions } from "@muster/client";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { Command, muster } from "./command.ts";
import { binary, repository, Server, serverOfTest, temporaryFolder } from "./server.ts";
import { blocks, commandsOf, matches, section } from "./transcript.ts";
import { within } from "./wait.ts";

const readme = readFileSync(join(repository, "README.md"), "utf8");
const quickStart = section(readme, "Quick start");
const quickBlocks = blocks(quickStart.text, quickStart.line);
const isShell = ({ language }: { language: string }) => /^(console|sh|shell|bash)$/.test(language);
const shown = quickBlocks.filter(isShell).flatMap(commandsOf);

/** The arguments with which `make run` starts the program. */
function argumentsOfMakeRun(): string[] {
    const recipe = execFileSync("make", ["-n", "run"], { cwd: repository, encoding: "utf8" });
    const start = recipe.split("\n").find((line) => /\/muster\s/.test(line)) ?? "";
    const words = start.replace(/^.*\/muster\s+/, "").trim().split(/\s+/);
    expect(words[0], recipe).toBe("serve");
    return words.slice(1);
}

/** A folder that looks like the repository after `make build`. */
function builtFolder(): string {
    const folder = temporaryFolder();
    const program = join(folder, "build/release/muster");
    mkdirSync(dirname(program), { recursive: true });
    symlinkSync(binary, program);
    return folder;
}

function toReal(text: string, server: Server): string {
    return text
        .replaceAll(/(127\.0\.0\.1|localhost):7400/g, server.client)
        .replaceAll(/(127\.0\.0\.1|localhost):7401/g, server.admin);
}

function toShown(text: string, server: Server): string {
    return text.replaceAll(server.client, "127.0.0.1:7400").replaceAll(server.admin, "127.0.0.1:7401");
}

test("the addresses of README.md are the ones that a server has by itself", async () => {
    const { out } = await muster(["config", "show", "-o", "json"]);
    expect(JSON.parse(out).listen).toEqual({ client: "127.0.0.1:7400", admin: "127.0.0.1:7401" });
    expect((await muster(["pub", "--help"])).out).toContain("127.0.0.1:7400");
    expect((await muster(["queue", "ls", "--help"])).out).toContain("127.0.0.1:7401");
});

test("every command of the quick start runs, and prints what is shown", async () => {
    expect(shown.length).toBeGreaterThanOrEqual(2);
    const folder = builtFolder();
    let server: Server | undefined;
    for (const { command, output, line } of shown) {
        const where = `README.md:${line}: ${command}`;
        let printed = "";
        if (/^(git clone|cd) /.test(command)) {
            continue;
        } else if (command === "make run") {
            const args = argumentsOfMakeRun();
            server = await serverOfTest({
                dev: args.includes("--dev"),
                args: args.filter((word) => word !== "--dev"),
            });
            // It says so after it is ready; what is shown is all that it says.
            const said = () => toShown((server as Server).printed.all.join("\n"), server as Server);
            while (!matches(output, said())) {
                await server.printed.next(undefined, `${where}, and all of\n${output.join("\n")}\n`);
            }
            continue;
        } else if (/^make( \w+)?$/.test(command)) {
            execFileSync("make", ["-n", ...command.split(" ").slice(1)], { cwd: repository });
            continue;
        } else {
            const running = server as Server;
            expect(running, `${where}: needs a server, which none has started yet`).toBeDefined();
            const real = toReal(command, running);
            const options = { server: running, folder };
            const ended = await new Command(["sh", "-c", real], options).end();
            expect(ended.code, `${where}\n${ended.err}`).toBe(0);
            printed = toShown(ended.out, running);
        }
        const asShown = matches(output, printed);
        expect(asShown, `${where}\nshows\n${output.join("\n")}\nbut prints\n${printed}`).toBe(true);
    }
    expect(server, "`make run` is a part of the quick start").toBeDefined();
});

describe("its program runs against a server", () => {
    for (const block of quickBlocks.filter(({ language }) => /^(ts|js)$/.test(language))) {
        test(`README.md:${block.line}`, async () => {
            const server = await serverOfTest();
            const connectHere = (urls: string | string[], options: ConnectOptions) => {
                const real = [urls].flat().map((url) => toReal(url, server));
                const client = connect(real, { WebSocket, ...options });
                onTestFinished(() => client.close());
                return client;
            };
            const AsyncFunction = (async () => {}).constructor as FunctionConstructor;
            const code = block.lines.filter((line) => !/^import /.test(line)).join("\n");
            const program = new AsyncFunction("connect", "console", code);
            const logged: unknown[][] = [];
            const log = (...words: unknown[]) => logged.push(words);
            await within(program(connectHere, { log }), "the end of the program");
            if (code.includes("console.log") && code.includes(".send(")) {
                expect(logged.length).toBeGreaterThan(0);
            }
        });
    }
});

test("every `make` of README.md and CONTRIBUTING.md is there", () => {
    for (const page of ["README.md", "CONTRIBUTING.md"]) {
        const text = readFileSync(join(repository, page), "utf8");
        const code = [...text.matchAll(/`([^`\n]+)`|^(?:\$ | {4})(.*)$/gm)].map((m) => m[1] ?? m[2] ?? "");
        const targets = new Set(code.flatMap((part) => /^make ([a-z]+)/.exec(part)?.[1] ?? []));
        expect(targets.size, page).toBeGreaterThan(0);
        for (const target of targets) {
            execFileSync("make", ["-n", target], { cwd: repository });
        }
    }
});
