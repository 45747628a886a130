/**
 * Bad input over the real socket: a sample of the table in GUARANTEES.md section 7, whose numbers
 * the tests carry. The machines' own tests have all of it; here the process is looked at: it lives,
 * and who behaves does not notice.
 */
import { readFileSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import { clientFrame, Peer, Raw, upgradeRequest } from "./peer.ts";
import { type Server, serverOfFile, serverOfTest } from "./server.ts";

const server = await serverOfFile({
    set: { "gateway.handshake_time": "1s", "gateway.hello_time": "1s" },
});

/** Somebody who behaves, and is served after each test as before it. */
const bystander = { name: "bystander", room: "/room/bystander" };
afterEach(async () => {
    const peer = await Peer.login(server, bystander.name);
    await peer.ask({ op: "join", q: bystander.room });
    const sent = await peer.ask({ op: "send", q: bystander.room, m: "chat", d: "still here" });
    expect(sent["op"]).toBe("ok");
    peer.socket.terminate();
});

test("1: a connection without a byte is closed in time, and without a word", async () => {
    const raw = await Raw.connect(server.client);
    expect(await raw.rest()).toBe("");
});

test("2: a handshake byte by byte is closed in time, not in time per byte", async () => {
    const raw = await Raw.connect(server.client);
    const began = performance.now();
    const head = upgradeRequest(server.client).slice(0, -2);
    let sent = 0;
    const drip = setInterval(() => {
        raw.write(head[sent++ % head.length] as string);
    }, 100);
    try {
        expect(await raw.status()).not.toBe(101);
    } finally {
        clearInterval(drip);
    }
    // With a time for each byte it would have lasted as long as the bytes.
    expect((performance.now() - began) / 100).toBeLessThan(head.length);
});

test("an upgrade without a hello is closed with 4000 in time", async () => {
    const peer = await Peer.connect(server);
    const end = await peer.end();
    expect(end).toMatchObject({ code: 4000, reason: expect.stringContaining("M1005") });
});

const refusedUpgrades: [string, Record<string, string | null>, number, RegExp][] = [
    ["9: no version", { "Sec-WebSocket-Version": null }, 426, /^sec-websocket-version: 13\r$/im],
    ["9: version 8", { "Sec-WebSocket-Version": "8" }, 426, /^sec-websocket-version: 13\r$/im],
    ["10: no key", { "Sec-WebSocket-Key": null }, 400, /M1030/],
    ["10: a short key", { "Sec-WebSocket-Key": "c2hvcnQ=" }, 400, /M1030/],
    ["10: two keys", { "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==" }, 400, /M1030/],
    ["11: a foreign page", { Origin: "https://evil.example" }, 403, /M2004/],
    ["11: a page of nowhere", { Origin: "null" }, 403, /M2004/],
];
for (const [name, change, status, body] of refusedUpgrades) {
    test(`an upgrade is refused with ${status} for ${name}`, async () => {
        const raw = await Raw.connect(server.client);
        raw.write(upgradeRequest(server.client, change));
        await raw.read("\r\n\r\n");
        raw.socket.end();
        expect(await raw.status()).toBe(status);
        expect(raw.text).toMatch(body);
    });
}

test("56: the 21st client of an address that has not signed in gets 503 and Retry-After", async () => {
    const small = await serverOfTest({ set: { "gateway.hello_time": "60s" } });
    const waiting = [];
    for (let i = 0; i < 20; i++) {
        waiting.push(await Peer.connect(small));
    }
    const late = await Raw.connect(small.client);
    expect(await late.status()).toBe(503);
    expect(await small.line("overload")).toMatch(/peer=127\.0\.0\.1 .*not signed in/);
    expect(late.text).toMatch(/^retry-after: [1-3]\r$/im);
    expect(late.text).toMatch(/M1033/);
    // Who has signed in does not count, on whichever shard it is.
    waiting[7]?.write({ op: "hello", v: [1], user: "alice" });
    await waiting[7]?.next("hello");
    await Peer.login(small, "bob");
});

const hello = (user: string) => clientFrame(1, JSON.stringify({ op: "hello", v: [1], user }));

const badFrames: [string, () => Buffer[], number][] = [
    ["14: an unmasked frame", () => [clientFrame(1, "{}", { mask: false })], 1002],
    ["18: a declared length of 2^40", () => [clientFrame(1, "few", { length: 2 ** 40 })], 1009],
    [
        "21: bad UTF-8, split over fragments",
        () => [
            clientFrame(1, Buffer.from([0x22, 0xe2, 0x82]), { fin: false }),
            clientFrame(0, Buffer.from([0x22])),
        ],
        1007,
    ],
    ["21: an overlong slash", () => [clientFrame(1, Buffer.from([0x22, 0xc0, 0xaf, 0x22]))], 1007],
    ["21: a surrogate", () => [clientFrame(1, Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]))], 1007],
    ["26: no hello first", () => [clientFrame(1, '{"op":"join","i":1,"q":"/room/1"}')], 4000],
    ["26: hello twice", () => [hello("twice-said"), hello("twice-said")], 4000],
    ["39: no JSON", () => [clientFrame(1, "{")], 4000],
    ["39: JSON of a wrong type", () => [clientFrame(1, '{"op":"hello","v":"1"}')], 4000],
    [
        "51: what only a server says",
        () => [hello("usurper"), clientFrame(1, '{"op":"joined","q":"/room/1"}')],
        1008,
    ],
];
for (const [name, frames, code] of badFrames) {
    test(`a connection is closed with ${code} for ${name}`, async () => {
        const raw = await Raw.upgraded(server.client);
        for (const frame of frames()) {
            raw.write(frame);
        }
        expect(await raw.closeCode()).toBe(code);
    });
}

