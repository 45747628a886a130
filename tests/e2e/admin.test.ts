/** The admin API as a backend uses it, over HTTP alone. */
import { createConnection } from "node:net";
import { expect, test } from "vitest";
import { type Answer, call, type CallOptions, demand } from "./admin.ts";
import { Peer } from "./peer.ts";
import { client, when } from "./sdk.ts";
import { serverOfFile, serverOfTest } from "./server.ts";
import { within } from "./wait.ts";

const server = await serverOfFile();

let lastRoom = 0;
/** A room that no other test uses, as it stands in a path. */
const freshRoom = () => `/room/admin-${++lastRoom}`;
const at = (room: string) => `/v1/queues${room}`;
const ask = (method: string, path: string, options?: CallOptions) =>
    call(server, method, path, options);

function expectProblem(answer: Answer, status: number, code: string): void {
    expect(answer.status, answer.text).toBe(status);
    expect(answer.headers.get("content-type")).toMatch(/^application\/problem\+json/);
    expect(answer.json).toMatchObject({ status, code, type: `urn:muster:${code}` });
    expect(answer.json.retryable).toBeTypeOf("boolean");
}

test("a queue is made, read, listed and removed", async () => {
    const room = freshRoom();
    const definition = { mounts: { extra: { type: "state" } } };
    const made = await ask("PUT", at(room), { body: definition });
    expect(made.status).toBe(201);
    const again = await ask("PUT", at(room), { body: definition });
    expect(again.status).toBe(200);
    expect(again.json.inc).toBe(made.json.inc);
    expectProblem(await ask("PUT", at(room), { body: { ttl: "7m" } }), 409, "M2012");

    const read = await ask("GET", at(room));
    expect(read.json).toMatchObject({ name: room, inc: made.json.inc, member_count: 0 });
    expect(Object.keys(read.json.mounts).sort()).toEqual(
        ["chat", "dice", "extra", "positions", "scores"].sort(),
    );
    const list = await ask("GET", `/v1/queues?prefix=${room}`);
    expect(list.json.queues).toEqual([expect.objectContaining({ name: room })]);

    expect((await ask("DELETE", at(room))).status).toBe(200);
    expectProblem(await ask("GET", at(room)), 404, "M2002");
    expectProblem(await ask("DELETE", at(room)), 404, "M2002");
    const remade = await ask("PUT", at(room));
    expect(remade.status).toBe(201);
    expect(remade.json.inc).toBeGreaterThan(made.json.inc);
});

test("many queues are listed page by page", async () => {
    const names = Array.from({ length: 7 }, (_, i) => `/room/paged-${i}`);
    await Promise.all(names.map((name) => demand(server, "PUT", at(name))));
    const found: string[] = [];
    let cursor = "";
    do {
        const page = await ask("GET", `/v1/queues?prefix=/room/paged-&limit=3${cursor}`);
        found.push(...page.json.queues.map(({ name }: { name: string }) => name));
        cursor = page.json.cursor ? `&cursor=${encodeURIComponent(page.json.cursor)}` : "";
    } while (cursor);
    expect(found).toEqual(names);
});

test("mounts come and go, and clients are told", async () => {
    const room = freshRoom();
    await demand(server, "PUT", at(room));
    const peer = await Peer.login(server, "mounts");
    await peer.ask({ op: "join", q: room });
    const mount = `${at(room)}/-/mounts/board`;
    expect((await ask("PUT", mount, { body: { type: "state" } })).status).toBe(201);
    expect((await ask("PUT", mount, { body: { type: "state" } })).status).toBe(200);
    expect(await peer.next("mount")).toMatchObject({ q: room, m: "board", type: "state" });
    expectProblem(await ask("PUT", mount, { body: { type: "message" } }), 409, "M2012");
    expect(await peer.ask({ op: "set", q: room, m: "board", k: "a", d: 1 })).toMatchObject({
        op: "ok",
    });
    expect((await ask("GET", mount)).json).toMatchObject({ type: "state", key_count: 1 });
    expect((await ask("DELETE", mount)).status).toBe(200);
    expect(await peer.next("mount")).toMatchObject({ q: room, m: "board", type: null });
    expectProblem(await ask("GET", mount), 404, "M3001");
});

