/**
 * After abuse, memory returns: the rows of GUARANTEES.md section 7 that could leave something
 * behind, hundreds or thousands of times each, against one server each; and after rooms that were
 * left alone.
 *
 * After every round the test deletes the rooms (but for those that end by themselves), waits until the
 * server says that nothing is left (no connection, user, replica, queue), and looks at what the process
 * holds of its own (RssAnon). What is left behind adds up from round to round; what is only laid out
 * otherwise goes up and down. So the least of the last rounds is held against the most of some after
 * the warm-up. Up to 0.2 MiB more was measured (of 4.5 to 8), and 1 MiB is allowed, 4 under
 * sanitizers: what waits for the 100 clients that never read between the two looks, at 64 KiB, would
 * be 6.4.
 *
 * jemalloc is told to hand back at once what is free, and ASan to use it again: else both keep some
 * of it for a while, and that would be measured.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { expect, test } from "vitest";
import { call, demand } from "./admin.ts";
import { clientFrame, Peer, Raw, upgradeRequest } from "./peer.ts";
import { binary, type Server, serverOfTest, temporaryFolder } from "./server.ts";
import { patienceMs } from "./wait.ts";

async function metric(server: Server, name: string): Promise<number> {
    const text = await (await fetch(`${server.adminUrl}/metrics`)).text();
    const line = text.split("\n").find((each) => each.startsWith(`${name} `));
    return Number(line?.slice(name.length + 1));
}

/** Asks again and again until it is so. Errors: it did not come to be so in time. */
async function until(isSo: () => Promise<boolean>, what: () => string): Promise<void> {
    const giveUpAt = performance.now() + patienceMs;
    while (!(await isSo())) {
        if (performance.now() > giveUpAt) {
            throw new Error(`${patienceMs} ms without ${what()}`);
        }
    }
}

const gauges = ["muster_connections", "muster_users_online", "muster_replicas", "muster_actors"];

/** Deletes the rooms, as a backend does, and waits until nothing is left. */
async function isEmpty(server: Server): Promise<void> {
    let values: number[] = [];
    await until(
        async () => {
            const { json } = await demand(server, "GET", "/v1/queues?prefix=/room/");
            const rooms = (json.queues as { name: string }[]).map(({ name }) => name);
            await Promise.all(rooms.map((q) => call(server, "DELETE", `/v1/queues${q}`)));
            values = await Promise.all(gauges.map((name) => metric(server, name)));
            return values.every((value) => value === 0);
        },
        () => `a server with nothing left; it has ${gauges.map((name, i) => `${name} ${values[i]}`)}`,
    );
}

const kib = 1024;
/** What the process holds that is not a file's: heap and stacks. */
function heldBytes(server: Server): number {
    const status = readFileSync(`/proc/${server.pid}/status`, "utf8");
    return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]) * kib;
}

const hello = (user: string, more: object = {}) => text({ op: "hello", v: [1], user, ...more });
const text = (frame: object) => clientFrame(1, JSON.stringify(frame));

async function login(server: Server, user: string, headers: Record<string, string> = {}): Promise<Raw> {
    const raw = await Raw.upgraded(server.client, headers);
    raw.write(hello(user));
    await raw.read('"op":"hello"');
    return raw;
}

/** All of them, and a name of its own for each. */
async function crowd(size: number, one: (name: string) => Promise<void>): Promise<void> {
    await Promise.all(Array.from({ length: size }, () => one(`u${++lastName}`)));
}
let lastName = 0;

const deflated = (bytes: string) => deflateRawSync(bytes, { finishFlush: 2 /* Z_SYNC_FLUSH */ });
const bomb = Buffer.alloc(64 * kib, 0xff);
deflated(" ".repeat(32 * kib * kib)).copy(bomb);

/** Makes a room of its own with a member, fills it, and takes the member out again: from then on it is idle. */
function idleRoom(name: string): object[] {
    const path = `/v1/queues/idle/${name}`;
    const keys = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`${i}`, "x".repeat(32)]));
    return [
        { method: "PUT", path: `${path}/-/members/${name}`, body: {} },
        { method: "POST", path: `${path}/-/mounts/chat/messages`, body: { data: "x".repeat(1000) } },
        { method: "PATCH", path: `${path}/-/mounts/scores/state`, body: keys },
        { method: "DELETE", path: `${path}/-/members/${name}` },
    ];
}

interface Abuse {
    name: string;
    set?: Record<string, string | number | boolean>;
    /** Many abuses at once, each by somebody else. */
    round: (server: Server) => Promise<void>;
}

