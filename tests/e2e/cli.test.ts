/** The command line: every command, its exit code, and what it says when things are wrong. */
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { call } from "./admin.ts";
import { Command, muster } from "./command.ts";
import { Peer } from "./peer.ts";
import { tokenOf } from "./sdk.ts";
import { binary, serverOfFile, serverOfTest, temporaryFolder } from "./server.ts";
import { TcpProxy } from "./tcp_proxy.ts";

const server = await serverOfFile();

let lastRoom = 0;
/** A room that no other test uses. */
const freshRoom = () => `/room/cli-${++lastRoom}`;
const ask = (...words: string[]) => muster(words, { server });
const asJson = (text: string) => text.split("\n").map((line) => JSON.parse(line));

/** An address at which nobody listens: a port that is taken, but on another address. */
async function deadAddress(): Promise<string> {
    const holder = createServer().listen(0, "127.0.0.2");
    await once(holder, "listening");
    onTestFinished(() => void holder.close());
    return `127.0.0.1:${(holder.address() as AddressInfo).port}`;
}

test("version tells its number", async () => {
    expect(await muster(["version"])).toMatchObject({
        ...{ code: 0, out: expect.stringMatching(/^muster \d+\.\d+\.\d+$/), err: "" },
    });
    expect((await muster(["--version"])).out).toBe((await muster(["version"])).out);
    const { out } = await muster(["version", "-o", "json"]);
    expect(JSON.parse(out)).toEqual({ version: expect.stringMatching(/^\d+\.\d+\.\d+$/) });
});

test("explain tells what a code means, by number, name or close code", async () => {
    for (const code of ["M2003", "not_member"]) {
        const { code: exit, out } = await muster(["explain", code]);
        expect(exit).toBe(0);
        expect(out).toContain("M2003");
    }
    expect((await muster(["explain", "4003"])).out).toContain("M1003");
    const { out } = await muster(["explain", "M2003", "-o", "json"]);
    expect(JSON.parse(out)).toMatchObject({ code: "M2003" });
    expect((await muster(["explain"])).out.split("\n").length).toBeGreaterThan(30);
    const unknown = await muster(["explain", "M0000"]);
    expect(unknown).toMatchObject({ code: 1, out: "", err: expect.stringContaining("M0000") });
});

test("the reference of errors is what explain prints", async () => {
    const { out } = await muster(["explain", "--markdown"]);
    const page = readFileSync(new URL("../../docs/reference/errors.md", import.meta.url), "utf8");
    expect(out.trimEnd()).toBe(page.trimEnd());
});

test("wrong usage ends with 2 and a hint, help with 0", async () => {
    for (const words of [[], ["dance"], ["pub"], ["pub", "/room/1", "chat", "1", "--loud"]]) {
        const { code, out, err } = await ask(...words);
        expect({ words, code }).toEqual({ words, code: 2 });
        expect(out).toBe("");
        expect(err).toMatch(/./);
    }
    for (const words of [["--help"], ["pub", "--help"], ["state", "set", "--help"]]) {
        expect(await ask(...words)).toMatchObject({ code: 0, out: expect.stringContaining("--") });
    }
});

test("a mistyped command is answered with a guess, or with all there are", async () => {
    for (const [words, said] of [
        [["pbu", "/room/1", "chat", "1"], "unknown command 'pbu'; did you mean 'pub'?"],
        [["state", "gte"], "unknown command 'gte' of 'state'; did you mean 'get'?"],
        [["queue", "list"], "unknown command 'list' of 'queue'; did you mean 'ls'?"],
        [["dance"], "unknown command 'dance'; there are: serve, config, "],
        [[], "a command is missing; there are: serve, config, "],
        [["state"], "a command of 'state' is missing; there are: get, set, del, watch"],
    ] as const) {
        const { code, out, err } = await muster([...words]);
        expect({ code, out }, words.join(" ")).toEqual({ code: 2, out: "" });
        expect(err).toContain(said);
    }
});

