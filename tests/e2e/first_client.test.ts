/**
 * docs/tutorials/first-client.md, done as it stands there, in a folder beside others that looks like
 * this repository. A ```js, ```cpp or ```cmake block is the file that the text before it names last.
 * In ```console blocks the lines that begin with `$ ` are commands, and what stands below is their
 * output, as in README.md. What needs the network, or much time, is done another way:
 *
 *   npm ci && npm run build    is how @muster/client was built for this test: its result is there
 *   npm install … ws           takes the `ws` of these tests
 *   cmake --preset …           the build that the program under test is from is asked for what the
 *                              build preset `client` names
 *
 * 127.0.0.1:7400 stands for the server's real address. The line for those who do not use CMake is
 * taken from client/README.md.
 */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, test } from "vitest";
import { Command, type Ended } from "./command.ts";
import { binary, repository, serverOfFile, temporaryFolder } from "./server.ts";
import { type Block, blocks, commandsOf, matches } from "./transcript.ts";

const page = "docs/tutorials/first-client.md";
const text = readFileSync(join(repository, page), "utf8");
const built = dirname(binary);
const server = await serverOfFile();

/** Compilers take their time on a busy machine, more than what a server does. */
const compilingMs = 240_000;

/** A setting of the build that the program under test is from. */
function ofBuild(name: string): string {
    const cache = readFileSync(join(built, "CMakeCache.txt"), "utf8");
    return new RegExp(`^${name}:\\w+=(.*)$`, "m").exec(cache)?.[1] ?? "";
}

/** The compiler of the build, as an archive with sanitizers fits no other. */
const compiler = () => ofBuild("CMAKE_CXX_COMPILER");

function sanitizers(): string {
    const names = ofBuild("MUSTER_SANITIZERS");
    return names && `-fsanitize=${names}`;
}

/** What the build preset of that name makes. */
function targetsOf(preset: string): string[] {
    const file = JSON.parse(readFileSync(join(repository, "CMakePresets.json"), "utf8"));
    const found = file.buildPresets.find(({ name }: { name: string }) => name === preset);
    return found.targets;
}

function toReal(command: string): string {
    return command
        .replace("npm ci && npm run build", "test -e dist/index.js && test -e dist/index.d.ts")
        .replace(/ ws\)$/, ` ${join(repository, "tests/e2e/node_modules/ws")})`)
        .replace(
            /^cmake --preset \w+ && cmake --build --preset (\w+)$/,
            (_, preset) => `cmake --build ${built} --target ${targetsOf(preset).join(" ")}`,
        );
}

/** Runs a command in a folder that looks like this repository, and returns what it printed. */
async function run(command: string, folder: string, where: string): Promise<Ended> {
    const environment = {
        CXX: compiler(),
        npm_config_offline: "true",
        npm_config_audit: "false",
        npm_config_update_notifier: "false",
    };
    const options = { server, environment, folder };
    const ended = await new Command(["sh", "-c", toReal(command)], options).end(compilingMs);
    expect(ended.code, `${where}\n${ended.out}\n${ended.err}`).toBe(0);
    return ended;
}

/** The file that the text above a block names last. */
function nameOf(block: Block): string {
    const above = text.split("\n").slice(0, block.line - 2).join("\n");
    return [...above.matchAll(/`(\.\.\/hello-\w+\/[\w.]+)`/g)].at(-1)?.[1] ?? "";
}

/** Writes the files that the page shows into one of the folders that it makes. */
function writeFiles(folder: string, into: string): number {
    const files = blocks(text).filter((block) => nameOf(block).startsWith(`${into}/`));
    for (const block of files.filter(({ language }) => /^(js|cpp|cmake)$/.test(language))) {
        const lines = `${block.lines.join("\n")}\n`.replaceAll("127.0.0.1:7400", server.client);
        writeFileSync(join(folder, nameOf(block)), lines);
    }
    return files.length;
}

test(
    "both first clients can be made as the tutorial says, outside of this repository, and chat",
    async () => {
        const folder = join(temporaryFolder(), "muster");
        mkdirSync(join(folder, "build"), { recursive: true });
        symlinkSync(built, join(folder, "build/release"));
        symlinkSync(join(repository, "sdk"), join(folder, "sdk"));
        const folders: string[] = [];
        for (const { command, output, line } of blocks(text)
            .filter(({ language }) => language === "console")
            .flatMap(commandsOf)) {
            const where = `${page}:${line}: ${command}`;
            const { out, err } = await run(command, folder, where);
            const differs = `${where}\nshows\n${output.join("\n")}\nbut prints\n${out}\n${err}`;
            expect(matches(output, out), differs).toBe(true);
            const [, made] = /^mkdir (\S+)$/.exec(command) ?? [];
            if (made !== undefined) {
                folders.push(made);
                expect(writeFiles(folder, made)).toBeGreaterThan(0);
            }
        }
        expect(folders).toEqual(["../hello-js", "../hello-cc"]);
    },
    3 * compilingMs,
);

test(
    "the installed C++ client is whole: all of its archive links with the libraries that its README names",
    async () => {
        const page = "client/README.md";
        const readme = readFileSync(join(repository, page), "utf8");
        const folder = temporaryFolder();
        const prefix = join(folder, "prefix");
        symlinkSync(built, join(folder, "release"));
        const commands = blocks(readme)
            .filter(({ language }) => language === "sh")
            .flatMap(({ lines }) => lines);
        const program = blocks(text).find(({ language }) => language === "cpp")?.lines ?? [];
        writeFileSync(join(folder, "app.cc"), program.join("\n").replace("127.0.0.1:7400", server.client));
        for (const command of commands) {
            const real = command
                .replace("build/release", built)
                .replace("PREFIX", prefix)
                .replace("PREFIX", prefix)
                .replace(/^g\+\+/, `${compiler()} ${sanitizers()}`)
                .replace(" -lmuster ", " -Wl,--whole-archive -lmuster -Wl,--no-whole-archive ");
            await run(real, folder, `${page}: ${command}`);
        }
        const { out } = await run("./app dave", folder, page);
        expect(out).toBe('dave: {"text":"hello from C++"}\ndone');
        const config = readFileSync(join(prefix, "lib/cmake/muster/musterConfig.cmake"), "utf8");
        expect(config).not.toContain(repository);
        expect(config).not.toContain(built);
    },
    3 * compilingMs,
);

test("the README of the C++ client has every handler of a queue", () => {
    const header = readFileSync(join(repository, "include/muster/client.h"), "utf8");
    const readme = readFileSync(join(repository, "client/README.md"), "utf8");
    const queue = /^class Queue \{\n(.*?)^\};/ms.exec(header)?.[1] ?? "";
    const handlers = [...queue.matchAll(/void (on_\w+)\(/g)].map(([, name]) => name as string);
    expect(handlers).toContain("on_reset");
    expect(handlers.filter((name) => !readme.includes(`| \`${name}\` |`))).toEqual([]);
});

test("what leads to the tutorial, and what it leads to, is there", () => {
    for (const [, file] of text.matchAll(/\]\(([^)#:]+)\)/g)) {
        readFileSync(join(repository, "docs/tutorials", file as string));
    }
    for (const from of ["README.md", "docs/tutorials/first-room.md", "sdk/js/README.md", "client/README.md"]) {
        const link = relative(dirname(from), page);
        expect(readFileSync(join(repository, from), "utf8"), from).toContain(`(${link})`);
    }
});
