/** 10,000 clients of two real servers: the SDK's own choice, with real chance and real sockets. */
import { cpSync } from "node:fs";
import { type Client, connect } from "@muster/client";
import { expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { Server, temporaryFolder } from "./server.ts";
import { within } from "./wait.ts";

const clientsCount = 10_000;
/** Of the whole test; a quiet machine needs a quarter of it. */
const longMs = 240_000;
/** All come at once, from one address. */
const set = {
    "gateway.unknown_max": 2 * clientsCount,
    "gateway.unknown_of_address_max": 2 * clientsCount,
    "gateway.login_rate": `${clientsCount}/s burst ${2 * clientsCount}`,
    "gateway.resume_rate": `${clientsCount}/s burst ${2 * clientsCount}`,
};

/** 4 standard deviations of so many fair choices are 2 %. */
function expectFair(share: number): void {
    expect(share).toBeGreaterThanOrEqual(0.48 * clientsCount);
    expect(share).toBeLessThanOrEqual(0.52 * clientsCount);
}

test(
    "each of two servers gets 48 to 52 %, also after one was killed and came back",
    async () => {
        const first = await Server.start({ set });
        // Of one site: what one of them signs, the other takes.
        const folder = temporaryFolder();
        cpSync(first.folder, folder, { recursive: true });
        let second = await Server.start({ set, folder });
        onTestFinished(() => {
            first.kill();
            second.kill();
        });
        const addresses = [first.client, second.client];
        // Where each client is on line: what its last socket that opened was made for.
        const online = new Map<Client, string>();
        let told = () => {};
        const shares = new Map<string, number>();
        const share = (address = "") => shares.get(address) ?? 0;
        const count = (address: string, more: number) => shares.set(address, share(address) + more);
        const sockets = new Map<Client, WebSocket>();
        const reach = (what: string, fits: () => boolean) =>
            within(
                new Promise<void>((resolve) => {
                    told = () => fits() && resolve();
                    told();
                }),
                () => `${what}; on line: ${addresses.map(share)}`,
                longMs / 3,
            );

        const clients = Array.from({ length: clientsCount }, (_, n) => {
            let address = "";
            let socket: WebSocket | undefined;
            class Noting extends WebSocket {
                constructor(url: string, protocols: string[]) {
                    super(url, protocols);
                    address = new URL(url).host;
                    socket = this;
                }
            }
            const urls = addresses.map((one) => `ws://${one}`);
            const made = connect(urls, { user: `u${n}`, WebSocket: Noting });
            made.on("status", ({ state }) => {
                const was = online.get(made);
                if (was !== undefined) {
                    online.delete(made);
                    count(was, -1);
                }
                if (state === "online") {
                    online.set(made, address);
                    count(address, 1);
                    sockets.set(made, socket as WebSocket);
                }
                told();
            });
            return made;
        });
        onTestFinished(async () => {
            await Promise.all(clients.map((one) => one.close()));
        });

        await reach("all on line", () => online.size === clientsCount);
        expectFair(share(addresses[0]));

        await second.crash();
        await reach("all at the first", () => share(addresses[0]) === clientsCount);

        // It comes back, and all are cut.
        second = await Server.start({ set, folder: second.folder, client: second.client });
        const closed = [...sockets.values()].map(
            (socket) => new Promise((resolve) => socket.once("close", resolve)),
        );
        online.clear(); // What they say from now on is of their next connection.
        shares.clear();
        sockets.forEach((socket) => socket.terminate());
        await within(Promise.all(closed), "the end of all sockets");
        await reach("all on line again", () => online.size === clientsCount);
        expectFair(share(addresses[0]));
    },
    longMs,
);