const abuses: Abuse[] = [
    {
        name: "1: connections without a byte",
        set: { "gateway.handshake_time": "100ms" },
        round: (server) =>
            crowd(200, async () => expect(await (await Raw.connect(server.client)).rest()).toBe("")),
    },
    {
        name: "2: handshakes byte by byte",
        set: { "gateway.handshake_time": "200ms" },
        round: (server) =>
            crowd(100, async () => {
                const raw = await Raw.connect(server.client);
                const head = upgradeRequest(server.client).slice(0, -2);
                let sent = 0;
                const drip = setInterval(() => raw.write(head[sent++ % head.length] as string), 20);
                expect(await raw.status().finally(() => clearInterval(drip))).not.toBe(101);
            }),
    },
    {
        name: "18: declared lengths of 2^40",
        round: (server) =>
            crowd(100, async (name) => {
                const raw = await login(server, name);
                raw.write(clientFrame(1, "few", { length: 2 ** 40 }));
                expect(await raw.closeCode()).toBe(1009);
            }),
    },
    {
        name: "19: fragments without end",
        round: (server) =>
            crowd(20, async (name) => {
                const raw = await login(server, name);
                raw.write(clientFrame(1, "x", { fin: false }));
                const more = name.endsWith("0")
                    ? Array<Buffer>(64 * kib).fill(clientFrame(0, "x", { fin: false }))
                    : Array<Buffer>(2).fill(clientFrame(0, "x".repeat(40 * kib), { fin: false }));
                raw.write(Buffer.concat(more));
                expect(await raw.closeCode()).toBe(1009);
            }),
    },
    {
        name: "23: floods of pings",
        round: (server) =>
            crowd(50, async (name) => {
                const raw = await login(server, name);
                raw.write(Buffer.concat(Array<Buffer>(1000).fill(clientFrame(9, "p".repeat(125)))));
                expect(await raw.closeCode()).toBe(1008);
            }),
    },
    {
        name: "25: 64 KiB that inflate to 32 MiB",
        set: { "gateway.deflate": true },
        round: (server) =>
            crowd(20, async (name) => {
                const raw = await login(server, name, {
                    "Sec-WebSocket-Extensions": "permessage-deflate",
                });
                raw.write(clientFrame(1 | 0x40, bomb));
                expect(await raw.closeCode()).toBe(1009);
            }),
    },
    {
        name: "37: hellos with 4,000 cursors",
        round: (server) =>
            crowd(20, async (name) => {
                const raw = await Raw.upgraded(server.client);
                const since = Array.from({ length: 4000 }, (_, i) => [`/r/${i}`, [1, 1]]);
                raw.write(hello(name, { since: Object.fromEntries(since) }));
                expect(await raw.closeCode()).toBe(4000);
            }),
    },
    {
        name: "41: an op number of 0, and one again with another body",
        round: (server) =>
            crowd(50, async (name) => {
                const peer = await Peer.login(server, name);
                const q = `/room/${name}`;
                const { at } = await peer.ask({ op: "join", q });
                const op = { op: "send", q, m: "chat", inc: at[0], try: 1 };
                const first = await peer.ask({ ...op, n: 1, d: name });
                const again = await peer.ask({ ...op, n: 1, d: "x".repeat(8 * kib) });
                expect(again).toMatchObject({ op: "ok", seq: first["seq"] });
                peer.write({ ...op, i: 9, n: 0, d: "x" });
                expect(await peer.end()).toMatchObject({ code: 4000 });
            }),
    },
    {
        name: "43: more ops at once than a queue takes",
        round: (server) =>
            crowd(20, async (name) => {
                const raw = await login(server, name);
                const q = `/room/${name}`;
                raw.write(text({ op: "join", i: 1, q }));
                await raw.read('"op":"joined"');
                const send = (_: unknown, i: number) =>
                    text({ op: "send", i, q, m: "chat", d: "x".repeat(200) });
                raw.write(Buffer.concat(Array.from({ length: 1000 }, send)));
                expect(await raw.closeCode()).toBe(1008);
            }),
    },
    {
        name: "47: values and keys that are too long, and one key too many",
        round: (server) =>
            crowd(2, async (name) => {
                const peer = await Peer.login(server, name);
                const q = `/room/${name}`;
                await peer.ask({ op: "join", q });
                const set = (k: string, d: string) => peer.ask({ op: "set", q, m: "scores", k, d });
                for (let i = 0; i < 1024; i += 16) {
                    const keys = Array.from({ length: 16 }, (_, n) => `${i + n}`);
                    const answers = await Promise.all(keys.map((k) => set(k, "x".repeat(100))));
                    expect(answers.map(({ op }) => op)).toEqual(Array(16).fill("ok"));
                }
                const refusals = [set("k".repeat(257), "x"), set("k", "x"), set("0", "x".repeat(17 * kib))];
                for (const answer of await Promise.all(refusals)) {
                    expect(answer).toMatchObject({ op: "err" });
                }
                peer.socket.terminate();
            }),
    },
    {
        name: "50: joins of more queues than one may",
        // No more of them: for 30 s a shard keeps the name of each room that nobody follows any more.
        round: (server) =>
            crowd(3, async (name) => {
                const peer = await Peer.login(server, name);
                const join = (_: unknown, i: number) => peer.ask({ op: "join", q: `/room/${name}-${i}` });
                const answers = await Promise.all(Array.from({ length: 80 }, join));
                expect(answers.filter(({ op }) => op === "joined").length).toBe(64);
                peer.socket.terminate();
            }),
    },
    {
        name: "54: clients that never read",
        round: async (server) => {
            const slow = 'muster_disconnects_total{reason="slow"}';
            const before = await metric(server, slow);
            const q = `/room/slow${++lastName}`;
            const talker = await Peer.login(server, `talker${lastName}`);
            await talker.ask({ op: "join", q });
            await crowd(10, async (name) => {
                const raw = await login(server, name);
                raw.write(text({ op: "join", i: 1, q }));
                await raw.read('"op":"joined"');
                raw.socket.pause();
            });
            while ((await metric(server, slow)) < before + 10) {
                const send = () => talker.ask({ op: "send", q, m: "chat", d: "x".repeat(16_000) });
                await Promise.all(Array.from({ length: 16 }, send));
            }
            talker.socket.terminate();
        },
    },
    {
        name: "rooms that were made, filled and left alone: they end after idle_ttl, nobody deletes them",
        round: async (server) => {
            const names = Array.from({ length: 400 }, () => `u${++lastName}`);
            const batch = async (some: string[]) => {
                const body = some.flatMap(idleRoom).map((line) => JSON.stringify(line)).join("\n");
                const headers = { "content-type": "application/x-ndjson" };
                const { text } = await call(server, "POST", "/v1/batch", { body, headers });
                const statuses = text.trim().split("\n").map((line) => JSON.parse(line).status);
                expect(statuses.filter((status) => status >= 300), text).toEqual([]);
                expect(statuses.length).toBe(4 * some.length);
            };
            await Promise.all([0, 1, 2, 3].map((n) => batch(names.slice(100 * n, 100 * (n + 1)))));
        },
    },
    {
        name: "56: more who have not signed in than one address may",
        set: { "gateway.unknown_of_address_max": 20 },
        round: async (server) => {
            const refused: Raw[] = [];
            const all = await Promise.all(Array.from({ length: 200 }, () => Raw.connect(server.client)));
            await Promise.all(all.map(async (raw) => {
                raw.write(upgradeRequest(server.client));
                if ((await raw.read("\r\n\r\n")).startsWith("HTTP/1.1 503 ")) {
                    refused.push(raw);
                }
            }));
            expect(refused.length).toBe(180);
            all.forEach((raw) => raw.socket.destroy());
        },
    },
];