/** The processor time that a process has used, in clock ticks of 10 ms. */
function ticksOf(pid: number): number {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /, "").split(" ");
    return Number(fields[11]) + Number(fields[12]);
}

/** Resolves when `peer` has been answered `count` times: time that passes for the server, too. */
async function chat(peer: Peer, q: string, count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
        expect(await peer.ask({ op: "send", q, m: "chat", d: i })).toMatchObject({ op: "ok" });
    }
}

async function fullServer(): Promise<Server> {
    return serverOfTest({
        runner: ["prlimit", "--nofile=64:64"],
        // Who waits for an accept is to be served later, not thrown out.
        set: {
            "server.shards": 2,
            "gateway.hello_time": "60s",
            "gateway.handshake_time": "60s",
            "gateway.ping_interval": "1s",
            "gateway.op_rate": "1000/s burst 10000",
            "gateway.unknown_of_address_max": 1000,
        },
    });
}

test("58: without file descriptors those who are in live, nothing spins, and the next get in later", async () => {
    const full = await fullServer();
    const q = "/room/full";
    const resident = await Peer.login(full, "resident");
    await resident.ask({ op: "join", q });

    // More than 64 can be: the kernel takes them all, the server only some.
    const crowd = await Promise.all(Array.from({ length: 80 }, () => Raw.connect(full.client)));
    for (const raw of crowd) {
        raw.write(upgradeRequest(full.client));
    }
    const isIn = (raw: Raw) => raw.text.startsWith("HTTP/1.1 101 ");
    await Promise.race(crowd.map((raw) => raw.read("\r\n\r\n")));
    await chat(resident, q, 20);
    const waiting = crowd.filter((raw) => !isIn(raw));
    expect(waiting.length).toBeGreaterThanOrEqual(16);

    // Nothing to do for as long as it takes to wonder whether the resident is there; meanwhile
    // sockets stand in the kernel's queue, which would wake who does not pause.
    const before = ticksOf(full.pid);
    const began = performance.now();
    await resident.next("ping");
    const busy = ((ticksOf(full.pid) - before) * 10) / (performance.now() - began);
    expect(busy).toBeLessThan(0.3);
    await chat(resident, q, 20);

    for (const raw of crowd.filter(isIn)) {
        raw.socket.destroy();
    }
    // All who waited are served, as places become free.
    for (const raw of waiting) {
        expect(await raw.read("\r\n\r\n")).toContain("HTTP/1.1 101 ");
        raw.socket.destroy();
    }
    const late = await Peer.login(full, "late");
    await late.ask({ op: "join", q });
    await chat(late, q, 1);
});