test("the backend makes alice a member, and her connection is told", async () => {
    const room = freshRoom();
    await demand(server, "PUT", at(room));
    const alice = client(server.url, { user: "member-alice" });
    const joined = new Promise<string>((resolve) => alice.on("joined", ({ name }) => resolve(name)));
    const member = `${at(room)}/-/members/member-alice`;
    const body = { role: "player", meta: { name: "Alice" } };
    expect((await ask("PUT", member, { body })).status).toBe(201);
    expect((await ask("PUT", member, { body })).status).toBe(200);
    expect(await within(joined, "joined")).toBe(room);
    const queue = alice.queue(room);
    expect(queue.joined).toMatchObject({ member: true });
    await when(
        (told) => queue.members.on("change", told),
        () => queue.members.get("member-alice")?.["role"] === "player",
    );
    expect(queue.members.get("member-alice")).toMatchObject({ name: "Alice" });

    const list = await ask("GET", `${at(room)}/-/members`);
    expect(list.json).toMatchObject({ member_count: 1 });
    expect(list.json.members).toEqual([
        expect.objectContaining({ ...body, user: "member-alice", online: true, by_server: true }),
    ]);
    const user = await ask("GET", "/v1/users/member-alice");
    expect(user.json).toMatchObject({ user: "member-alice", online: true });
    expect(user.json.joined).toEqual([expect.objectContaining({ queue: room })]);

    const left = new Promise((resolve) => queue.on("left", resolve));
    expect((await ask("DELETE", member)).status).toBe(200);
    expect(await within(left, "left")).toEqual({ why: "kicked" });
    expectProblem(await ask("DELETE", member), 403, "M2003");
});

test("a message is sent once for each Idempotency-Key", async () => {
    const room = freshRoom();
    await demand(server, "PUT", at(room));
    const peer = await Peer.login(server, "idempotent");
    await peer.ask({ op: "join", q: room });
    const post = (data: unknown, key: string) =>
        ask("POST", `${at(room)}/-/mounts/chat/messages`, {
            body: { data, from: "shop" },
            headers: { "idempotency-key": key },
        });
    const first = await post({ text: "sold" }, "order-1");
    expect(first.status).toBe(201);
    expect(first.headers.get("idempotent-replay")).toBeNull();
    const replay = await post({ text: "sold" }, "order-1");
    expect(replay.status).toBe(201);
    expect(replay.headers.get("idempotent-replay")).toBe("true");
    expect(replay.json).toEqual(first.json);
    expectProblem(await post({ text: "other" }, "order-1"), 422, "M2013");
    const second = await post({ text: "sold" }, "order-2");
    expect(second.json.seq).toBe(first.json.seq + 1);

    const seen = [await peer.next("msg"), await peer.next("msg")];
    expect(seen.map(({ seq, from, d }) => [seq, from, d])).toEqual([
        [first.json.seq, "shop", { text: "sold" }],
        [second.json.seq, "shop", { text: "sold" }],
    ]);
});

test("history is read page by page", async () => {
    const room = freshRoom();
    await demand(server, "PUT", at(room));
    const messages = `${at(room)}/-/mounts/chat/messages`;
    for (let n = 0; n < 5; n++) {
        await demand(server, "POST", messages, { data: n });
    }
    const first = await ask("GET", `${messages}?limit=3`);
    expect(first.json.items.map(({ data }: { data: number }) => data)).toEqual([0, 1, 2]);
    expect(first.json.more).toBe(true);
    const rest = await ask("GET", `${messages}?after=${first.json.items[2].seq}`);
    expect(rest.json.items.map(({ data }: { data: number }) => data)).toEqual([3, 4]);
    expect(rest.json.more).toBe(false);
    expectProblem(await ask("GET", `${at(room)}/-/mounts/scores/messages`), 409, "M3002");
});

