/**
 * The command line when things are wrong: servers that are not there, tokens and keys that are none,
 * settings, ports and folders that cannot be used. What goes well is in cli.test.ts.
 */
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { call } from "./admin.ts";
import { Command, muster } from "./command.ts";
import { Peer } from "./peer.ts";
import { tokenOf } from "./sdk.ts";
import { binary, serverOfFile, serverOfTest, temporaryFolder } from "./server.ts";

const server = await serverOfFile();

/** An address at which nobody listens: a port that is taken, but on another address. */
async function deadAddress(): Promise<string> {
    const holder = createServer().listen(0, "127.0.0.2");
    await once(holder, "listening");
    onTestFinished(() => void holder.close());
    return `127.0.0.1:${(holder.address() as AddressInfo).port}`;
}

test("a server that cannot be reached ends every command with 3", async () => {
    const dead = await deadAddress();
    const environment = { MUSTER_SERVER: `ws://${dead}`, MUSTER_ADMIN: dead };
    // Patience is for a server that may still answer, so here it must not be used up.
    const patient = ["--user", "a", "--patience", "3600"];
    for (const words of [
        ["pub", "/room/1", "chat", "1", ...patient],
        ["sub", "/room/1", ...patient],
        ["state", "get", "/room/1", "scores", ...patient],
        ["state", "set", "/room/1", "scores", "a", "1", ...patient],
        ["state", "watch", "/room/1", "scores", ...patient],
        ["history", "/room/1", "chat", ...patient],
        ["queue", "ls"],
    ]) {
        const ended = await muster(words, { environment });
        expect(ended, words.join(" ")).toMatchObject({ code: 3, out: "" });
        expect(ended.err).toMatch(new RegExp(`cannot \\w+( to)? ${dead}: Connection refused`));
    }
});

test("a server that takes the connection and says nothing is given up after --patience", async () => {
    const silent = createServer(() => {}).listen(0, "127.0.0.1");
    await once(silent, "listening");
    onTestFinished(() => void silent.close());
    const address = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const words = ["pub", "/room/1", "chat", "1", "--user", "a", "--patience", "0.2"];
    const { code, err } = await muster([...words, "--server", address]);
    expect({ code, err }).toEqual({ code: 3, err: `muster: no answer from ${address} within 0.2s` });
});

test("as whom a command acts is said once, or it does not begin", async () => {
    const commands = [
        ["pub", "/room/1", "chat", "1"],
        ["sub", "/room/1"],
        ["history", "/room/1", "chat"],
        ["state", "get", "/room/1", "scores"],
    ];
    for (const words of commands) {
        for (const [more, said] of [
            [[], /--user NAME[^]*--dev[^]*--token-file/],
            [["--token", "t", "--user", "bob"], /leave out --user/],
            [["--token-file", "f", "--user", "bob"], /leave out --user/],
            [["--token-file", "f", "--token", "t"], /--token and --token-file/],
        ] as const) {
            const { code, out, err } = await muster([...words, ...more], { server });
            expect({ code, out }, [...words, ...more].join(" ")).toEqual({ code: 2, out: "" });
            expect(err).toMatch(said);
        }
    }
    // What stands on the line takes the place of the environment.
    const environment = { MUSTER_TOKEN: "rubbish" };
    const [pub] = commands as [string[]];
    const named = await muster([...pub, "--user", "bob"], { server, environment });
    expect(named, named.err).toMatchObject({ code: 0 });
    const bare = await muster(pub, { server, environment });
    expect(bare).toMatchObject({ code: 1, err: expect.stringContaining("M1001") });
});

