/** A network that can be hurt: a TCP proxy between a client and the server. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { Arrivals } from "./wait.ts";

/** One connection through the proxy. */
interface Link {
    ends: [client: Socket, server: Socket];
}

export class TcpProxy {
    /** HOST:PORT for the client. */
    address = "";
    /** Tells the number of each connection that a client makes, from 1. */
    readonly connections = new Arrivals<number>();
    /** So long after its arrival each piece of data goes on, in both directions. */
    delayMs = 0;
    readonly #server: Server;
    readonly #target: () => string;
    readonly #links = new Set<Link>();
    #isHolding = false;
    #isRefusing = false;

    private constructor(target: () => string) {
        this.#target = target;
        this.#server = createServer((socket) => this.#accept(socket));
    }

    /** Starts a proxy to HOST:PORT, asked for at each connection; it ends with the running test. */
    static async start(target: string | (() => string)): Promise<TcpProxy> {
        const proxy = new TcpProxy(typeof target === "string" ? () => target : target);
        proxy.#server.listen(0, "127.0.0.1");
        await once(proxy.#server, "listening");
        proxy.address = `127.0.0.1:${(proxy.#server.address() as AddressInfo).port}`;
        onTestFinished(() => {
            proxy.#server.close();
            proxy.cut();
        });
        return proxy;
    }

    get url(): string {
        return `http://${this.address}`;
    }

    /** Every connection is reset, at both ends; what is on its way is lost. */
    cut(): void {
        for (const { ends } of [...this.#links]) {
            ends.forEach((end) => end.resetAndDestroy());
        }
    }

    /** Nothing goes through present connections any more, and nobody is told: a dead network. */
    hold(): void {
        this.#isHolding = true;
        for (const { ends } of this.#links) {
            ends.forEach((end) => end.pause());
        }
    }

    /** Drops what is held; new connections work again. */
    heal(): void {
        this.#isHolding = false;
        this.#isRefusing = false;
    }

    /** Cuts, and lets nobody through until `heal`. */
    refuse(): void {
        this.#isRefusing = true;
        this.cut();
    }

    #accept(client: Socket): void {
        if (this.#isRefusing) {
            client.resetAndDestroy();
            return;
        }
        const [host, port] = this.#target().split(":") as [string, string];
        const server = connect(Number(port), host);
        const link: Link = { ends: [client, server] };
        this.#links.add(link);
        this.#carry(client, server, link);
        this.#carry(server, client, link);
        if (this.#isHolding) {
            link.ends.forEach((end) => end.pause());
        }
        this.connections.push(this.connections.all.length + 1);
    }

    #carry(from: Socket, to: Socket, link: Link): void {
        from.setNoDelay(true);
        from.on("error", () => {});
        from.on("data", (bytes) => this.#later(() => to.write(bytes)));
        from.on("end", () => this.#later(() => to.end()));
        from.on("close", () => {
            this.#links.delete(link);
            this.#later(() => to.destroy());
        });
    }

    #later(act: () => void): void {
        if (this.delayMs > 0) {
            setTimeout(act, this.delayMs);
        } else {
            act();
        }
    }
}