test("state is set, patched and held against If-Match", async () => {
    const room = freshRoom();
    await demand(server, "PUT", at(room));
    const peer = await Peer.login(server, "watch-state");
    await peer.ask({ op: "join", q: room });
    const state = `${at(room)}/-/mounts/scores/state`;

    const patched = await ask("PATCH", state, {
        body: { alice: 1, bob: 2 },
        headers: { "content-type": "application/merge-patch+json" },
    });
    expect(patched.status).toBe(200);
    expect(await peer.next("state")).toMatchObject({
        ...{ m: "scores", seq: patched.json.seq, set: { alice: 1, bob: 2 } },
    });
    await ask("PATCH", state, { body: { bob: null } });
    expect(await peer.next("state")).toMatchObject({ del: ["bob"] });

    const read = await ask("GET", `${state}/alice`);
    expect([read.text, read.headers.get("etag")]).toEqual(["1", `"${patched.json.seq}"`]);
    const etag = read.headers.get("etag") as string;
    const put = (body: unknown, headers: Record<string, string>) =>
        ask("PUT", `${state}/alice`, { body, headers });
    const set = await put(7, { "if-match": etag });
    expect(set.status).toBe(200);
    const stale = await put(8, { "if-match": etag });
    expectProblem(stale, 412, "M3009");
    expect(stale.json.current).toBe(set.json.seq);
    expectProblem(await put(8, { "if-none-match": "*" }), 412, "M3009");
    expect((await ask("GET", state)).json).toEqual({ alice: 7 });
    const gone = await ask("DELETE", `${state}/alice`, {
        headers: { "if-match": `"${set.json.seq}"` },
    });
    expect(gone.status).toBe(200);
    expect((await ask("GET", state)).json).toEqual({});
    expect((await ask("GET", `${state}/alice`)).status).toBe(404);
});

test("a user is told something, and sent away", async () => {
    expectProblem(
        await ask("POST", "/v1/users/nobody-here/-/messages", { body: { data: 1 } }),
        ...([409, "M4004"] as const),
    );
    const peer = await Peer.login(server, "told");
    const told = await ask("POST", "/v1/users/told/-/messages", { body: { data: "psst" } });
    expect(told.status, told.text).toBe(201);
    expect(await peer.next("msg")).toMatchObject({ q: "/user/told", d: "psst" });
    expect((await ask("GET", "/v1/users/told")).json).toMatchObject({ online: true });
    expect((await ask("POST", "/v1/users/told/-/disconnect")).status).toBe(200);
    expect(await peer.end()).toMatchObject({ code: 4004 });
    expect((await ask("GET", "/v1/users/told")).json?.online).not.toBe(true);
});

test("the log tells who changed a queue, and who was refused", async () => {
    const room = freshRoom();
    const line = (id: string, said: string) =>
        server.lines.next((each) => each.includes(` ${id}: `) && each.includes(said), `${id} ${said}`);
    await demand(server, "PUT", at(room));
    expect(await line("admin_change", `path=${at(room)}`)).toMatch(
        / info admin_change: .* key=own peer=127\.0\.0\.1 method=PUT /,
    );
    expect((await ask("GET", at(room), { key: "not-the-key" })).status).toBe(401);
    expect(await line("admin_refused", `path=${at(room)}`)).toMatch(
        / warning admin_refused: .* peer=127\.0\.0\.1 method=GET .* detail="no such key"/,
    );
});

test("a batch does line after line and answers each", async () => {
    const room = freshRoom();
    const lines = [
        { method: "PUT", path: at(room) },
        { method: "POST", path: `${at(room)}/-/mounts/chat/messages`, body: { data: 1 } },
        { method: "DELETE", path: at("/room/not-there") },
        { method: "PUT", path: `${at(room)}/-/mounts/scores/state/a`, body: 5 },
    ];
    const answer = await ask("POST", "/v1/batch", {
        body: lines.map((line) => `${JSON.stringify(line)}\n`).join(""),
        headers: { "content-type": "application/x-ndjson" },
    });
    expect(answer.status, answer.text).toBe(200);
    const results = answer.text.trim().split("\n");
    expect(results.map((line) => JSON.parse(line).status)).toEqual([201, 201, 404, 200]);
});

test("what cannot be understood is refused with a pointer, and what is too long with its limit", async () => {
    const room = freshRoom();
    const bad: [string, number][] = [
        ['{"mounts":{"a":{"type":"stat"}}}', 400],
        ['{"mounts":{"a":{"type":"state"}},"mounts":{}}', 400],
        ["[".repeat(17) + "]".repeat(17), 400],
        ['{"ttl":1e400}', 400],
        ["{} {}", 400],
        [JSON.stringify({ data: "x".repeat(256 * 1024) }), 413],
    ];
    for (const [body, status] of bad) {
        const answer = await ask("PUT", at(room), { body });
        expect(answer.status, body.slice(0, 60)).toBe(status);
        expect(answer.json.code).toMatch(/^M\d{4}$/);
    }
    const pointed = await ask("PUT", at(room), { body: '{"mounts":{"a":{"type":"stat"}}}' });
    expect(pointed.json.pointer).toBe("/mounts/a/type");
    expectProblem(await ask("GET", at(room)), 404, "M2002");
});

