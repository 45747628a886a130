/** The client protocol as somebody types it, with no SDK between, over the real socket. */
import { expect, test } from "vitest";
import { call } from "./admin.ts";
import { Peer } from "./peer.ts";
import { serverOfFile, serverOfTest } from "./server.ts";

const server = await serverOfFile();

let lastRoom = 0;
/** A room that no other test uses. */
const freshRoom = () => `/room/wire-${++lastRoom}`;

test("hello, join, send, set and leave need nothing that is optional", async () => {
    const q = freshRoom();
    const alice = await Peer.connect(server);
    alice.text('{"op":"hello","v":[1],"user":"ann"}');
    const hello = await alice.next("hello");
    expect(hello).toMatchObject({ op: "hello", v: 1, user: "ann" });
    expect(hello["session"]).toBeTypeOf("number");
    expect(hello["resume"]).toMatch(/./);
    expect(hello["cid"]).toMatch(/./);
    expect(hello["ping"]).toBe(15);

    const joined = await alice.ask({ op: "join", q });
    expect(joined).toMatchObject({
        op: "joined",
        q,
        member: true,
        at: [expect.any(Number), expect.any(Number)],
        resume: { chat: "fresh", dice: "fresh", scores: "fresh", positions: "fresh" },
        mounts: {
            chat: { type: "message" },
            dice: { type: "message" },
            scores: { type: "state", value: {} },
            positions: { type: "state", value: {} },
        },
        members: 1,
    });
    expect(Object.keys(joined["who"])).toEqual(["ann"]);

    const bob = await Peer.login(server, "ben");
    await bob.ask({ op: "join", q });
    expect(await alice.next("members")).toMatchObject({ q, set: { ben: {} }, count: 2 });

    const sent = await alice.ask({ op: "send", q, m: "chat", d: { text: "hi" } });
    expect(sent).toMatchObject({ op: "ok", seq: expect.any(Number) });
    expect(await bob.next("msg")).toMatchObject({
        ...{ q, m: "chat", seq: sent["seq"], from: "ann", d: { text: "hi" } },
        t: expect.any(Number),
    });

    const set = await bob.ask({ op: "set", q, m: "scores", k: "ben", d: 9 });
    expect(set).toMatchObject({ op: "ok", seq: sent["seq"] + 1 });
    const told = { q, m: "scores", seq: set["seq"], set: { ben: 9 } };
    expect(await alice.next("state")).toMatchObject(told);
    const cleared = await bob.ask({ op: "set", q, m: "scores", k: "ben" });
    expect(cleared["op"]).toBe("ok");
    expect(await alice.next("state")).toMatchObject({ q, m: "scores", del: ["ben"] });

    expect(await bob.ask({ op: "leave", q })).toMatchObject({ op: "ok" });
    expect(await alice.next("members")).toMatchObject({ q, del: { ben: "left" }, count: 1 });
});

test("requests without i are done, too", async () => {
    const q = freshRoom();
    const peer = await Peer.login(server, "quiet");
    peer.write({ op: "join", q });
    await peer.next("joined", { q });
    peer.write({ op: "send", q, m: "chat", d: 1 });
    expect(await peer.next("msg", { q })).toMatchObject({ d: 1, from: "quiet" });
});

test("what came in as JSON goes out as the same bytes", async () => {
    const q = freshRoom();
    const peer = await Peer.login(server, "bytes");
    await peer.ask({ op: "join", q });
    const texts: string[] = [];
    peer.socket.on("message", (bytes) => texts.push(String(bytes)));
    const payload = '{ "b":1.50, "a" : [ 1e2,"\\u00e9é" ],"b":2 }';
    peer.text(`{"op":"send","i":900,"q":"${q}","m":"chat","d":${payload}}`);
    await peer.next("msg", { q });
    expect(texts.find((text) => text.includes('"msg"'))).toContain(payload);
});