test("a server that is another one is told from a Muster server", async () => {
    const port = (address: AddressInfo | string | null) => (address as AddressInfo).port;
    const answering = async (status: number, type: string, body: string) => {
        const other = createHttpServer((_, answer) => {
            answer.writeHead(status, { "content-type": type }).end(body);
        }).listen(0, "127.0.0.1");
        await once(other, "listening");
        onTestFinished(() => void other.close());
        return port(other.address());
    };
    for (const [status, type, body] of [
        [404, "text/html", "<h1>not found</h1>"],
        [404, "application/json", '{"error":"not found"}'],
        [200, "text/html", "<h1>hello</h1>"],
        [200, "application/json", "[]"],
        [301, "text/plain", ""],
    ] as const) {
        const at = await answering(status, type, body);
        for (const words of [["ls"], ["show", "/room/1"], ["create", "/room/1"], ["rm", "/room/1"]]) {
            const ended = await muster(["queue", ...words, "--admin", String(at)]);
            const said = `127.0.0.1:${at} does not speak Muster's admin API (HTTP ${status})`;
            expect(ended).toEqual({ code: 1, out: "", err: `muster: ${said}` });
        }
    }
    const greeter = createServer((socket) => socket.end("SSH-2.0-Other\r\n")).listen(0, "127.0.0.1");
    await once(greeter, "listening");
    onTestFinished(() => void greeter.close());
    const { code, err } = await muster(["queue", "ls", "--admin", String(port(greeter.address()))]);
    expect({ code, err }).toEqual({
        ...{ code: 1, err: expect.stringContaining("does not speak Muster's admin API (what came") },
    });
});

test("a token that is refused is told at once, with the server's code and words", async () => {
    const closed = await serverOfTest({ dev: false });
    const ended = { exp: Math.floor(Date.now() / 1000) - 10 };
    const own = (claims: object) => tokenOf(closed, "frieda", claims);
    for (const [token, said] of [
        [own(ended), /its time is over[^]*M1002 token_expired/],
        [own({ iat: Math.floor(Date.now() / 1000) + 7200, exp: Math.floor(Date.now() / 1000) + 7300 }),
            /iat is in the future: compare the clocks \(M1001 bad_token\)/],
        [tokenOf(closed, "no user id!"), /sub is not a valid user id[^]*M1001/],
    ] as const) {
        const words = ["pub", "/room/1", "chat", "1", "--patience", "3600", "--token", token];
        const { code, out, err } = await muster(words, { server: closed });
        expect({ code, out }).toEqual({ code: 1, out: "" });
        expect(err).toMatch(said);
    }
});

test("`muster token` signs with the key of the server that has the same settings", async () => {
    const folder = temporaryFolder();
    const environment = { XDG_STATE_HOME: folder };
    mkdirSync(join(folder, "muster"), { mode: 0o700 });
    const dev = await serverOfTest({ folder: join(folder, "muster") });
    const made = await muster(["token", "--dev", "--user", "greta"], { environment });
    expect(made.code, made.err).toBe(0);
    const words = ["pub", "/room/1", "chat", "1", "--token", made.out];
    expect(await muster(words, { server: dev })).toMatchObject({ code: 0, err: "" });

    const file = join(folder, "muster.toml");
    writeFileSync(file, '[data]\nfolder = "muster"\n');
    for (const more of [["--config", file], ["--set", `data.folder=${dev.folder}`]]) {
        const { code, err } = await muster(["token", "--user", "greta", ...more]);
        expect({ code, err }, more.join(" ")).toEqual({ code: 0, err: "" });
    }
    const lost = await muster(["token", "--user", "greta"], { environment, folder });
    expect(lost).toMatchObject({ code: 1, out: "" });
    expect(lost.err).toMatch(/\.\/muster-data\/token\.key[^]*--data[^]*--config[^]*--dev/);
});

test("in --dev the server greets with commands as they can be typed", async () => {
    const dev = await serverOfTest();
    const line = await dev.printed.next((text) => text.includes(" pub "));
    expect(line.trim()).toMatch(new RegExp(`^${binary} pub /room/lobby`));
    const ended = await new Command(["sh", "-c", line]).end();
    expect(ended).toMatchObject({ code: 0, out: expect.stringMatching(/^ok/), err: "" });
    const spaced = join(temporaryFolder(), "a 'b' c");
    mkdirSync(spaced);
    symlinkSync(binary, join(spaced, "muster"));
    const words = serveWords(join(spaced, "data"));
    const other = new Command([join(spaced, "muster"), ...words, "--dev"]);
    const quoted = await other.lines.next((text) => text.includes(" pub "));
    expect((await new Command(["sh", "-c", quoted]).end()).code).toBe(0);
    other.interrupt();
    expect((await other.end()).code).toBe(0);
});