test("every command that help and the reference of errors name is there", async () => {
    const { out: general } = await muster(["--help"]);
    const { out: reference } = await muster(["explain", "--markdown"]);
    const listed = [...general.matchAll(/^ {2}([a-z]+) {2,}[A-Z]/gm)].map((m) => m[1] as string);
    expect(listed.length).toBeGreaterThan(8);
    const named = [...`${general}${reference}`.matchAll(/`muster ([a-z]+(?: [a-z]+)?)/g)];
    for (const words of [...listed, ...named.map((m) => m[1] as string)]) {
        // The second word may be an argument: what there is to tell apart is a command of commands.
        const { code, err } = await muster([...words.split(" "), "--help"]);
        expect({ words, code, err }).toEqual({ words, code: 0, err: "" });
    }
});

test("what help says to begin with works on a new server", async () => {
    const { out } = await muster(["--help"]);
    const shown = [...out.matchAll(/^ {2}(muster (?:sub|pub) .*)$/gm)].map((m) => m[1] as string);
    expect(shown.length).toBe(2);
    const fresh = await serverOfTest();
    const [sub, pub] = shown.map((line) => line.replace("muster", binary)) as [string, string];
    const watching = new Command(["sh", "-c", `exec ${sub}`], { server: fresh });
    await watching.lines.next();
    const sent = await new Command(["sh", "-c", pub], { server: fresh }).end();
    expect(sent).toMatchObject({ code: 0, err: "" });
    await watching.lines.next((line) => line.includes('chat: carol {"text":"hi"}'));
    const bare = await muster(["sub", "/room/not-there-yet", "--user", "a"], { server: fresh });
    expect(bare).toMatchObject({ code: 1, err: expect.stringMatching(/M2002[^]*--join/) });
});

test("every form of address is taken everywhere", async () => {
    const room = freshRoom();
    const [client, admin] = [server.client, server.admin];
    for (const form of [client, `ws://${client}`, `ws://${client}/connect`, `http://${client}`]) {
        const words = ["pub", room, "chat", "1", "--user", "carol", "--server", form];
        expect(await muster(words), form).toMatchObject({ code: 0, err: "" });
    }
    for (const form of [admin, `ws://${admin}`, `ws://${admin}/connect`, `http://${admin}/`]) {
        expect((await muster(["queue", "ls", "--admin", form])).code, form).toBe(0);
    }
    const load = ["bench", "idle", "--clients", "1", "--members", "1", "--seconds", "1", "-o", "json"];
    const at = `http://${client.replace("127.0.0.1", "localhost")}`;
    const benched = await muster([...load, "--server", at]);
    expect(benched.code, benched.err).toBe(0);
    for (const words of [
        ["pub", room, "chat", "1", "--user", "carol", "--server", "ftp://a"],
        ["queue", "ls", "--admin", "ftp://a"],
        [...load, "--server", "ftp://a"],
    ]) {
        const { code, out, err } = await muster(words);
        expect({ code, out }, words.join(" ")).toEqual({ code: 2, out: "" });
        expect(err).toMatch(/`ftp:\/\/a`: an address looks like/);
    }
});

test("pub says something, history shows it", async () => {
    const room = freshRoom();
    const pub = (text: string, ...more: string[]) =>
        ask("pub", room, "chat", JSON.stringify({ text }), "--user", "carol", ...more);
    expect(await pub("one")).toMatchObject({ code: 0, out: expect.stringMatching(/^ok, seq \d+$/) });
    const second = await pub("two", "-o", "json");
    expect(second.code).toBe(0);
    const { seq } = JSON.parse(second.out);
    expect(seq).toBeTypeOf("number");

    const shown = await ask("history", room, "chat", "--user", "dave");
    expect(shown.code).toBe(0);
    expect(shown.out.split("\n")).toEqual([
        expect.stringMatching(/^\S+ chat: carol \{"text":"one"\}$/),
        expect.stringMatching(/^\S+ chat: carol \{"text":"two"\}$/),
    ]);
    const last = await ask("history", room, "chat", "--user", "dave", "--limit", "1", "-o", "json");
    expect(asJson(last.out)).toEqual([
        expect.objectContaining({ q: room, m: "chat", seq, from: "carol", d: { text: "two" } }),
    ]);
});

test("pub does not stay unless asked to", async () => {
    const room = freshRoom();
    const members = async () => (await call(server, "GET", `/v1/queues${room}/-/members`)).json;
    await ask("pub", room, "chat", "1", "--user", "carol");
    expect((await members()).member_count).toBe(0);
    await ask("pub", room, "chat", "1", "--user", "carol", "--stay");
    expect((await members()).member_count).toBe(1);
});

test("who was a member before a command that joins is one afterwards", async () => {
    const room = freshRoom();
    const path = `/v1/queues${room}/-/members`;
    await call(server, "PUT", `/v1/queues${room}`);
    await call(server, "PUT", `${path}/mona`);
    for (const words of [
        ["pub", room, "chat", "1"],
        ["state", "set", room, "scores", "mona", "1"],
        ["state", "get", room, "scores", "--join"],
        ["history", room, "chat", "--join"],
    ]) {
        expect((await ask(...words, "--user", "mona")).code, words.join(" ")).toBe(0);
        const { member_count } = (await call(server, "GET", path)).json;
        expect({ words, member_count }).toEqual({ words, member_count: 1 });
    }
});

test("sub shows what happens until it has enough, or is interrupted", async () => {
    const room = freshRoom();
    const alice = await Peer.login(server, "sub-alice");
    await alice.ask({ op: "join", q: room });
    const words = (...more: string[]) => [binary, "sub", room, "--user", "sub-dave", ...more];

    const counted = new Command(words("--count", "2", "-o", "json"), { server });
    await counted.lines.next((line) => line.includes('"joined"'));
    await alice.ask({ op: "send", q: room, m: "chat", d: "hi" });
    await alice.ask({ op: "set", q: room, m: "scores", k: "a", d: 1 });
    const { code, out } = await counted.end();
    expect(code).toBe(0);
    expect(asJson(out).filter(({ op }) => op !== "joined")).toEqual([
        expect.objectContaining({ op: "msg", m: "chat", from: "sub-alice", d: "hi" }),
        expect.objectContaining({ op: "state", m: "scores", set: { a: expect.anything() } }),
    ]);

    const endless = new Command(words("--mounts", "chat"), { server });
    await endless.lines.next();
    await alice.ask({ op: "set", q: room, m: "scores", k: "a", d: 2 });
    await alice.ask({ op: "send", q: room, m: "chat", d: "only this" });
    await endless.lines.next((line) => line.includes("only this"));
    endless.interrupt();
    const interrupted = await endless.end();
    expect(interrupted.code).toBe(0);
    expect(interrupted.out).not.toContain("scores a");
});

test("sub ends with an error when its queue is deleted", async () => {
    const room = freshRoom();
    await call(server, "PUT", `/v1/queues${room}`);
    const sub = new Command([binary, "sub", room, "--user", "sub-erna"], { server });
    await sub.lines.next();
    await call(server, "DELETE", `/v1/queues${room}`);
    expect(await sub.end()).toMatchObject({ code: 1, err: expect.stringContaining("deleted") });
});

test("sub shows every reset with its reason, and says when its connection is lost", async () => {
    const first = await serverOfTest();
    let target = first.client;
    const network = await TcpProxy.start(() => target);
    const environment = { MUSTER_SERVER: network.address };
    const words = [binary, "sub", "/room/reset", "--join", "--user", "sub-rosa"];
    const text = new Command(words, { environment });
    const json = new Command([...words.slice(0, -1), "sub-otto", "-o", "json"], { environment });
    await Promise.all([text.lines.next(), json.lines.next()]);

    network.refuse();
    await first.stop();
    const second = await serverOfTest({ folder: first.folder });
    target = second.client;
    network.heal();
    await text.lines.next((line) => /^reset \/room\/reset at \d+: gone: /.test(line));
    const reset = JSON.parse(await json.lines.next((line) => line.includes('"reset"')));
    expect(reset).toEqual({
        ...{ op: "reset", q: "/room/reset", at: [expect.any(Number), expect.any(Number)], why: "gone" },
    });
    text.interrupt();
    const { code, err } = await text.end();
    expect({ code, err }).toEqual({
        ...{ code: 0, err: expect.stringMatching(/the connection was lost.*trying again/) },
    });
});

test("sub warns of a named mount that is not there, and ends if none is", async () => {
    const room = freshRoom();
    const alice = await Peer.login(server, "mounts-alice");
    await alice.ask({ op: "join", q: room });
    const words = ["sub", room, "--user", "mounts-dave", "--count", "1", "--mounts"];
    const some = new Command([binary, ...words, "nope,chat"], { server });
    await some.lines.next();
    await alice.ask({ op: "send", q: room, m: "chat", d: "still shown" });
    const shown = await some.end();
    expect(shown).toMatchObject({ code: 0, out: expect.stringContaining("still shown") });
    expect(shown.err).toContain(`${room} has no mount nope (M3001 no_mount)`);

    const none = await ask(...words, "nope,neither");
    expect(none.code).toBe(1);
    expect(none.err).toMatch(/no mount nope[^]*no mount neither/);
});

test("where only members may listen, --join reads all the same, and says so", async () => {
    const folder = temporaryFolder();
    const file = join(folder, "muster.toml");
    writeFileSync(
        file,
        `[[template]]
match = "/club/*"
create = "anyone"
join = "anyone"
listen = "members"
[template.mounts]
chat = { type = "message", write = "members", history = 10, history_ttl = "2m" }
scores = { type = "state", write = "members" }
`,
    );
    const club = await serverOfTest({ args: ["--config", file] });
    const as = (user: string, ...words: string[]) =>
        muster([...words, "--user", user], { server: club });
    expect((await as("ann", "pub", "/club/1", "chat", '"hi"', "--stay")).code).toBe(0);
    expect((await as("ann", "state", "set", "/club/1", "scores", "ann", "7", "--stay")).code).toBe(0);
    for (const [words, answer] of [
        [["history", "/club/1", "chat"], /chat: ann "hi"$/],
        [["state", "get", "/club/1", "scores", "ann"], /^7$/],
    ] as const) {
        const refused = await as("ben", ...words);
        expect(refused, words.join(" ")).toMatchObject({ code: 1, out: "" });
        expect(refused.err).toMatch(/M2004[^]*--join/);
        const joined = await as("ben", ...words, "--join");
        expect(joined.code, joined.err).toBe(0);
        expect(joined.out).toMatch(answer);
    }
    const members = await call(club, "GET", "/v1/queues/club/1/-/members");
    expect(members.json.member_count, "ben has left again").toBe(1);
});

test("state is set, read, watched and deleted", async () => {
    const room = freshRoom();
    const state = (verb: string, ...words: string[]) =>
        ask("state", verb, room, "scores", ...words, "--user", "carol");
    const set = await state("set", "carol", "7", "-o", "json");
    expect(set.code).toBe(0);
    const { seq } = JSON.parse(set.out);
    expect(await state("get", "carol")).toMatchObject({ code: 0, out: "7" });
    await state("set", "name", '"C"');
    expect((await state("get")).out.split("\n").sort()).toEqual(['carol: 7', 'name: "C"']);
    expect(JSON.parse((await state("get", "-o", "json")).out)).toEqual({ carol: 7, name: "C" });

    const watch = ["state", "watch", room, "scores", "--user", "dave"];
    const watching = new Command([binary, ...watch], { server });
    await watching.lines.next();
    expect((await state("set", "carol", "8", "--if-seq", String(seq))).code).toBe(0);
    await watching.lines.next((line) => line === "scores carol: 8");
    const stale = await state("set", "carol", "9", "--if-seq", String(seq));
    expect(stale).toMatchObject({ code: 1, err: expect.stringContaining("M3009") });
    const staleJson = await state("set", "carol", "9", "--if-seq", String(seq), "-o", "json");
    expect(staleJson.code).toBe(1);
    expect(JSON.parse(staleJson.out)).toMatchObject({
        ...{ outcome: "rejected", code: "M3009", current: expect.any(Number) },
    });

    expect((await state("del", "carol")).code).toBe(0);
    await watching.lines.next((line) => line === "scores carol: (deleted)");
    watching.interrupt();
    expect((await watching.end()).code).toBe(0);
    const absent = await state("get", "carol");
    expect(absent).toMatchObject({ code: 1, out: "", err: expect.stringContaining("carol") });
});

test("queues are created, listed, shown and removed", async () => {
    const room = freshRoom();
    const definition = JSON.stringify({ mounts: { moves: { type: "message" } } });
    expect((await ask("queue", "create", room, definition)).code).toBe(0);
    expect((await ask("queue", "create", room, definition)).code).toBe(0);
    const differs = await ask("queue", "create", room, '{"ttl":"7m"}');
    expect(differs).toMatchObject({ code: 1, err: expect.stringContaining("M2012") });
    expect((await ask("queue", "ls", "/room/cli-")).out.split("\n")).toContain(room);
    const shown = await ask("queue", "show", room, "-o", "json");
    expect(JSON.parse(shown.out)).toMatchObject({ name: room, mounts: { moves: {} } });
    expect((await ask("queue", "rm", room)).code).toBe(0);
    const gone = await ask("queue", "show", room);
    expect(gone).toMatchObject({ code: 1, err: expect.stringContaining("M2002") });
    const goneJson = await ask("queue", "show", room, "-o", "json");
    expect(goneJson.code).toBe(1);
    expect(JSON.parse(goneJson.out)).toMatchObject({ code: "M2002", status: 404 });
});

test("what the server refuses ends with 1 and its code, what is no JSON with 2", async () => {
    const room = freshRoom();
    const refusals: [string[], string][] = [
        [["pub", room, "nowhere", "1"], "M3001"],
        [["pub", room, "scores", "1"], "M3002"],
        [["pub", "/room//1", "chat", "1"], "M2001"],
        [["history", "/room/not-there", "chat"], "M2002"],
        [["state", "get", "/room/not-there", "scores"], "M2002"],
        [["sub", "/room/not-there"], "M2002"],
    ];
    for (const [words, code] of refusals) {
        const ended = await ask(...words, "--user", "carol");
        expect(ended, words.join(" ")).toMatchObject({ code: 1, out: "" });
        expect(ended.err).toContain(code);
    }
    for (const words of [
        ["pub", room, "chat", "{text:hi}"],
        ["state", "set", room, "scores", "a", "red"],
    ]) {
        const ended = await ask(...words, "--user", "carol");
        expect(ended, words.join(" ")).toMatchObject({ code: 2, out: "" });
        expect(ended.err).toContain("JSON");
    }
});

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
        [],
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
        expect(err).not.toMatch(/ up: /);
    }
    await Peer.login(server, "still-served");
    // What was left in the folder does not stand in the way.
    await serverOfTest({ folder });
});

test("a data folder belongs to one server", async () => {
    const { code, err } = await muster(serveWords(server.folder));
    expect(code).toBe(1);
    expect(err).toContain(server.folder);
    expect(err).toContain(String(server.pid));
});

test("a data folder that everybody can change is refused, with the remedy", async () => {
    const folder = join(temporaryFolder(), "data");
    mkdirSync(folder);
    chmodSync(folder, 0o777);
    const { code, err } = await muster(serveWords(folder));
    expect(code).toBe(1);
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
    expect(code).toBe(1);
    expect(err).toContain(folder);
    expect(err).toMatch(/permission denied/i);
    expect(readdirSync(join(parent, "locked"))).toEqual([]);
});
