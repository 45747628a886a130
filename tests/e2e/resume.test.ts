/** What survives a bad network and a restart: the real SDK, through a proxy that can be hurt. */
import type { Client, Cursor } from "@muster/client";
import { expect, onTestFinished, test, vi } from "vitest";
import { client, status, when } from "./sdk.ts";
import { type Server, serverOfFile, serverOfTest } from "./server.ts";
import { TcpProxy } from "./tcp_proxy.ts";
import { within } from "./wait.ts";

const server = await serverOfFile({
    set: {
        "gateway.ping_interval": "1s",
        "gateway.dead_after": "2s",
        "gateway.op_rate": "2000/s burst 2000",
    },
});

let lastRoom = 0;
const freshRoom = () => `/room/resume-${++lastRoom}`;

/** A client in a room, and all that it is told there. */
async function member(url: string, user: string, room: string) {
    const m = client(url, { user });
    const queue = m.queue<{ chat: string }, { scores: number }>(room);
    const said: { seq: number; data: string }[] = [];
    const resumes: string[] = [];
    queue.message("chat").on(({ seq, data }) => said.push({ seq, data }));
    queue.on("joined", ({ again, resume }) => again && resumes.push(resume["chat"] ?? "none"));
    await within(queue.join(), `${user} in ${room}`);
    const chat = queue.message("chat");
    const hears = (count: number) => when((told) => chat.on(told), () => said.length >= count);
    return { m, queue, said, resumes, chat, scores: queue.state("scores"), hears };
}

type Member = Awaited<ReturnType<typeof member>>;

/** Each in its place, each once, in one order: as the listener that was never cut saw it. */
function expectSame(cut: Member, whole: Member): void {
    expect(cut.said).toEqual(whole.said);
    const places = whole.said.map(({ seq }) => seq);
    expect(places).toEqual([...new Set(places)].sort((a, b) => a - b));
}

test("under cuts, in both directions, nothing is lost, doubled or out of order", async () => {
    const room = freshRoom();
    const network = await TcpProxy.start(server.client);
    const alice = await member(network.url, "alice", room);
    const bob = await member(server.url, "bob", room);

    // The client waits before it tries again, for ever longer, by chance: here for a little only.
    const chance = vi.spyOn(globalThis.crypto, "getRandomValues");
    chance.mockImplementation((drawn) => (drawn as Uint32Array<ArrayBuffer>).fill(2 ** 20));
    onTestFinished(() => chance.mockRestore());

    const each = 200;
    const cuts = [9, 20, 33, 60, 77, 100, 123, 140, 159, 180];
    const verdicts: Promise<{ seq: number }>[] = [];
    for (let n = 0; n < each; n++) {
        // As much again is under way when the network breaks.
        verdicts.push(alice.chat.send(`alice ${n}`), bob.chat.send(`bob ${n}`));
        if (n % 10 === 9) {
            await verdicts.at(-1);
        }
        if (cuts.includes(n)) {
            await status(alice.m, ({ state }) => state === "online");
            network.cut();
            await status(alice.m, ({ state }) => state !== "online");
            network.delayMs = n % 3;
        }
        // At most a window full may wait for the connection.
        if (verdicts.length % 50 === 0) {
            await within(Promise.all(verdicts), "all verdicts");
        }
    }
    const places = await within(Promise.all(verdicts), "all verdicts");
    await Promise.all([alice, bob].map(({ hears }) => hears(2 * each)));
    expectSame(alice, bob);
    expect(bob.said).toHaveLength(2 * each);
    expect(new Set(places.map(({ seq }) => seq)).size).toBe(2 * each);
    for (const name of ["alice", "bob"]) {
        const own = bob.said.map(({ data }) => data).filter((text) => text.startsWith(name));
        expect(own).toEqual(Array.from({ length: each }, (_, n) => `${name} ${n}`));
    }
    expect(network.connections.all.length).toBeGreaterThan(cuts.length);
    expect(alice.resumes.length).toBeGreaterThan(0);
    for (const told of alice.resumes) {
        expect(told).toMatch(/^replayed \d+$/);
    }
});

test("what was missed while the network was down is replayed, and state is as it is now", async () => {
    const room = freshRoom();
    const network = await TcpProxy.start(server.client);
    const alice = await member(network.url, "carla", room);
    const bob = await member(server.url, "dirk", room);
    network.refuse();
    await status(alice.m, ({ state }) => state !== "online");
    for (const text of ["one", "two", "three"]) {
        await bob.chat.send(text);
    }
    await bob.scores.set("dirk", 1);
    await bob.scores.set("dirk", 2);
    // What is said off line waits, and is said once there is a connection.
    const later = alice.chat.send("four");
    network.heal();
    await within(later, "the verdict on what waited");
    await bob.hears(4);
    expectSame(alice, bob);
    expect(bob.said.map(({ data }) => data)).toEqual(["one", "two", "three", "four"]);
    expect(alice.resumes).toEqual(["replayed 3"]);
    expect(alice.scores.get("dirk")).toBe(2);
});

