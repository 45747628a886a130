/** Names and their addresses, with the lookup replaced and real sockets on the loopback network. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { type Client, connect, type Status } from "./node.ts";

vi.setConfig({ testTimeout: 30_000 });

const names = new Map<string, string[]>();
vi.mock("node:dns/promises", () => ({
    lookup: async (name: string, options: { all?: boolean }) => {
        const found = names.get(name);
        if (!found || options.all !== true) {
            throw new Error(`ENOTFOUND ${name}`);
        }
        return found.map((address) => ({ address, family: 4 }));
    },
}));

const closing: (() => unknown)[] = [];
afterEach(async () => {
    names.clear();
    for (const close of closing.splice(0).reverse()) {
        await close();
    }
});

/** Accepts at `address`, and notes the addresses of its clients' names. */
async function listen(address: string, port: number, server: Server = createServer()) {
    const hosts: (string | undefined)[] = [];
    const sockets = new WebSocketServer({ server });
    sockets.on("connection", (socket, { headers }) => {
        hosts.push(headers.host);
        socket.on("message", (bytes) => {
            if (JSON.parse(String(bytes)).op === "hello") {
                const identity = { user: "alice", session: 1, resume: "r", cid: "c" };
                socket.send(JSON.stringify({ op: "hello", v: 1, ...identity, ping: 15 }));
            }
        });
    });
    await new Promise<void>((resolve) => server.listen(port, address, resolve));
    const stop = async () => {
        sockets.clients.forEach((socket) => socket.terminate());
        await new Promise((resolve) => server.close(resolve));
    };
    closing.push(stop);
    return { port: (server.address() as AddressInfo).port, hosts, stop };
}

function client(url: string | string[], of: unknown = WebSocket): Client {
    const made = connect(url, { user: "alice", WebSocket: of as typeof WebSocket });
    closing.push(() => made.close());
    return made;
}

function reach(of: Client, fits: (status: Status) => boolean): Promise<Status> {
    return new Promise((resolve) => {
        const look = () => fits(of.status) && resolve(of.status);
        of.on("status", look);
        look();
    });
}
const online = (of: Client) => reach(of, ({ state }) => state === "online");

test("each address of a name is a gateway of its own, under the name", async () => {
    const addresses = ["127.0.0.1", "127.0.0.2", "127.0.0.3"];
    const first = await listen(addresses[0] as string, 0);
    const others = [];
    for (const address of addresses.slice(1)) {
        others.push(await listen(address, first.port));
    }
    names.set("g.example.com", addresses);
    const all = Array.from({ length: 60 }, () => client(`ws://g.example.com:${first.port}`));
    await Promise.all(all.map(online));
    const shares = [first, ...others].map(({ hosts }) => hosts.length);
    expect(shares.reduce((sum, share) => sum + share)).toBe(60);
    // Of 60 fair choices among three, none gets fewer than 4 in 10^6 runs.
    expect(Math.min(...shares)).toBeGreaterThan(3);
    expect(new Set([first, ...others].flatMap(({ hosts }) => hosts))).toEqual(
        new Set([`g.example.com:${first.port}`]),
    );
});

test("where one address does not answer it is another one", async () => {
    const good = await listen("127.0.0.1", 0);
    names.set("g.example.com", ["127.0.0.1", "127.0.0.9"]);
    const all = Array.from({ length: 8 }, () => client(`ws://g.example.com:${good.port}`));
    await Promise.all(all.map(online));
    expect(good.hosts).toHaveLength(8);
});

test("an address that a name gets later is found when the old one fails", async () => {
    const old = await listen("127.0.0.1", 0);
    names.set("g.example.com", ["127.0.0.1"]);
    const made = client(`ws://g.example.com:${old.port}`);
    await online(made);
    const next = await listen("127.0.0.2", old.port);
    names.set("g.example.com", ["127.0.0.2"]);
    await old.stop();
    await reach(made, ({ state }) => state !== "online");
    await online(made);
    expect(next.hosts).toHaveLength(1);
});

test("a name that cannot be looked up any more keeps its last addresses", async () => {
    const server = await listen("127.0.0.1", 0);
    names.set("g.example.com", ["127.0.0.1"]);
    const made = client(`ws://g.example.com:${server.port}`);
    await online(made);
    names.clear();
    const lost = reach(made, ({ state }) => state !== "online");
    await server.stop();
    await lost;
    const again = await listen("127.0.0.1", server.port);
    await online(made);
    expect(again.hosts).toHaveLength(1);
});

