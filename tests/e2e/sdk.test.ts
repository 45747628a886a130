/** The real SDK against the real server. */
import { MusterError } from "@muster/client";
import { expect, test } from "vitest";
import { demand } from "./admin.ts";
import { client, status, tokenOf, when } from "./sdk.ts";
import { serverOfFile, serverOfTest } from "./server.ts";
import { within } from "./wait.ts";

const server = await serverOfFile();

let lastRoom = 0;
/** A room that no other test uses. */
const freshRoom = () => `/room/sdk-${++lastRoom}`;

interface Mounts {
    chat: string;
    dice: { roll: string; got?: number[] };
}
interface States {
    scores: number;
}

/** A member of a room, who keeps what is said there. */
async function member(user: string, room: string) {
    const m = client(server.url, { user });
    const queue = m.queue<Mounts, States>(room);
    const said: string[] = [];
    queue.message("chat").on((event) => said.push(`${event.seq} ${event.from}: ${event.data}`));
    await within(queue.join(), `${user} in ${room}`);
    return { m, queue, said, chat: queue.message("chat"), scores: queue.state("scores") };
}

test("two clients talk, and both see the same in the same order", async () => {
    const room = freshRoom();
    const alice = await member("alice", room);
    const bob = await member("bob", room);
    await Promise.all([
        ...Array.from({ length: 10 }, (_, i) => alice.chat.send(`a${i}`)),
        ...Array.from({ length: 10 }, (_, i) => bob.chat.send(`b${i}`)),
    ]);
    await alice.chat.send("end");
    await when((told) => bob.chat.on(told), () => bob.said.length === 21);
    expect(bob.said).toEqual(alice.said);
    expect(alice.said).toHaveLength(21);
});

test("state is shared, and a set on an old value is refused", async () => {
    const room = freshRoom();
    const alice = await member("alice", room);
    const bob = await member("bob", room);
    const { seq } = await alice.scores.set("alice", 7);
    await when((told) => bob.scores.on("change", told), () => bob.scores.get("alice") === 7);
    expect(bob.scores.seqOf("alice")).toBe(seq);
    const second = await bob.scores.set("alice", 8, { ifSeq: seq });
    const conflict = await alice.scores.set("alice", 9, { ifSeq: seq }).catch((error) => error);
    expect(conflict).toBeInstanceOf(MusterError);
    expect(conflict).toMatchObject({
        ...{ code: "M3009", outcome: "rejected", retryable: false, current: second.seq },
    });
    await alice.scores.delete("alice");
    await when((told) => bob.scores.on("change", told), () => !bob.scores.has("alice"));
});

test("updates of two clients at once are all counted", async () => {
    const room = freshRoom();
    const alice = await member("alice", room);
    const bob = await member("bob", room);
    const add = (score = 0) => score + 1;
    await Promise.all(
        [alice, bob].flatMap(({ scores }) => [1, 2, 3].map(() => scores.update("sum", add))),
    );
    await when((told) => alice.scores.on("change", told), () => alice.scores.get("sum") === 6);
});

test("who comes later gets state, members and history", async () => {
    const room = freshRoom();
    const alice = await member("alice", room);
    await alice.scores.set("alice", 3);
    for (const text of ["one", "two", "three"]) {
        await alice.chat.send(text);
    }
    const bob = await member("bob", room);
    expect(bob.scores.get("alice")).toBe(3);
    expect([...bob.queue.members.keys()].sort()).toEqual(["alice", "bob"]);
    const history = await bob.chat.history();
    expect(history.map(({ from, data }) => [from, data])).toEqual([
        ["alice", "one"],
        ["alice", "two"],
        ["alice", "three"],
    ]);
    expect(await bob.chat.history(history[1]?.seq)).toEqual(history.slice(0, 1));
});

test("members come and go before everybody's eyes", async () => {
    const room = freshRoom();
    const alice = await member("alice", room);
    const bob = await member("bob", room);
    await when((told) => alice.queue.members.on("change", told), () => alice.queue.members.count === 2);
    let why = "";
    alice.queue.members.on("change", ({ del }) => (why = del["bob"] ?? why));
    const left = new Promise((resolve) => bob.queue.on("left", resolve));
    await bob.queue.leave();
    await when((told) => alice.queue.members.on("change", told), () => !alice.queue.members.has("bob"));
    expect(why).toBe("left");
    expect(await within(left, "left")).toEqual({ why: "left" });
});

