/** Recordings of real servers, run again: what was, what killed it, and what cannot be read. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { call } from "./admin.ts";
import { Command, muster } from "./command.ts";
import { Peer } from "./peer.ts";
import { binary, type Server, serverOfTest, type ServerOptions, temporaryFolder } from "./server.ts";
import { patienceMs } from "./wait.ts";

/** The same program, but with inputs that kill it or that it decides otherwise (src/base/poison.h). */
const poisoned = join(dirname(binary), "muster_poisoned");

/** A server with one shard, so that all is in one recording. */
const recorded = (mode: string, options: ServerOptions = {}) =>
    serverOfTest({ ...options, set: { "server.shards": 1, ...options.set }, args: ["--record", mode] });
const recordings = (server: Server) => join(server.folder, "recordings");
const replay = (server: Server, ...words: string[]) => muster(["replay", recordings(server), ...words]);
const onlyFile = (server: Server): string => {
    const files = readdirSync(recordings(server)).filter((file) => file.endsWith(".rec"));
    expect(files.length).toBe(1);
    return join(recordings(server), files[0] as string);
};

/** Another build: what it is asked for goes through these lines of sh. */
function script(...lines: string[]): string {
    const file = join(temporaryFolder(), "other-build");
    writeFileSync(file, ["#!/bin/sh", ...lines].join("\n"), { mode: 0o755 });
    return file;
}

/** Something of everything that a room does. */
// A bit is changed in the second half, inside an entry: another length could look like a cut.
function damaged(recording: Buffer): Buffer {
    const flipped = Buffer.from(recording);
    const place = recording.indexOf("/room/1", Math.floor(recording.length / 2));
    flipped.writeUInt8(flipped.readUInt8(place) ^ 1, place);
    return flipped;
}

async function live(server: Server, room: string): Promise<void> {
    const alice = await Peer.login(server, "alice");
    const bob = await Peer.login(server, "bob");
    for (const peer of [alice, bob]) {
        await peer.ask({ op: "join", q: room });
    }
    for (let i = 0; i < 10; ++i) {
        await alice.ask({ op: "send", q: room, m: "chat", d: { text: `hi ${i}` } });
        await bob.ask({ op: "set", q: room, m: "scores", k: "bob", d: i });
    }
    await alice.ask({ op: "send", q: room, m: "dice", d: { roll: "2d6" } });
    await alice.ask({ op: "send", q: room, m: "nowhere", d: 1 });
    await call(server, "POST", `/v1/queues${room}/-/mounts/chat/messages`, {
        body: { data: "from outside" },
    });
    bob.socket.terminate();
    await alice.ask({ op: "leave", q: room });
}

test("a server's life is replayed to the same, message by message", async () => {
    for (const mode of ["all", "crash"]) {
        const server = await recorded(mode);
        await live(server, "/room/1");
        await server.stop();
        const { code, out, err } = await replay(server, "-o", "json");
        expect({ code, err }).toEqual({ code: 0, err: "" });
        const report = JSON.parse(out);
        expect(report).toMatchObject({ shard: 0, whole: true, stopped: false, end: "ended in order" });
        expect(report.entries).toBeGreaterThan(100);
        expect(report.compared).toBeGreaterThan(50);
        expect(report.difference).toBeUndefined();
    }
});

test("every shard of a server is recorded and replayed", async () => {
    const server = await recorded("all", { set: { "server.shards": 3 } });
    for (const room of ["/room/1", "/room/2", "/room/3", "/room/4"]) {
        await live(server, room);
    }
    await server.stop();
    const { code, out } = await replay(server, "-o", "json");
    expect(code).toBe(0);
    const reports = out.split("\n").map((line) => JSON.parse(line));
    expect(reports.map((report) => report.shard)).toEqual([0, 1, 2]);
    expect(reports.every((report) => report.difference === undefined)).toBe(true);
});

