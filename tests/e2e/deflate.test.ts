/** permessage-deflate (RFC 7692), spoken by the clients that others wrote: `ws` and Chromium. */
import type { Socket } from "node:net";
import { deflateRawSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { startBrowser } from "./browser.ts";
import { clientFrame, Peer, Raw } from "./peer.ts";
import { client } from "./sdk.ts";
import { serverOfFile, serverOfTest } from "./server.ts";

const server = await serverOfFile({ set: { "gateway.deflate": true } });

let lastRoom = 0;
const freshRoom = () => `/room/deflate-${++lastRoom}`;

/** What somebody wrote who had much to say: 12 KiB. */
const longText = Array.from({ length: 300 }, (_, i) => `line ${i} of a long story that repeats`).join();

async function login(user: string, perMessageDeflate: boolean): Promise<Peer> {
    const peer = await Peer.connect(server, { perMessageDeflate });
    peer.write({ op: "hello", v: [1], user });
    await peer.next("hello");
    return peer;
}

const bytesRead = (peer: Peer) =>
    (peer.socket as unknown as { _socket: Socket })._socket.bytesRead;

/** A message without the four bytes at its end, as RFC 7692 wants it. */
const deflated = (text: string) => {
    const bytes = deflateRawSync(text, { finishFlush: 2 /* Z_SYNC_FLUSH */ });
    return bytes.subarray(0, bytes.length - 4);
};

const rsv1 = 0x40;

test("a long message comes deflated to who offers it, plain to who does not, the same to both", async () => {
    const q = freshRoom();
    const alice = await login("ann", true);
    const bob = await login("ben", false);
    expect(alice.socket.extensions).toBe("permessage-deflate");
    expect(bob.socket.extensions).toBe("");
    for (const peer of [alice, bob]) {
        await peer.ask({ op: "join", q });
    }
    await alice.next("members", { q });
    const before = [bytesRead(alice), bytesRead(bob)] as const;
    for (const [n, peer] of [alice, bob].entries()) {
        const sent = await peer.ask({ op: "send", q, m: "chat", d: { n, text: longText } });
        expect(sent["op"]).toBe("ok");
        for (const reader of [alice, bob]) {
            expect(await reader.next("msg", { q })).toMatchObject({ d: { n, text: longText } });
        }
    }
    expect(bytesRead(bob) - before[1]).toBeGreaterThan(2 * longText.length);
    expect(bytesRead(alice) - before[0]).toBeLessThan(longText.length / 2);
});

test("a client that deflates sends fewer bytes than it says", async () => {
    const received = async () => {
        const metrics = await (await fetch(`${server.adminUrl}/metrics`)).text();
        return Number(/^muster_received_bytes_total (\d+)$/m.exec(metrics)?.[1]);
    };
    const q = freshRoom();
    const peer = await login("sender", true);
    await peer.ask({ op: "join", q });
    const before = await received();
    await peer.ask({ op: "send", q, m: "chat", d: longText });
    const took = (await received()) - before;
    expect(took).toBeGreaterThan(0);
    expect(took).toBeLessThan(longText.length / 2);
});

test("the SDK needs nothing for it", async () => {
    const names = ["sdk-a", "sdk-b"];
    const room = freshRoom();
    const [a, b] = await Promise.all(
        names.map(async (user) => {
            const queue = client(server.url, { user }).queue(room);
            await queue.join();
            return queue;
        }),
    );
    const heard = new Promise((resolve) => b?.message("chat").on((event) => resolve(event.data)));
    await a?.message("chat").send({ text: longText });
    expect(await heard).toEqual({ text: longText });
});

test("Chromium offers it, reads what comes deflated and is read", async () => {
    const { browser, close } = await startBrowser();
    onTestFinished(close);
    const page = await browser.newPage();
    await page.goto(server.url);
    const q = freshRoom();
    const found = await page.evaluate(
        ({ url, q, text }) =>
            new Promise<{ extensions: string; texts: string[] }>((resolve, reject) => {
                const socket = new WebSocket(url, "muster.v1.json");
                const texts: string[] = [];
                const send = (frame: object) => socket.send(JSON.stringify(frame));
                socket.onopen = () => {
                    send({ op: "hello", v: [1], user: "chromium" });
                    send({ op: "join", q });
                };
                socket.onmessage = ({ data }) => {
                    const frame = JSON.parse(data);
                    for (let n = 0; frame.op === "joined" && n < 3; n++) {
                        send({ op: "send", q, m: "chat", d: text });
                    }
                    if (frame.op === "msg") {
                        texts.push(frame.d);
                    }
                    if (texts.length === 3) {
                        resolve({ extensions: socket.extensions, texts });
                    }
                };
                socket.onclose = ({ code, reason }) => reject(new Error(`${code} ${reason}`));
            }),
        { url: server.webSocketUrl, q, text: longText },
    );
    expect(found.extensions).toMatch(/^permessage-deflate/);
    expect(found.texts).toEqual([longText, longText, longText]);
});

/** A connection by hand that may deflate, past its hello. */
async function rawLogin(user: string): Promise<Raw> {
    const raw = await Raw.upgraded(server.client, { "Sec-WebSocket-Extensions": "permessage-deflate" });
    raw.write(clientFrame(1, JSON.stringify({ op: "hello", v: [1], user })));
    await raw.read('"op":"hello"');
    return raw;
}

test("25: a frame of 64 KiB that inflates to more closes with 1009, and nobody else notices", async () => {
    const q = freshRoom();
    const bystander = await login("bystander", true);
    await bystander.ask({ op: "join", q });
    const bomb = Buffer.alloc(64 * 1024, 0xff);
    deflated(" ".repeat(32 * 1024 * 1024)).copy(bomb);
    for (let n = 0; n < 10; n++) {
        const raw = await rawLogin("bomber");
        raw.write(clientFrame(1 | rsv1, bomb));
        expect(await raw.closeCode()).toBe(1009);
        const sent = await bystander.ask({ op: "send", q, m: "chat", d: [n, longText] });
        expect(sent["op"]).toBe("ok");
        expect(await bystander.next("msg", { q })).toMatchObject({ d: [n, longText] });
    }
});

test("damaged deflate data closes with 1007, RSV1 where it may not be with 1002", async () => {
    const good = deflated('{"op":"ping"}');
    for (const [frames, code] of [
        [[clientFrame(1 | rsv1, "\xff\xff")], 1007],
        [[clientFrame(1 | rsv1, deflated('"\ud800"').subarray(0, 3))], 1007],
        [[clientFrame(9 | rsv1, "p")], 1002],
        [[clientFrame(1 | rsv1, good.subarray(0, 4), { fin: false }), clientFrame(rsv1, good.subarray(4))], 1002],
    ] as const) {
        const raw = await rawLogin("damaged");
        raw.write(Buffer.concat(frames));
        expect(await raw.closeCode()).toBe(code);
    }
});

test("24: while it is off, who offers it speaks without", async () => {
    const plain = await serverOfTest();
    const peer = await Peer.login(plain, "hopeful");
    expect(peer.socket.extensions).toBe("");
    const q = freshRoom();
    await peer.ask({ op: "join", q });
    await peer.ask({ op: "send", q, m: "chat", d: longText });
    expect(await peer.next("msg", { q })).toMatchObject({ d: longText });
});