/** Anyone makes a room; deleting it is for the backend, but for those that end by themselves. */
const rules = `
[[template]]
match = "/room/*"
create = "anyone"
join = "anyone"
[template.mounts]
chat = { type = "message", slow = "close" }
scores = { type = "state" }
[[template]]
match = "/idle/*"
create = "anyone"
idle_ttl = "100ms"
[template.mounts]
chat = { type = "message" }
scores = { type = "state" }
`;

const rounds = 20;
/** So many rounds warm it up; then so many, and so many at the end, are looked at. */
const looks = 5;
/** Sanitizers lay out big buffers anew for as long as others come: 2.3 MiB were measured. */
const cache = join(dirname(binary), "CMakeCache.txt");
const isSanitized =
    existsSync(cache) && /^MUSTER_SANITIZERS:\w+=./m.test(readFileSync(cache, "utf8"));
const spareBytes = (isSanitized ? 4 : 1) * 1024 * kib;

for (const { name, set, round } of abuses) {
    test(`memory is back where it was after ${name}`, { timeout: 180_000 }, async () => {
        const file = join(temporaryFolder(), "muster.toml");
        writeFileSync(file, rules);
        const server = await serverOfTest({
            args: ["--config", file],
            environment: {
                MALLOC_CONF: "dirty_decay_ms:0,muzzy_decay_ms:0",
                ASAN_OPTIONS: "quarantine_size_mb=0:thread_local_quarantine_size_kb=0",
            },
            set: {
                "server.shards": 2,
                "server.buckets": 16, // A bucket keeps its table once it is used: all soon are.
                "session.resume_time": "100ms",
                "gateway.op_rate": "100000/s burst 100000",
                "gateway.login_rate": "100000/s burst 100000",
                "gateway.unknown_max": 100_000,
                "gateway.unknown_of_address_max": 100_000,
                ...set,
            },
        });
        const held: number[] = [];
        for (let n = 0; n < rounds; n++) {
            await round(server);
            await isEmpty(server);
            held.push(heldBytes(server));
        }
        const base = Math.max(...held.slice(looks, 2 * looks));
        const end = Math.min(...held.slice(-looks));
        const series = () => held.map((bytes) => bytes / kib).join(" ");
        expect(end - base, `KiB after each round: ${series()}`).toBeLessThan(spareBytes);
    });
}
