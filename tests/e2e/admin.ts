/** The admin API as a backend calls it, with its key. */
import type { Server } from "./server.ts";

export interface Answer {
    status: number;
    headers: Headers;
    text: string;
    /** The body as JSON; undefined where it is none. */
    json: any;
}

export interface CallOptions {
    /** Goes out as JSON; a string goes as it is. */
    body?: unknown;
    headers?: Record<string, string>;
    /** The bearer; by default the server's own key, null for none. */
    key?: string | null;
}

/** Calls `path`, as `/v1/queues/room/1`. */
export async function call(
    server: Server,
    method: string,
    path: string,
    { body, headers, key = server.adminKey }: CallOptions = {},
): Promise<Answer> {
    const init: RequestInit = {
        method,
        headers: {
            ...(key !== null && { authorization: `Bearer ${key}` }),
            ...(body !== undefined && { "content-type": "application/json" }),
            ...headers,
        },
        ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    };
    const answer = await fetch(server.adminUrl + path, init);
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, text, json: parsed(text) };
}

/** The same for what must go well. */
export async function demand(
    server: Server,
    method: string,
    path: string,
    body?: unknown,
): Promise<Answer> {
    const answer = await call(server, method, path, { body });
    if (answer.status >= 300) {
        throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    }
    return answer;
}

function parsed(text: string): unknown {
    try {
        return JSON.parse(text);
    } catch {
        return undefined;
    }
}