test("one shard's damaged file does not keep the others from their replay, and files can be named", async () => {
    const server = await recorded("all", { set: { "server.shards": 3 } });
    for (const room of ["/room/1", "/room/2", "/room/3", "/room/4"]) {
        await live(server, room);
    }
    await server.stop();
    const files = readdirSync(recordings(server)).filter((file) => file.endsWith(".rec")).sort();
    const paths = files.map((file) => join(recordings(server), file));
    const named = await muster(["replay", ...paths.slice(1).reverse(), "-o", "json"]);
    expect({ code: named.code, err: named.err }).toEqual({ code: 0, err: "" });
    const shards = (out: string) => out.split("\n").map((line) => JSON.parse(line).shard);
    expect(shards(named.out)).toEqual([1, 2]);
    const first = readFileSync(paths[0] as string);
    first.writeUInt8(first.readUInt8(first.length >> 1) ^ 1, first.length >> 1);
    writeFileSync(paths[0] as string, first);
    const rest = await replay(server, "-o", "json");
    expect(rest).toMatchObject({ code: 1, err: expect.stringMatching(/shard0\S* is damaged[^]*M8004/) });
    expect(shards(rest.out)).toEqual([1, 2]);
});

test("a replay until an answer stops before the input that caused it, and says where", async () => {
    const server = await recorded("all");
    await live(server, "/room/1");
    await server.stop();
    // The last entry before it that comes from outside is where each of them stops.
    const stops = [];
    for (let entry = 30; entry < 60; ++entry) {
        const { code, out } = await replay(server, "--until", `${entry}`);
        expect(code).toBe(0);
        const found = /stopped before entry (\d+)(?:, the input that caused entry (\d+))?$/.exec(out);
        const [, at, answer] = found ?? [];
        expect(Number(at)).toBeLessThanOrEqual(entry);
        expect(answer).toBe(Number(at) < entry ? `${entry}` : undefined);
        expect(out).toContain(`replayed ${Number(at) - 1} entries`);
        stops.push(Number(at));
    }
    expect(stops.some((at, i) => at < i + 30)).toBe(true);
    expect(stops.some((at, i) => at === i + 30)).toBe(true);
});

test("a dump has the messages, and says so where it has no such queue", async () => {
    const server = await recorded("all");
    await live(server, "/room/1");
    await server.stop();
    const { code, out } = await replay(server, "--dump", "state", "--queue", "/room/1");
    expect(code).toBe(0);
    const frames = out.split("\n").map((line) => JSON.parse(line));
    expect(frames[0]).toMatchObject({ op: "joined", q: "/room/1" });
    const chat = frames.filter(({ op, m }) => op === "msg" && m === "chat");
    expect(chat.length).toBe(11);
    expect(chat[0]).toMatchObject({ q: "/room/1", from: "alice", d: { text: "hi 0" } });
    expect(chat[10]).toMatchObject({ d: "from outside" });
    expect(frames.filter(({ op, m }) => op === "msg" && m === "dice").length).toBe(1);
    const none = await replay(server, "--dump", "state", "--queue", "/nothing/there");
    expect(none).toMatchObject({ code: 1, out: "", err: expect.stringContaining("no queue /nothing/there") });
    const user = await replay(server, "--dump", "state", "--queue", "/user/alice");
    expect(user).toMatchObject({ code: 1, out: "", err: expect.stringContaining("user's own queue") });
});

test("a killed server's state can be looked at, at its end and at any seq", async () => {
    const server = await recorded("crash");
    await live(server, "/room/1");
    const alice = await Peer.login(server, "alice");
    await alice.ask({ op: "join", q: "/room/1" });
    await alice.ask({ op: "set", q: "/room/1", m: "scores", k: "alice", d: 42 });
    await server.crash();
    const at = async (...words: string[]) => {
        const { code, out, err } = await replay(server, "--dump", "state", ...words);
        expect({ code, err }).toEqual({ code: 0, err: expect.stringContaining("all the same") });
        return out.split("\n").map((line) => JSON.parse(line));
    };
    const [room] = await at();
    expect(room).toMatchObject({ q: "/room/1", members: 2 }); // Bob is only away.
    expect(room.mounts.scores.value).toEqual({ alice: 42, bob: 9 });
    // Two seqs before the end: the last member's join and her score.
    const [before] = await at("--until", `/room/1@${room.at[1] - 2}`, "--queue", "/room/1");
    expect(before.at[1]).toBe(room.at[1] - 2);
    expect(before.mounts.scores.value).toEqual({ bob: 9 });
});