test("everybody sees one order, whoever sends", async () => {
    const q = freshRoom();
    const peers = await Promise.all(["o1", "o2", "o3"].map((user) => Peer.login(server, user)));
    for (const peer of peers) {
        await peer.ask({ op: "join", q });
    }
    const each = 20;
    peers.forEach((peer, who) => {
        for (let n = 0; n < each; n++) {
            peer.write({ op: "send", i: n + 100, q, m: "chat", d: [who, n] });
        }
    });
    const streams = await Promise.all(
        peers.map(async (peer) => {
            const seen: [number, unknown][] = [];
            while (seen.length < each * peers.length) {
                const { seq, d } = await peer.next("msg", { q });
                seen.push([seq, d]);
            }
            return seen;
        }),
    );
    expect(streams[1]).toEqual(streams[0]);
    expect(streams[2]).toEqual(streams[0]);
    const first = (streams[0]?.[0]?.[0] ?? 0) as number;
    expect(streams[0]?.map(([seq]) => seq)).toEqual(streams[0]?.map((_, i) => first + i));
    peers.forEach((_, who) => {
        const own = streams[0]?.filter(([, d]) => (d as number[])[0] === who);
        expect(own?.map(([, d]) => (d as number[])[1])).toEqual([...Array(each).keys()]);
    });
});

test("a set with `if` is refused once somebody else was first, and says where the key is", async () => {
    const q = freshRoom();
    const peer = await Peer.login(server, "cas");
    await peer.ask({ op: "join", q });
    const set = { op: "set", q, m: "scores", k: "cas" };
    const first = await peer.ask({ ...set, d: 1, if: 0 });
    expect(first["op"]).toBe("ok");
    const absent = await peer.ask({ ...set, d: 2, if: 0 });
    expect(absent).toMatchObject({ op: "err", code: "M3009", current: first["seq"] });
    const second = await peer.ask({ ...set, d: 2, if: first["seq"] });
    expect(second["op"]).toBe("ok");
    const stale = await peer.ask({ ...set, d: 3, if: first["seq"] });
    expect(stale).toMatchObject({ op: "err", code: "M3009", current: second["seq"] });
});

test("the same op number is done once, and answered each time alike", async () => {
    const q = freshRoom();
    const peer = await Peer.login(server, "again");
    const joined = await peer.ask({ op: "join", n: 1, inc: 0, try: 1, q });
    const inc = joined["at"][0];
    const op = { op: "send", n: 2, inc, q, m: "chat", d: "once" };
    const first = await peer.ask({ ...op, try: 1 });
    expect(first).toMatchObject({ op: "ok" });
    expect(await peer.ask({ ...op, try: 2 })).toMatchObject({ op: "ok", seq: first["seq"] });
    const withdrawn = await peer.ask({ op: "withdraw", n: 2, inc, try: 3, q });
    expect(withdrawn).toMatchObject({ op: "ok", seq: first["seq"] });
    const next = await peer.ask({ op: "send", n: 3, inc, try: 1, q, m: "chat", d: "then" });
    expect(next).toMatchObject({ op: "ok", seq: first["seq"] + 1 });
    const later = await peer.ask({ op: "withdraw", n: 4, inc, try: 1, q });
    expect(later).toMatchObject({ op: "err", code: "M2006" });
    const late = await peer.ask({ ...op, n: 4, try: 2 });
    expect(late).toMatchObject({ op: "err", code: "M2006" });
});

test("a new hello with `since` gets what was missed, then `joined`", async () => {
    const q = freshRoom();
    const alice = await Peer.login(server, "since");
    const joined = await alice.ask({ op: "join", q });
    const bob = await Peer.login(server, "talker");
    await bob.ask({ op: "join", q });
    await alice.next("members", { q });
    const seen = (await bob.ask({ op: "send", q, m: "chat", d: 0 }))["seq"];
    await alice.next("msg", { q });
    alice.socket.terminate();
    for (const d of [1, 2, 3]) {
        await bob.ask({ op: "send", q, m: "chat", d });
    }

    const again = await Peer.connect(server);
    const since = { [q]: [joined["at"][0], seen] };
    again.write({ op: "hello", v: [1], user: "since", since });
    await again.next("hello");
    const back = await again.next("joined", { q });
    expect(back["i"]).toBeUndefined();
    expect(back).toMatchObject({ member: true, resume: { chat: "replayed 3" } });
    const missed = again.frames.all.filter((frame) => frame.op === "msg");
    expect(missed.map((frame) => frame["d"])).toEqual([1, 2, 3]);
});

