/** The real SDK for tests, with the `ws` package as Node 20 has no WebSocket. */
import { createHmac } from "node:crypto";
import { type Client, connect, type ConnectOptions, type Status } from "@muster/client";
import { onTestFinished } from "vitest";
import { WebSocket } from "ws";
import type { Server } from "./server.ts";
import { within } from "./wait.ts";

/** Returns a client that ends with the running test. */
export function client(url: string, options: ConnectOptions): Client {
    const made = connect(url, { WebSocket, ...options });
    onTestFinished(() => made.close());
    return made;
}

/** Resolves once the client's status fits. */
export function status(of: Client, fits: (status: Status) => boolean): Promise<Status> {
    const reached = new Promise<Status>((resolve) => {
        if (fits(of.status)) {
            resolve(of.status);
            return;
        }
        const off = of.on("status", (now) => {
            if (fits(now)) {
                off();
                resolve(now);
            }
        });
    });
    return within(reached, () => `that status; it is ${JSON.stringify(of.status)}`);
}

/**
 * Resolves once `fits()` is true, asked again whenever something was told to the listener that `on`
 * was given; `on` returns the off switch.
 */
export function when(
    on: (listener: () => void) => () => void,
    fits: () => boolean,
): Promise<void> {
    const reached = new Promise<void>((resolve) => {
        if (fits()) {
            resolve();
            return;
        }
        const off = on(() => {
            if (fits()) {
                off();
                resolve();
            }
        });
    });
    return within(reached, () => `${fits}`);
}

/** What a backend does: signs a token for a user, here with the server's own key. */
export function tokenOf(server: Server, user: string, claims: object = {}): string {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const now = Math.floor(Date.now() / 1000);
    const head = part({ alg: "HS256", typ: "JWT", kid: "own" });
    const signed = `${head}.${part({ sub: user, iat: now, exp: now + 3600, ...claims })}`;
    const signature = createHmac("sha256", server.tokenKey).update(signed).digest("base64url");
    return `${signed}.${signature}`;
}