for (const [what, where, poison] of [
    ["a queue", "queue_ops.cc", "poison for the queue"],
    ["a parser", "json_client_frames.cc", "poison for the parser"],
] as const) {
    // gdb reads all the symbols of a build with sanitizers.
    const slow = { timeout: 10 * patienceMs };
    test(`a message that kills ${what} kills the replay at the same line`, slow, async () => {
        const server = await recorded("crash", { program: poisoned });
        await live(server, "/room/1");
        const mallory = await Peer.login(server, "mallory");
        await mallory.ask({ op: "join", q: "/room/1" });
        mallory.write({ op: "send", q: "/room/1", m: "chat", d: poison });
        expect(await server.death()).toBe("signal SIGABRT");
        // The server's last line says where, and so does the replay's.
        const last = await server.line("about_to_crash");
        const place = new RegExp(`file="?(\\S*${where})"? line=(\\d+)`).exec(last);
        const line = `${place?.[1]}:${place?.[2]}`;

        const folder = recordings(server);
        const again = await new Command([poisoned, "replay", folder]).end();
        expect(again).toMatchObject({ code: "signal SIGABRT", err: expect.stringContaining(line) });
        // What does not die of it goes the same way to the end, which is the poison.
        const mended = await replay(server);
        expect(mended).toMatchObject({ code: 0, out: expect.stringContaining("the process died") });
        const against = await replay(server, "--against", poisoned);
        expect(against).toMatchObject({ code: 1, err: expect.stringContaining(line) });
        expect(against.out).toMatch(/first difference of the builds at entry \d+: an event of a socket/);
        expect(against.out).toContain("other build: dies (SIGABRT)");
        const both = await new Command([poisoned, "replay", folder, "--against", poisoned]).end();
        expect(both).toMatchObject({ code: 1, out: expect.stringContaining("each dies (SIGABRT)") });
        const end = [...["--against", poisoned], ...["--until", "1000000"], ...["-o", "json"]];
        const dead = await new Command([poisoned, "replay", folder, ...end]).end();
        expect(dead.err).not.toContain("never comes to");
        const told = JSON.parse(dead.out);
        expect(told).toMatchObject({ same: true, both: "dies (SIGABRT)" });
        expect(told.behind_entry).toBeGreaterThan(0);
        expect(told).not.toHaveProperty("entries"); // Nobody has come to the end.
        const stack = await new Command([poisoned, "replay", folder, "--gdb"]).end(5 * patienceMs);
        expect(stack.out + stack.err).toContain(line);
    });
}

test("two builds are held against each other: the same, or the first input that they decide otherwise", async () => {
    const server = await recorded("all");
    await live(server, "/room/1");
    await server.stop();
    const same = await replay(server, "--against", poisoned);
    expect(same).toMatchObject({ code: 0, err: "" });
    expect(same.out).toMatch(/both builds the same: \d+ inputs, \d+ entries; as recorded$/);

    const other = await recorded("crash", { program: binary });
    const alice = await Peer.login(other, "alice");
    await alice.ask({ op: "join", q: "/room/1" });
    await alice.ask({ op: "send", q: "/room/1", m: "chat", d: "as usual" });
    await alice.ask({ op: "send", q: "/room/1", m: "chat", d: "another rule" });
    await alice.ask({ op: "send", q: "/room/1", m: "chat", d: "as usual" });
    await other.stop();
    const told = await replay(other, "--against", poisoned);
    expect(told).toMatchObject({ code: 1, err: "" });
    expect(told.out).toMatch(
        new RegExp(
            [
                String.raw`first difference of the builds at entry \d+: an event of a socket, \d+ bytes`,
                String.raw`  recorded:    Published, /room/1 to the gateway of shard 0`,
                String.raw`  this build:  Published, /room/1 to the gateway of shard 0`,
                String.raw`  other build: OpReply, /room/1 to .*$`,
            ].join("\n"),
        ),
    );
    const json = JSON.parse((await replay(other, "--against", poisoned, "-o", "json")).out);
    expect(json).toMatchObject({ shard: 0, whole: true, same: false, against: poisoned });
    expect(Object.keys(json)).toEqual(["shard", "version", "whole", "against", "same", "difference"]);
    // A build that cannot tell what it made of it is not said to be at the end.
    const silent = script(`case "$*" in *--explain*) exit 1 ;; esac`, `exec ${poisoned} "$@"`);
    const untold = await replay(other, "--against", silent);
    expect(untold.out).toMatch(/^first difference of the builds at entry \d+: an event of a socket/m);
    expect(untold.out).toContain("  other build: cannot be told: ");
    // Up to there, they are the same.
    const entry = json.difference.entry as number;
    const before = await replay(other, "--against", poisoned, "--until", `${entry}`);
    expect(before).toMatchObject({ code: 0, out: expect.stringContaining("stopped where they were to") });
    const behind = await replay(other, "--against", poisoned, "--until", "1000000");
    expect(behind.code).toBe(1);
});