test("who only listens sees all and is no member", async () => {
    const q = freshRoom();
    const member = await Peer.login(server, "actor");
    await member.ask({ op: "join", q });
    const watcher = await Peer.login(server, "watcher");
    const joined = await watcher.ask({ op: "listen", q });
    expect(joined).toMatchObject({ op: "joined", member: false, members: 1 });
    await member.ask({ op: "send", q, m: "chat", d: "seen" });
    expect(await watcher.next("msg", { q })).toMatchObject({ d: "seen" });
    const refused = await watcher.ask({ op: "send", q, m: "scores", d: 1 });
    expect(refused["op"]).toBe("err");
    expect(await watcher.ask({ op: "unlisten", q })).toMatchObject({ op: "ok" });
    expect(await watcher.ask({ op: "unlisten", q })).toMatchObject({ op: "ok" });
});

test("history is asked for by place, the newest at the end", async () => {
    const q = freshRoom();
    const peer = await Peer.login(server, "historian");
    await peer.ask({ op: "join", q });
    const seqs: number[] = [];
    for (const d of ["a", "b", "c"]) {
        seqs.push((await peer.ask({ op: "send", q, m: "chat", d }))["seq"]);
    }
    const all = await peer.ask({ op: "history", q, m: "chat" });
    expect(all["op"]).toBe("history");
    expect(all["items"].map((item: { d: string }) => item.d)).toEqual(["a", "b", "c"]);
    const before = await peer.ask({ op: "history", q, m: "chat", before: seqs[2] });
    expect(before["items"].map((item: { seq: number }) => item.seq)).toEqual(seqs.slice(0, 2));
});

test("the queue rolls the dice, and nobody else", async () => {
    const q = freshRoom();
    const peer = await Peer.login(server, "roller");
    await peer.ask({ op: "join", q });
    for (const [roll, count, faces] of [["2d6", 2, 6], ["1d20", 1, 20], ["5d4", 5, 4]] as const) {
        await peer.ask({ op: "send", q, m: "dice", d: { roll } });
        const { d } = await peer.next("msg", { q, m: "dice" });
        expect(d.roll).toBe(roll);
        expect(d.got).toHaveLength(count);
        for (const eyes of d.got) {
            expect(eyes).toBeGreaterThanOrEqual(1);
            expect(eyes).toBeLessThanOrEqual(faces);
        }
    }
    const forged = { op: "send", q, m: "dice", d: { roll: "1d6", got: [6] } };
    expect(await peer.ask(forged)).toMatchObject({ op: "err", outcome: "rejected" });
});

test("a second hello of a user closes the first one's connection with 4003", async () => {
    const first = await Peer.login(server, "twice");
    await Peer.login(server, "twice");
    expect(await first.end()).toMatchObject({ code: 4003, reason: expect.stringContaining("M1003") });
});

test("where the oldest login wins, a second is refused until the first has gone", async () => {
    const strict = await serverOfTest({ set: { "session.logins": "oldest" } });
    const first = await Peer.login(strict, "once");
    const second = await Peer.connect(strict);
    second.write({ op: "hello", v: [1], user: "once" });
    expect(await second.end()).toMatchObject({ code: 4003, reason: expect.stringContaining("busy") });
    await first.ask({ op: "join", q: "/room/once" });
    first.socket.close(1000);
    await expect
        .poll(async () => (await call(strict, "GET", "/v1/users/once")).json)
        .toMatchObject({ online: true, connections: 0 });
    await Peer.login(strict, "once");
});