test("the queue rolls the dice for everybody", async () => {
    const room = freshRoom();
    const alice = await member("alice", room);
    const bob = await member("bob", room);
    const seen = [alice, bob].map(
        ({ queue }) => new Promise((resolve) => queue.message("dice").on((e) => resolve(e.data))),
    );
    await alice.queue.message("dice").send({ roll: "3d6" });
    const [one, other] = (await within(Promise.all(seen), "dice")) as Mounts["dice"][];
    expect(other).toEqual(one);
    expect(one?.got).toHaveLength(3);
});

test("a second sign-in under one name ends the first client", async () => {
    const room = freshRoom();
    const first = await member("doubled", room);
    const second = await member("doubled", room);
    const end = await status(first.m, ({ state }) => state === "closed");
    expect(end.reason?.code).toBe("M1003");
    await second.chat.send("I have it now");
    expect(second.said).toHaveLength(1);
    const late = await first.chat.send("me too").catch((error) => error);
    expect(late).toMatchObject({ outcome: "not-sent" });
});

test("refusals say why", async () => {
    const room = freshRoom();
    const alice = await member("alice", room);
    const refusals: [Promise<unknown>, string][] = [
        [alice.queue.message("nowhere" as "chat").send("x"), "M3001"],
        [alice.queue.message("scores" as "chat").send("x"), "M3002"],
        [alice.chat.send("x".repeat(16 * 1024)), "M3003"],
        [alice.m.queue("/nowhere/1").join(), "M2002"],
        [alice.m.queue("/room//1").join(), "M2001"],
    ];
    // All at once: an answer may come before it is that one's turn to be looked at.
    const errors = await Promise.all(refusals.map(([refused]) => refused.catch((reason) => reason)));
    for (const [index, [, code]] of refusals.entries()) {
        const error = errors[index];
        expect(error).toMatchObject({ name: "MusterError", outcome: "rejected", code });
    }
});

test("an aborted send is withdrawn, or was faster", async () => {
    const room = freshRoom();
    const alice = await member("alice", room);
    const abort = new AbortController();
    const sent = alice.chat.send("never mind", { signal: abort.signal });
    abort.abort();
    const outcome = await sent.then(
        () => "accepted",
        (error) => error.code,
    );
    expect(["accepted", "M2006"]).toContain(outcome);
    await alice.chat.send("after");
    expect(alice.said.length).toBe(outcome === "accepted" ? 2 : 1);
});

test("a client without a token is let in nowhere but in --dev", async () => {
    const closed = await serverOfTest({ dev: false });
    const end = await status(
        client(closed.url, { user: "alice" }),
        ({ state }) => state === "closed",
    );
    expect(end.reason?.code).toBe("M1001");
});

test("tokens let users in, and the backend's queue shows them", async () => {
    const closed = await serverOfTest({ dev: false });
    const moves = { moves: { type: "message" } };
    await demand(closed, "PUT", "/v1/queues/game/7", { mounts: moves });

    let asked = 0;
    const alice = client(closed.url, {
        token: async () => (asked++ === 0 ? "rubbish.rubbish.rubbish" : tokenOf(closed, "alice")),
    });
    const joined = new Promise<string>((resolve) => alice.on("joined", ({ name }) => resolve(name)));
    await status(alice, ({ state }) => state === "online");
    expect(asked).toBe(2);
    expect(alice.user).toBe("alice");

    await demand(closed, "PUT", "/v1/queues/game/7/-/members/alice");
    expect(await within(joined, "the backend's join")).toBe("/game/7");
    const game = alice.queue<{ moves: string }>("/game/7");
    const made: string[] = [];
    game.message("moves").on((event) => made.push(event.data));
    await game.message("moves").send("e4");
    expect(made).toEqual(["e4"]);
    const left = new Promise((resolve) => game.on("left", resolve));
    await demand(closed, "DELETE", "/v1/queues/game/7/-/members/alice");
    expect(await within(left, "the backend's kick")).toEqual({ why: "kicked" });

    for (const [token, code] of [
        [tokenOf(closed, "bob", { exp: Math.floor(Date.now() / 1000) - 10 }), "M1002"],
        [`${tokenOf(closed, "bob").slice(0, -4)}AAAA`, "M1001"],
        [tokenOf(closed, "no user id!"), "M1001"],
    ] as const) {
        const end = await status(client(closed.url, { token }), ({ state }) => state === "closed");
        expect(end.reason?.code).toBe(code);
    }
});