test("two builds that leave a recording in the same way are the same", async () => {
    const server = await recorded("all", { program: poisoned });
    const alice = await Peer.login(server, "alice");
    await alice.ask({ op: "join", q: "/room/1" });
    await alice.ask({ op: "send", q: "/room/1", m: "chat", d: "another rule" });
    await alice.ask({ op: "send", q: "/room/1", m: "chat", d: "as usual" });
    await server.stop();
    const alone = await replay(server);
    expect(alone).toMatchObject({ code: 1, out: expect.stringContaining("first difference at entry") });
    const both = await replay(server, "--against", binary);
    expect(both).toMatchObject({ code: 0, err: "" });
    expect(both.out).toMatch(/both builds the same: .*; both differ from the recording from entry \d+ on$/);
    // What is no build of ours, or one that cannot do this, is told so.
    for (const program of ["/bin/true", "/bin/echo", "/no/such/program"]) {
        const none = await replay(server, "--against", program);
        expect(none.code).toBe(1);
        expect(none.err).not.toBe("");
    }
});

test("what a recording's last input caused is held against it, too", async () => {
    const server = await recorded("crash", { program: poisoned });
    const alice = await Peer.login(server, "alice");
    await alice.ask({ op: "join", q: "/room/1" });
    await alice.ask({ op: "send", q: "/room/1", m: "chat", d: "as usual" });
    await alice.ask({ op: "send", q: "/room/1", m: "chat", d: "another rule" });
    await server.crash(); // What was written until then ends with what alice was answered.
    const both = await replay(server, "--against", binary);
    expect(both).toMatchObject({ code: 0, err: "" });
    expect(both.out).toMatch(/both differ from the recording from entry \d+ on$/);
});

test("a recording that is still written is compared up to where it ended at first", async () => {
    const server = await recorded("all");
    await live(server, "/room/1");
    await server.stop();
    const whole = readFileSync(onlyFile(server));
    const begun = join(temporaryFolder(), "begun.rec");
    writeFileSync(begun, whole.subarray(0, whole.length / 2));
    // For the other build it has grown meanwhile.
    const late = script(
        `for word do`,
        `    shift`,
        `    if [ "$word" = "${begun}" ]; then word="${onlyFile(server)}"; fi`,
        `    set -- "$@" "$word"`,
        `done`,
        `exec ${binary} "$@"`,
    );
    const same = await muster(["replay", begun, "--against", late]);
    expect(same).toMatchObject({ code: 0, err: "" });
    expect(same.out).toMatch(/both builds the same: .*; as recorded$/);
});

test("what cannot be read is neither a difference nor a death of the builds", async () => {
    const server = await recorded("all");
    await live(server, "/room/1");
    await server.stop();
    const file = join(temporaryFolder(), "damaged.rec");
    writeFileSync(file, damaged(readFileSync(onlyFile(server))));
    const against = ["replay", file, "--against", poisoned];
    const { code, out, err } = await muster(against);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toMatch(/could not read on: \S*damaged.rec is damaged at byte \d+/);
    expect(err).toContain("M8004");
    expect(await muster([...against, "--until", "20"])).toMatchObject({ code: 0, err: "" });
    // Nor is it one where a build gives up for reasons of its own.
    const tired = script(`${binary} "$@" | head -n 20`, "exit 3");
    const early = await muster(["replay", onlyFile(server), "--against", tired]);
    expect(early).toMatchObject({ code: 1, out: "" });
    expect(early.err).toContain("could not go on, and ended with 3");
});