test("a token from `muster token` opens a server that is not in --dev, and the admin key its API", async () => {
    const closed = await serverOfTest({ dev: false });
    const made = await muster(["token", "--user", "frieda", "--data", closed.folder]);
    expect(made).toMatchObject({ code: 0, err: "" });
    expect(made.out).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
    const folder = temporaryFolder();
    const tokenFile = join(folder, "token");
    writeFileSync(tokenFile, `${made.out}\n`, { mode: 0o600 });
    const key = ["--key-file", join(closed.folder, "admin.key")];
    const definition = JSON.stringify({ mounts: { moves: { type: "message", write: "anyone" } } });

    const keyless = await muster(["queue", "create", "/game/1", definition], { server: closed });
    expect(keyless).toMatchObject({ code: 1, err: expect.stringContaining("M9003") });
    const created = await muster(["queue", "create", "/game/1", definition, ...key], {
        server: closed,
    });
    expect(created.code, created.err).toBe(0);
    await call(closed, "PUT", "/v1/queues/game/1/-/members/frieda");

    const pub = ["pub", "/game/1", "moves", '"e4"', "--stay"];
    const with_ = (...more: string[]) => muster([...pub, ...more], { server: closed });
    const sent = await with_("--token-file", tokenFile);
    expect(sent.code, sent.err).toBe(0);
    for (const bad of [
        ["--user", "frieda"],
        ["--token", "rubbish"],
        ["--token-file", join(folder, "not-there")],
    ]) {
        const ended = await with_(...bad);
        expect(ended, bad.join(" ")).toMatchObject({ code: 1, out: "" });
        expect(ended.err).toMatch(/M1001|not-there/);
    }
    const keyFailure = await muster(["token", "--user", "frieda", "--data", folder]);
    expect(keyFailure).toMatchObject({ code: 1, err: expect.stringContaining("token.key") });
});

test("config init writes what config check accepts and config show tells", async () => {
    const folder = temporaryFolder();
    const { code, out } = await muster(["config", "init"]);
    expect(code).toBe(0);
    const file = join(folder, "muster.toml");
    writeFileSync(file, `${out}\n`);
    expect((await muster(["config", "check", "--config", file])).code).toBe(0);
    const show = (...words: string[]) =>
        muster(["config", "show", "--config", file, ...words], {
            environment: { MUSTER_LISTEN__ADMIN: "127.0.0.1:7777" },
        });
    const shown = await show("--set", "listen.client=127.0.0.1:7778", "-o", "json");
    expect(JSON.parse(shown.out).listen).toEqual({
        ...{ client: "127.0.0.1:7778", admin: "127.0.0.1:7777" },
    });
    const origins = await show("--set", "listen.client=127.0.0.1:7778", "--origin");
    expect(origins.out).toMatch(/client = "127\.0\.0\.1:7778".*--set/);
    expect(origins.out).toMatch(/admin = "127\.0\.0\.1:7777".*MUSTER_LISTEN__ADMIN/);
});