test("both ends notice a network that swallows everything", async () => {
    const room = freshRoom();
    const network = await TcpProxy.start(server.client);
    const alice = await member(network.url, "emil", room);
    const bob = await member(server.url, "frida", room);
    network.hold();
    const swallowed = alice.chat.send("into the void");
    await bob.chat.send("unheard");
    const lost = await status(alice.m, ({ state }) => state !== "online");
    expect(lost.reason?.code).toBe("M1006");
    network.heal();
    await within(swallowed, "the verdict on what was swallowed");
    await Promise.all([alice.hears(2), bob.hears(2)]);
    expectSame(alice, bob);
});

test("a slow network only slows", async () => {
    const room = freshRoom();
    const network = await TcpProxy.start(server.client);
    network.delayMs = 150;
    const alice = await member(network.url, "gesa", room);
    const bob = await member(server.url, "hugo", room);
    await within(
        Promise.all(Array.from({ length: 30 }, (_, n) => alice.chat.send(`${n}`))),
        "all verdicts",
    );
    await bob.hears(30);
    expectSame(alice, bob);
    expect(network.connections.all).toHaveLength(1);
});

test("a client whose connection died is in the room until its time is over", async () => {
    const short = await serverOfTest({ set: { "session.resume_time": "1s" } });
    const network = await TcpProxy.start(short.client);
    const room = freshRoom();
    const alice = await member(network.url, "ines", room);
    const bob = await member(short.url, "jonas", room);
    let why: string | undefined;
    bob.queue.members.on("change", ({ del }) => (why = del["ines"] ?? why));
    network.refuse();
    await when((told) => bob.queue.members.on("change", told), () => why !== undefined);
    expect(why).toBe("timeout");
    // It comes back as somebody new, and joins what it had joined.
    network.heal();
    await status(alice.m, ({ state }) => state === "online");
    await when((told) => bob.queue.members.on("change", told), () => bob.queue.members.has("ines"));
    await alice.chat.send("back again");
    await bob.hears(1);
});

/** What a client is told of its queue while its server goes and comes back. */
async function restart(end: (server: Server) => Promise<void>) {
    const first = await serverOfTest();
    let target = first.client;
    const network = await TcpProxy.start(() => target);
    const room = freshRoom();
    const alice = await member(network.url, "klara", room);
    await alice.chat.send("before");
    await alice.scores.set("klara", 1);
    const incs: Cursor[0][] = [alice.queue.joined?.at[0] ?? 0];
    const sessions = [alice.m.session];
    const resets: string[] = [];
    alice.queue.on("reset", ({ why }) => resets.push(why));
    const back = new Promise<void>((resolve) =>
        alice.queue.on("joined", ({ at }) => {
            incs.push(at[0]);
            resolve();
        }),
    );

    network.refuse();
    await end(first);
    await status(alice.m, ({ state }) => state !== "online");
    const typed = alice.chat.send("while it was away").catch((error: unknown) => error);
    const second = await serverOfTest({ folder: first.folder });
    target = second.client;
    network.heal();
    await within(back, () => `a join of the new queue; ${JSON.stringify(alice.m.status)}`);
    sessions.push(alice.m.session);
    return { alice, room, second, incs, sessions, resets, typed };
}

for (const [name, end] of [
    ["stopped", (server: Server) => server.stop()],
    ["killed", (server: Server) => server.crash()],
] as const) {
    test(`after its server was ${name} and started again a client is told, and goes on`, async () => {
        const { alice, room, second, incs, sessions, resets, typed } = await restart(end);
        expect(resets).toEqual(["gone"]);
        expect(incs.at(-1)).toBeGreaterThan(incs[0] as number);
        expect(sessions[1]).not.toBe(sessions[0]);
        // What had never left the client goes to the room that there is.
        const said = await within(Promise.resolve(typed), "a verdict of what was typed");
        expect(said).toMatchObject({ seq: expect.any(Number) });
        // Nothing of the old room is shown as if it were still so.
        expect(alice.resumes).toEqual([]);
        expect(alice.scores.get("klara")).toBeUndefined();
        const bob = await member(second.url, "lars", room);
        const { seq } = await alice.chat.send("after");
        await bob.hears(1);
        expect(bob.said).toEqual([{ seq, data: "after" }]);
        await alice.scores.set("klara", 5);
        await when((told) => bob.scores.on("change", told), () => bob.scores.get("klara") === 5);
        await expectClosed(bob.m);
    });
}

async function expectClosed(m: Client): Promise<void> {
    await within(m.close(), "close()");
    expect(m.status).toEqual({ state: "closed" });
}
