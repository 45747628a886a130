/** The command line: every command, its exit code, and what it prints. Troubles: cli_trouble.test.ts. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { call } from "./admin.ts";
import { Command, muster } from "./command.ts";
import { Peer } from "./peer.ts";
import { binary, serverOfFile, serverOfTest, temporaryFolder } from "./server.ts";
import { TcpProxy } from "./tcp_proxy.ts";

const server = await serverOfFile();

let lastRoom = 0;
/** A room that no other test uses. */
const freshRoom = () => `/room/cli-${++lastRoom}`;
const ask = (...words: string[]) => muster(words, { server });
const asJson = (text: string) => text.split("\n").map((line) => JSON.parse(line));

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

test("the protocol's table of close codes has all that errors close with, and who may try again", () => {
    const read = (name: string) =>
        readFileSync(new URL(`../../docs/reference/${name}.md`, import.meta.url), "utf8");
    const rows = read("protocol").split("\n").filter((line) => /^\| [14]\d{3}/.test(line));
    const seen = [...read("errors").matchAll(/^### (M\d+)[^#]*?close (\d+)\n- Try again: (\w+)/gm)];
    expect(seen.length).toBeGreaterThan(8);
    for (const [, label, close, again] of seen as unknown as string[][]) {
        const ofCode = rows.filter((row) => row.split("|")[1]?.includes(close as string));
        const row = ofCode.find((one) => one.includes(label as string)) ?? ofCode[0];
        expect(row, `${label}, ${close}`).toBeDefined();
        if (again === "yes") {
            expect(row, label).not.toContain("is broken");
        }
    }
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

test("a number below 0 is refused where it counts something", async () => {
    for (const words of [
        ["history", "/room/1", "chat", "--limit", "-1"],
        ["sub", "/room/1", "--count", "-1"],
        ["state", "set", "/room/1", "scores", "a", "1", "--if-seq", "-1"],
        ["state", "del", "/room/1", "scores", "a", "--if-seq=-1"],
    ]) {
        const { code, out, err } = await ask(...words, "--user", "carol");
        expect({ code, out }, words.join(" ")).toEqual({ code: 2, out: "" });
        expect(err).toContain("-1");
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

test("who joins to watch leaves at the end, unless asked to stay or a member before", async () => {
    const room = freshRoom();
    const path = `/v1/queues${room}/-/members`;
    const members = async () =>
        (await call(server, "GET", path)).json.members.map(({ user }: { user: string }) => user);
    await call(server, "PUT", `/v1/queues${room}`);
    await call(server, "PUT", `${path}/leave-mona`);
    const sub = async (user: string, ...more: string[]) => {
        const command = new Command([binary, ...more, "--join", "--user", user], { server });
        await command.lines.next();
        return command;
    };
    const watch = ["sub", room];
    const counted = await sub("leave-carl", ...watch, "--count", "1");
    const interrupted = [
        await sub("leave-ines", ...watch),
        await sub("leave-wim", "state", "watch", room, "scores"),
        await sub("leave-mona", ...watch),
        await sub("leave-stan", ...watch, "--stay"),
    ];
    expect((await members()).length).toBe(5);
    await ask("pub", room, "chat", "1", "--user", "leave-paul");
    expect((await counted.end()).code).toBe(0);
    for (const command of interrupted) {
        command.interrupt();
        expect(await command.end()).toMatchObject({ code: 0, err: "" });
    }
    expect((await members()).sort()).toEqual(["leave-mona", "leave-stan"]);
    await ask("sub", room, "--mounts", "nope", "--join", "--user", "leave-nils");
    expect((await members()).length).toBe(2);
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
    const create = () => ask("queue", "create", room, definition);
    expect(await create()).toEqual({ code: 0, out: `created ${room}`, err: "" });
    expect(await create()).toEqual({ code: 0, out: `${room} was there already`, err: "" });
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
