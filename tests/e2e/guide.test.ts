/**
 * docs/guides/first-server.md, done as it stands there.
 *
 * Its ```toml block is the file `muster.toml`. In its ```console blocks the lines that begin with
 * `$ ` are commands, run in order in one shell each, in one folder, where `muster` is the program
 * under test; what stands below a command is its output, as in README.md. `muster serve` starts the
 * server; a command that needs the next block to end (`sub`) goes on while that is done. So that no
 * port is fixed, the server has free ones, and localhost:7401 stands for the real one.
 */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Command, type Ended, muster } from "./command.ts";
import { binary, repository, type Server, serverOfTest, temporaryFolder } from "./server.ts";
import { blocks, commandsOf, matches } from "./transcript.ts";

const page = "docs/guides/first-server.md";
const text = readFileSync(join(repository, page), "utf8");
const found = blocks(text);

test("every command of the guide to a first server runs, and prints what is shown", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "bin"));
    symlinkSync(binary, join(folder, "bin", "muster"));
    const environment = { PATH: `${join(folder, "bin")}:${process.env["PATH"]}` };
    for (const { lines } of found.filter(({ language }) => language === "toml")) {
        writeFileSync(join(folder, "muster.toml"), `${lines.join("\n")}\n`);
    }
    let server: Server | undefined;
    let commands = 0;
    const going: (() => Promise<void>)[] = [];
    for (const { command, output, line } of found
        .filter(({ language }) => language === "console")
        .flatMap(commandsOf)) {
        const where = `${page}:${line}: ${command}`;
        commands++;
        if (command.startsWith("muster serve ")) {
            server = await serverOfTest({
                dev: false,
                folder: join(folder, "muster-data"),
                args: command.replace("muster.toml", join(folder, "muster.toml")).split(" ").slice(2),
            });
            continue;
        }
        const real = command.replaceAll("localhost:7401", server?.admin ?? "no server yet");
        const options = { ...(server && { server }), environment, folder };
        const running = new Command(["sh", "-c", real], options);
        const check = ({ code, out, err }: Ended) => {
            expect(code, `${where}\n${err}`).toBe(0);
            const differs = `${where}\nshows\n${output.join("\n")}\nbut prints\n${out}\n${err}`;
            expect(matches(output, out), differs).toBe(true);
        };
        if (command.startsWith("muster sub ")) {
            await running.lines.next();
            going.push(async () => check(await running.end()));
        } else {
            check(await running.end());
        }
    }
    await Promise.all(going.map((end) => end()));
    expect(going.length).toBe(1);
    expect(commands).toBeGreaterThan(10);
    // The test named the folder and chose the ports; the page says what they are by themselves.
    const show = ["config", "show", "--config", "muster.toml", "-o", "json"];
    expect(JSON.parse((await muster(show, { folder })).out)).toMatchObject({
        data: { folder: "./muster-data" },
        listen: { client: "127.0.0.1:7400", admin: "127.0.0.1:7401" },
    });
});

test("what the guide names is there", async () => {
    for (const [, file] of text.matchAll(/\]\((\.\.[^)#]+)\)/g)) {
        readFileSync(join(repository, "docs/guides", file as string));
    }
    const init = (await muster(["config", "init"])).out;
    for (const name of ["[[admin_key]]", "[[token_key]]", "[listen]", "[data]"]) {
        expect(text).toContain(name);
        expect(init).toContain(name);
    }
    expect(readFileSync(join(repository, "README.md"), "utf8")).toContain(`(${page})`);
});
