/**
 * The client in Node, which can do what a browser cannot: see the addresses behind a name, so that
 * each of them is a gateway of its own, and read how long a busy server wants to be left alone.
 */
import { ADDRCONFIG } from "node:dns";
import { lookup } from "node:dns/promises";
import type { IncomingMessage } from "node:http";
import { isIP, type LookupFunction } from "node:net";
import { type Client, connect as connectWhen, type ConnectOptions } from "./client.ts";
import { endpoint, type WebSocketConstructor, type WebSocketLike } from "./socket.ts";

export * from "./index.ts";

/** How long the first attempt waits for the addresses; after that it goes by name. */
const lookupMs = 5_000;

/** What is used of the WebSocket of `ws` beyond that of a browser. */
interface NodeWebSocket extends WebSocketLike {
    on(
        event: "unexpected-response",
        listener: (request: unknown, response: IncomingMessage) => void,
    ): void;
    terminate(): void;
}

type NodeConstructor = new (url: string, protocols: string[], options: object) => NodeWebSocket;
type FetchConstructor = new (url: string, options: object) => WebSocketLike;
type Agent = new (options: { connect: { lookup: LookupFunction } }) => object;

/** Names every address as `url#address`. What has none, or cannot be looked up now, stays. */
class Addresses {
    readonly #urls: string[];
    readonly #known = new Map<string, string[]>();
    #running: Promise<string[]> | undefined;

    constructor(urls: string[]) {
        this.#urls = urls;
    }

    /** Returns all gateways, looked up anew; never fails. */
    find(): Promise<string[]> {
        this.#running ??= Promise.all(this.#urls.map((url) => this.#of(url)))
            .then((found) => found.flat())
            .finally(() => (this.#running = undefined));
        return this.#running;
    }

    async #of(url: string): Promise<string[]> {
        const host = new URL(url).hostname;
        // The machine's own name has several addresses, and is one server all the same.
        if (isIP(host.replace(/^\[|\]$/g, "")) || /(^|\.)localhost$/.test(host)) {
            return [url];
        }
        try {
            const found = await lookup(host, { all: true, hints: ADDRCONFIG });
            const addresses = new Set(found.map(({ address }) => address));
            this.#known.set(url, [...addresses].map((address) => `${url}#${address}`));
        } catch {
            // The addresses of before are better than none.
        }
        return this.#known.get(url) ?? [url];
    }
}

/** Always finds the one address; the name stays in `Host` and in TLS. */
function only(address: string): LookupFunction {
    const family = isIP(address);
    return (_name, options, done) =>
        options.all ? done(null, [{ address, family }]) : done(null, address, family);
}

/** `Retry-After` in ms: seconds, or a date. */
function retryAfterMs(header: string | undefined): number {
    const ms = Number(header) * 1000 || Date.parse(header ?? "") - Date.now();
    return ms > 0 ? Math.ceil(ms) : 0;
}

/** Tells the end of an attempt by what the server answered in place of the upgrade. */
function refusal({ statusCode, headers }: IncomingMessage): { code: number; reason: string } {
    if (statusCode !== 503 && statusCode !== 429) {
        return { code: 1006, reason: `the server answered HTTP ${statusCode}` };
    }
    return { code: 1013, reason: `M1033 retry_ms=${retryAfterMs(headers["retry-after"])}` };
}

/** Returns what makes a socket to one address, or undefined where `of` cannot be told which. */
function dialer(of: unknown): ((url: string, protocols: string[]) => WebSocketLike) | undefined {
    if (typeof of !== "function") {
        return undefined;
    }
    if (typeof of.prototype.terminate === "function") {
        return (url, protocols) => {
            const [name = "", address] = url.split("#");
            const options = address === undefined ? {} : { lookup: only(address) };
            const socket = new (of as NodeConstructor)(name, protocols, options);
            socket.on("unexpected-response", (_request, response) => {
                socket.onclose?.(refusal(response) as never);
                socket.terminate();
            });
            return socket;
        };
    }
    // Node's own: the class of its dispatcher is not to be had in another way.
    const dispatcher = Reflect.get(globalThis, Symbol.for("undici.globalDispatcher.1"));
    if (of !== globalThis.WebSocket || dispatcher?.constructor.name !== "Agent") {
        return undefined;
    }
    return (url, protocols) => {
        const [name = "", address] = url.split("#");
        const connect = address === undefined ? {} : { connect: { lookup: only(address) } };
        const direct = new (dispatcher.constructor as Agent)(connect as never);
        return new (of as FetchConstructor)(name, { protocols, dispatcher: direct });
    };
}

/**
 * As in a browser, but a name stands for all its addresses, A and AAAA: each is picked with the
 * same chance. They are looked up at the start, and again whenever the client waits for its next
 * attempt.
 */
export function connect(urls: string | string[], options: ConnectOptions): Client {
    const dial = dialer(options.WebSocket ?? globalThis.WebSocket);
    if (dial === undefined) {
        return connectWhen(urls, options);
    }
    class Dialled {
        constructor(url: string, protocols: string[]) {
            return dial?.(url, protocols) as unknown as Dialled;
        }
    }
    const addresses = new Addresses([urls].flat().map(endpoint));
    const refresh = async () => client.useGateways(await addresses.find());
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, lookupMs)));
    const ready = Promise.race([Promise.resolve().then(refresh), late]);
    void ready.then(() => clearTimeout(timer));
    const constructor_ = Dialled as unknown as WebSocketConstructor;
    const client = connectWhen(urls, { ...options, WebSocket: constructor_ }, ready);
    client.on("status", ({ state }) => {
        if (state === "offline") {
            void refresh();
        }
    });
    return client;
}