test("outside --dev nobody gets in without a key", async () => {
    const closed = await serverOfTest({ dev: false });
    const path = "/v1/queues/game/1";
    expectProblem(await call(closed, "GET", path, { key: null }), 401, "M9003");
    const wrong = closed.adminKey.replace(/.$/, (last) => (last === "A" ? "B" : "A"));
    expectProblem(await call(closed, "GET", path, { key: wrong }), 401, "M9003");
    expectProblem(await call(closed, "PUT", path, { key: null, body: {} }), 401, "M9003");
    expectProblem(await call(closed, "GET", path), 404, "M2002");
    expect((await call(closed, "PUT", path)).status).toBe(201);
    expect((await call(closed, "GET", "/healthz", { key: null })).status).toBe(200);
    expect((await call(closed, "GET", "/readyz", { key: null })).status).toBe(200);
});

/** One line of a Prometheus text: a comment, or a sample. */
const metricLine =
    /^(# (HELP|TYPE) [a-z_:][\w:]* .+|[a-z_:][\w:]*(\{([a-z_]\w*="([^"\\]|\\.)*",?)*\})? [-+]?(\d[\d.e+-]*|Inf|NaN))$/;

test("metrics can be read, and count", async () => {
    const room = freshRoom();
    const peer = await Peer.login(server, "counted");
    await peer.ask({ op: "join", q: room });
    await peer.ask({ op: "send", q: room, m: "chat", d: 1 });
    const { text, headers, status } = await ask("GET", "/metrics");
    expect(status).toBe(200);
    expect(headers.get("content-type")).toMatch(/^text\/plain/);
    const lines = text.split("\n");
    expect(lines.pop()).toBe("");
    expect(lines.filter((line) => !metricLine.test(line))).toEqual([]);
    const samples = lines.filter((line) => !line.startsWith("#"));
    expect(new Set(samples.map((line) => line.replace(/ \S+$/, ""))).size).toBe(samples.length);
    const typed = new Set(lines.flatMap((line) => /^# TYPE (\S+)/.exec(line)?.[1] ?? []));
    for (const line of samples) {
        const name = (/^[\w:]+/.exec(line) as RegExpExecArray)[0];
        const family = [name, name.replace(/_(bucket|sum|count|total)$/, "")];
        expect(family.some((one) => typed.has(one)), name).toBe(true);
    }
    expect(text).toMatch(/^muster_\w*users\w*(\{.*\})? [1-9]/m);
});

test("the server says that it lives, is ready, and what it can do", async () => {
    expect((await ask("GET", "/healthz")).status).toBe(200);
    expect((await ask("GET", "/readyz")).status).toBe(200);
    const { json } = await ask("GET", "/openapi.json");
    expect(json.openapi).toMatch(/^3\.1\./);
    // Whatever it describes as readable without a name in its path can be read.
    const paths = Object.entries(json.paths as Record<string, object>);
    for (const [path] of paths.filter(([path, verbs]) => !path.includes("{") && "get" in verbs)) {
        expect((await ask("GET", path)).status, path).toBe(200);
    }
    expectProblem(await ask("GET", "/v1/nowhere"), 404, "M1030");
    expect((await ask("POST", "/metrics", { body: {} })).status).toBe(405);
});

test("a page of another host that looks into the admin API is refused", async () => {
    const port = Number(server.admin.split(":")[1]);
    const raw = createConnection(port, "127.0.0.1");
    const answer = new Promise<string>((resolve) => {
        let text = "";
        raw.on("data", (bytes) => (text += bytes));
        raw.on("close", () => resolve(text));
    });
    // As after DNS rebinding: the browser believes that this server is evil.example.
    raw.write("GET /v1/queues HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
    expect(await within(answer, "an answer")).toMatch(/^HTTP\/1\.1 (400|403|421) /);
});