test("addresses and localhost are not looked up", async () => {
    const server = await listen("127.0.0.1", 0);
    await online(client(`ws://127.0.0.1:${server.port}`));
    await online(client(`http://localhost:${server.port}`));
    expect(server.hosts).toEqual([`127.0.0.1:${server.port}`, `localhost:${server.port}`]);
});

test("TLS asks for the name, and holds the certificate against it", async () => {
    const folder = mkdtempSync(join(tmpdir(), "muster-tls-"));
    closing.push(() => rmSync(folder, { recursive: true }));
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    const name = ["-subj", "/CN=g.example.com", "-addext", "subjectAltName=DNS:g.example.com"];
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    const files = ["-keyout", key, "-out", cert];
    execFileSync("openssl", ["req", "-x509", ...curve, ...name, ...files], { stdio: "ignore" });
    const ca = readFileSync(cert);
    const secure = createSecureServer({ key: readFileSync(key), cert: ca });
    const asked: unknown[] = [];
    secure.on("secureConnection", (socket) => asked.push(socket.servername));
    const server = await listen("127.0.0.1", 0, secure);
    names.set("g.example.com", ["127.0.0.1"]);
    names.set("other.example.com", ["127.0.0.1"]);
    class Trusting extends WebSocket {
        constructor(url: string, protocols: string[], options: object) {
            super(url, protocols, { ...options, ca });
        }
    }
    await online(client(`wss://g.example.com:${server.port}`, Trusting));
    expect(asked).toEqual(["g.example.com"]);
    expect(server.hosts).toEqual([`g.example.com:${server.port}`]);
    const wrong = client(`wss://other.example.com:${server.port}`, Trusting);
    expect((await reach(wrong, ({ state }) => state === "offline")).reason?.code).toBe("M1040");
});

test("Retry-After of a 503 before the upgrade is a wait at least as long", async () => {
    const http = createServer();
    const answers = ["7", new Date(Date.now() + 3_600_000).toUTCString(), undefined];
    http.on("upgrade", (_request, socket) => {
        const after = answers.shift();
        const header = after === undefined ? "" : `Retry-After: ${after}\r\n`;
        socket.end(`HTTP/1.1 503 Busy\r\n${header}Content-Length: 0\r\n\r\n`);
    });
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    closing.push(() => http.close());
    const { port } = http.address() as AddressInfo;
    for (const [least, most] of [
        [7_000, 7_000],
        [3_590_000, 3_600_000],
        [0, 1_000],
    ] as const) {
        const made = client(`ws://127.0.0.1:${port}`);
        const status = await reach(made, ({ state }) => state === "offline");
        expect(status.reason?.code).toBe("M1033");
        // Clocks are read in fractions of a millisecond, and differences of them are rounded.
        expect(status.retryInMs).toBeGreaterThan(least - 1);
        expect(status.retryInMs).toBeLessThan(most + 1);
        await made.close();
    }
});

test("any other answer in place of the upgrade is told", async () => {
    const http = createServer((_request, response) => response.writeHead(404).end());
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    closing.push(() => http.close());
    const made = client(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`);
    const { reason } = await reach(made, ({ state }) => state === "offline");
    expect(reason?.message).toBe("the server answered HTTP 404");
});

test("a WebSocket that cannot be told an address gets the name", () => {
    const urls: string[] = [];
    class Plain {
        onopen = null;
        onmessage = null;
        onclose = null;
        onerror = null;
        constructor(url: string) {
            urls.push(url);
        }
        send(): void {}
        close(): void {}
    }
    names.set("g.example.com", ["127.0.0.1"]);
    client("ws://g.example.com", Plain);
    return vi.waitFor(() => expect(urls).toEqual(["ws://g.example.com/connect"]));
});

// Node has it from 22 on.
test.runIf(globalThis.WebSocket)("Node's own WebSocket goes to the addresses, too", async () => {
    const server = await listen("127.0.0.2", 0);
    names.set("g.example.com", ["127.0.0.2"]);
    await online(client(`ws://g.example.com:${server.port}`, globalThis.WebSocket));
    expect(server.hosts).toEqual([`g.example.com:${server.port}`]);
});