test("wrong settings are told all at once, with place and remedy, and nothing is begun", async () => {
    const folder = temporaryFolder();
    const file = join(folder, "wrong.toml");
    const data = join(folder, "data");
    writeFileSync(
        file,
        `[data]\nfolder = ${JSON.stringify(data)}\n[gateway]\nping_intervall = "15s"\nframe_bytes_max = "64"\n`,
    );
    for (const words of [["config", "check"], ["serve"], ["serve", "--dev"]]) {
        const { code, out, err } = await muster([...words, "--config", file]);
        expect({ words, code, out }).toEqual({ words, code: 2, out: "" });
        expect(err).toMatch(/wrong\.toml:4: .*ping_intervall.*did you mean.*ping_interval/);
        expect(err).toMatch(/wrong\.toml:5: .*frame_bytes_max/);
    }
    for (const words of [
        ["--set", "gateway.ping_intervall=15s"],
        ["--set", "listen.client=localhost"],
        ["--config", join(folder, "not-there.toml")],
        ["--dev", "--set", "listen.client=0.0.0.0:0"],
        ["--dev", "--set", "listen.admin=0.0.0.0:0"],
    ]) {
        const { code, err } = await muster(["serve", ...words, "--set", `data.folder=${data}`]);
        expect({ words, code }).toEqual({ words, code: 2 });
        expect(err).toMatch(/./);
    }
    const environment = { MUSTER_GATEWAY__PINGS: "1", MUSTER_DATA__FOLDER: data };
    const fromEnvironment = await muster(["serve"], { environment });
    expect(fromEnvironment.code).toBe(2);
    expect(fromEnvironment.err).toContain("MUSTER_GATEWAY__PINGS");
    const flat = await muster(["serve"], { environment: { MUSTER_LOG_LEVEL: "debug", MUSTER_DATA__FOLDER: data } });
    expect(flat).toMatchObject({ code: 2, err: expect.stringContaining("did you mean MUSTER_LOG__LEVEL?") });
    const stray = await muster(["config", "check"], { environment: { MUSTER_LOG_LEVL: "debug" } });
    expect(stray).toMatchObject({ code: 0, err: expect.stringContaining("did you mean MUSTER_LOG__LEVEL?") });
    expect(existsSync(data)).toBe(false);
});

/** Arguments for a server in a folder, at free ports unless told otherwise. */
function serveWords(folder: string, { client = "127.0.0.1:0", admin = "127.0.0.1:0" } = {}) {
    const set = { "data.folder": folder, "listen.client": client, "listen.admin": admin };
    return ["serve", ...Object.entries(set).flatMap(([name, value]) => ["--set", `${name}=${value}`])];
}

test("an occupied port is named, for clients as for the admin API, and who has it goes on", async () => {
    const folder = join(temporaryFolder(), "data");
    for (const [words, address] of [
        [serveWords(folder, { client: server.client }), server.client],
        [serveWords(folder, { admin: server.admin }), server.admin],
    ] as const) {
        const { code, out, err } = await muster([...words]);
        expect({ code, out }).toEqual({ code: 1, out: "" });
        expect(err).toMatch(new RegExp(`${address.replace(":", "\\D+")}: .*M9002`));
        expect(err).toMatch(new RegExp(` error cannot_listen: .*reason=".*${address.replace(":", "\\D+")}`));
        expect(err).not.toMatch(/ up: /);
    }
    await Peer.login(server, "still-served");
    // What was left in the folder does not stand in the way.
    await serverOfTest({ folder });
});

test("a data folder belongs to one server", async () => {
    const { code, err } = await muster(serveWords(server.folder));
    expect(code).toBe(2);
    expect(err).toContain(server.folder);
    expect(err).toContain(String(server.pid));
});

test("a data folder that everybody can change is refused, with the remedy", async () => {
    const folder = join(temporaryFolder(), "data");
    mkdirSync(folder);
    chmodSync(folder, 0o777);
    const { code, err } = await muster(serveWords(folder));
    expect(code).toBe(2);
    expect(err).toContain(`chmod 700 ${folder}`);
    expect(readdirSync(folder)).toEqual([]);
});

test("a data folder without rights is named, and nothing is made", async () => {
    const parent = temporaryFolder();
    chmodSync(parent, 0o755);
    mkdirSync(join(parent, "locked"), { mode: 0o555 });
    const folder = join(parent, "locked", "data");
    // Nothing keeps root out, so it becomes somebody else, who may not reach the build's folder.
    const isRoot = process.getuid?.() === 0;
    const runner = isRoot ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];
    const program = isRoot ? join(parent, "muster") : binary;
    if (isRoot) {
        copyFileSync(binary, program);
    }
    const { code, err } = await new Command([program, ...serveWords(folder)], { runner }).end();
    expect(code).toBe(2);
    expect(err).toContain(folder);
    expect(err).toMatch(/permission denied/i);
    expect(readdirSync(join(parent, "locked"))).toEqual([]);
});