test("builds that cannot be started for want of descriptors give a clear error", async () => {
    const server = await recorded("all");
    await server.stop();
    const runner = ["prlimit", "--nofile=6"]; // The recording, and a pipe to one build.
    const { code, err } = await muster(["replay", onlyFile(server), "--against", poisoned], { runner });
    expect(code).toBe(1);
    expect(err).toMatch(/cannot run \S+: no pipe to it: Too many open files/);
});

test("a server whose disk is full goes on without its recording, which is replayed as far as it goes", async () => {
    const server = await recorded("all", { runner: ["prlimit", "--fsize=100000"] });
    const alice = await Peer.login(server, "alice");
    await alice.ask({ op: "join", q: "/room/1" });
    for (let i = 0; i < 40; ++i) {
        await alice.ask({ op: "set", q: "/room/1", m: "scores", k: "alice", d: "x".repeat(4000) });
    }
    expect(await server.line("recording_failed")).toContain("File too large");
    await live(server, "/room/2");
    await server.stop();
    const told = server.lines.all.filter((line) => line.includes("recording_"));
    expect(told.filter((line) => line.includes("recording_failed:")).length).toBe(1);
    expect(told.at(-1)).toContain("The recording ends before the server does");
    const { code, out, err } = await replay(server);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toContain("all the same");
    expect(out).toContain("cut short");
});

test("a folder of recordings belongs to one server", async () => {
    const folder = join(temporaryFolder(), "recordings");
    const server = await recorded("all", { set: { "recording.folder": folder } });
    const options = ["--dev", "--set", "listen.client=127.0.0.1:0", "--set", "listen.admin=127.0.0.1:0"];
    const data = ["--set", `data.folder=${temporaryFolder()}/data`, "--set", `recording.folder=${folder}`];
    const second = await muster(["serve", ...options, ...data, "--record", "crash"]);
    expect(second).toMatchObject({ code: 2, err: expect.stringContaining("M9001") });
    expect(second.err).toContain(folder);
    expect(second.err).toContain(`process ${server.pid}`);
});

test("recordings that are cut, damaged, foreign, newer or missing give a clear error", async () => {
    const server = await recorded("all");
    await live(server, "/room/1");
    await server.stop();
    const [name] = readdirSync(recordings(server)).filter((file) => file.endsWith(".rec")) as [string];
    const whole = readFileSync(join(recordings(server), name));
    const tried = async (bytes: Buffer) => {
        const folder = join(temporaryFolder(), "recordings");
        mkdirSync(folder);
        writeFileSync(join(folder, name), bytes);
        return await muster(["replay", folder]);
    };
    expect(await tried(damaged(whole))).toMatchObject({ code: 1, err: expect.stringMatching(/M80\d\d.*damaged/) });
    expect(await tried(whole.subarray(0, whole.length / 2))).toMatchObject({
        ...{ code: 0, out: expect.stringContaining("cut short") },
    });
    expect(await tried(Buffer.from("#!/bin/sh\n"))).toMatchObject({ code: 1, err: expect.stringContaining("M80") });
    expect(await tried(Buffer.alloc(0))).toMatchObject({ code: 1, err: expect.stringContaining("M80") });
    expect(await muster(["replay", "/nowhere"])).toMatchObject({ code: 1, err: expect.stringContaining("M80") });
    expect(await muster(["replay", temporaryFolder()])).toMatchObject({ code: 1 });
    expect((await muster(["replay", recordings(server), "--until", "soon"])).code).toBe(2);
    const queue = await muster(["replay", recordings(server), "--queue", "/room/1"]);
    expect(queue).toMatchObject({ code: 2, err: expect.stringContaining("--dump") });
});

test("a server that cannot record as it was told does not start", async () => {
    const options = ["--dev", "--set", "listen.client=127.0.0.1:0", "--set", "listen.admin=127.0.0.1:0"];
    const folder = ["--set", `data.folder=${temporaryFolder()}/data`, "--set", "recording.folder=/proc/no"];
    const { code, err } = await muster(["serve", ...options, ...folder, "--record", "all"]);
    expect(code).toBe(2);
    expect(err).toContain("/proc/no");
});