test("two devices of a user are connected at once, and a third closes the first", async () => {
    const wide = await serverOfTest({ set: { "session.logins": "devices", "session.devices_max": 2 } });
    const q = freshRoom();
    const phone = await Peer.login(wide, "many");
    const laptop = await Peer.login(wide, "many");
    expect(await phone.ask({ op: "join", q })).toMatchObject({ op: "joined", member: true });
    expect(await laptop.next("joined", { q })).toMatchObject({ member: true, members: 1 });
    const said = await laptop.ask({ op: "send", q, m: "chat", d: "both hear it" });
    for (const peer of [phone, laptop]) {
        expect(await peer.next("msg", { q })).toMatchObject({ seq: said.seq, from: "many" });
    }
    const report = async () => (await call(wide, "GET", "/v1/users/many")).json;
    expect(await report()).toMatchObject({ online: true, connections: 2 });
    const tablet = await Peer.login(wide, "many");
    expect(await phone.end()).toMatchObject({ code: 4003 });
    for (const peer of [laptop, tablet]) {
        expect(await peer.ask({ op: "send", q, m: "chat", d: "still here" })).toMatchObject({ op: "ok" });
    }
    expect(await report()).toMatchObject({ online: true, connections: 2 });
});

test("refusals name their code, and the connection stays", async () => {
    const q = freshRoom();
    const peer = await Peer.login(server, "refused");
    const refusals: [object, string][] = [
        [{ op: "send", q, m: "chat", d: 1 }, "M2002"],
        [{ op: "join", q: "/room/" }, "M2001"],
        [{ op: "join", q: "/room/a//b" }, "M2001"],
        [{ op: "join", q: "/nowhere/1" }, "M2002"],
        [{ op: "dance", q }, "M1016"],
    ];
    for (const [request, code] of refusals) {
        expect(await peer.ask(request), JSON.stringify(request)).toMatchObject({ op: "err", code });
    }
    await peer.ask({ op: "join", q });
    const more: [object, string][] = [
        [{ op: "send", q, m: "nowhere", d: 1 }, "M3001"],
        [{ op: "send", q, m: "scores", d: 1 }, "M3002"],
        [{ op: "set", q, m: "chat", k: "a", d: 1 }, "M3002"],
        [{ op: "send", q, m: "chat", d: "x".repeat(16 * 1024) }, "M3003"],
        [{ op: "send", q: "/user/bob", m: "mail", d: 1 }, "M2004"],
    ];
    for (const [request, code] of more) {
        const text = JSON.stringify(request).slice(0, 80);
        expect(await peer.ask(request), text).toMatchObject({ op: "err", code });
    }
    expect((await peer.ask({ op: "send", q, m: "chat", d: 1 }))["op"]).toBe("ok");
});

test("ping is answered", async () => {
    const peer = await Peer.login(server, "ping");
    peer.write({ op: "ping" });
    await peer.next("pong");
});

test("who is silent is asked, and closed when there is no answer", async () => {
    const impatient = await serverOfTest({
        set: { "gateway.ping_interval": "1s", "gateway.dead_after": "2s" },
    });
    const peer = await Peer.login(impatient, "asleep");
    await peer.next("ping");
    expect(await peer.end()).toMatchObject({ code: 4000, reason: expect.stringContaining("M1006") });
});

test("a server that ends says goodbye", async () => {
    const ending = await serverOfTest();
    const peer = await Peer.login(ending, "last");
    const stopped = ending.stop();
    expect(await peer.next("bye")).toMatchObject({ code: "M1007" });
    peer.socket.close(1000);
    await stopped;
});

test("a client that was told goodbye is served until it goes", async () => {
    const ending = await serverOfTest();
    const peers = [await Peer.login(ending, "first"), await Peer.login(ending, "second")];
    const stopped = ending.stop();
    for (const peer of peers) {
        expect(await peer.next("bye")).toMatchObject({ spread_ms: expect.any(Number) });
        peer.write({ op: "ping" });
        await peer.next("pong");
        peer.socket.close(1000);
    }
    await stopped;
});

test("who does not go at goodbye is closed with 1001", async () => {
    const ending = await serverOfTest({ set: { "server.drain_time": "1s" } });
    const peer = await Peer.login(ending, "sitter");
    const stopped = ending.stop();
    expect(await peer.end()).toMatchObject({ code: 1001 });
    await stopped;
});
