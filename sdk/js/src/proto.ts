/**
 * `@muster/client/proto`: the binary form of the protocol, proto/muster/client.proto, without
 * dependencies. Frames are the same objects as in JSON: `connect(urls, { codec: proto })`.
 *
 * proto_schema.ts is made of that file and says what stands where; a message is an object with the
 * names that its fields have in JSON. By hand is only what stands in JSON in another shape.
 */
import { enums, messages } from "./proto_schema.ts";
import type { Codec } from "./socket.ts";
import type { ServerFrame } from "./wire.ts";

type Json = Record<string, any>;

const toText = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const toBytes = new TextEncoder();

/** Stands for an op that this version does not have: the server answers that it has none, too. */
const unknownBody = 500;

// ---- Writing -----------------------------------------------------------------------------------

/** Bytes of a number from 0 to 2^53; of anything else those of -1, which the server refuses. */
function varint(value: number): number[] {
    const bytes = [];
    if (!Number.isInteger(value) || value < 0 || value > 2 ** 53) {
        return [255, 255, 255, 255, 255, 255, 255, 255, 255, 1];
    }
    for (; value > 127; value = Math.floor(value / 128)) {
        bytes.push((value % 128) + 128);
    }
    return [...bytes, value];
}

class Writer {
    #bytes = new Uint8Array(256);
    #size = 0;

    #append(bytes: ArrayLike<number>): void {
        const size = this.#size + bytes.length;
        if (size > this.#bytes.length) {
            const bigger = new Uint8Array(2 * size);
            bigger.set(this.#bytes);
            this.#bytes = bigger;
        }
        this.#bytes.set(bytes, this.#size);
        this.#size = size;
    }

    number(field: number, value: number): void {
        this.#append([...varint(field * 8), ...varint(value)]);
    }

    bytes(field: number, value: ArrayLike<number>): void {
        this.#append([...varint(field * 8 + 2), ...varint(value.length)]);
        this.#append(value);
    }

    done(): Uint8Array<ArrayBuffer> {
        return this.#bytes.subarray(0, this.#size);
    }
}

/** Writes those properties that the schema knows. What has no presence is left out where empty. */
function write(name: string, message: Json): Writer {
    const out = new Writer();
    for (const [at, [field, type, label]] of Object.entries(messages[name] ?? {})) {
        const value = message[field];
        const isEmpty = value === 0 || value === "" || value === false;
        if (value === undefined || (isEmpty && !label)) {
            continue;
        }
        if (type === "number" && label === "repeated") {
            out.bytes(Number(at), value.flatMap(varint));
            continue;
        }
        for (const one of label === "repeated" ? value : [value]) {
            if (type === "number" || type === "flag") {
                out.number(Number(at), type === "flag" ? Number(one) : one);
            } else if (type === "text") {
                out.bytes(Number(at), toBytes.encode(one));
            } else {
                out.bytes(Number(at), type === "bytes" ? one : write(type, one).done());
            }
        }
    }
    return out;
}

const unbase64 = (text: string): Uint8Array =>
    Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

const toCursor = ([inc, seq]: readonly [number, number]): Json => ({ inc, seq });

/** The frame as a body: what stands beside its other fields in JSON is in a message of its own. */
function toBody(op: string, frame: Json): Json {
    const body: Json = { ...frame, op: undefined, since: undefined };
    if ("n" in frame || "inc" in frame || "try" in frame) {
        body.op = frame;
    }
    if ("d" in frame || "b" in frame) {
        body.data = "d" in frame ? { d: JSON.stringify(frame.d) } : { b: unbase64(frame.b) };
    }
    if (op === "hello") {
        const since = Object.entries<[number, number]>(frame.since ?? {});
        body.since = since.map(([q, cursor]) => ({ q, cursor: toCursor(cursor) }));
    } else if (frame.since !== undefined) {
        body.since = toCursor(frame.since);
    }
    return body;
}

function encode(json: string): Uint8Array<ArrayBuffer> {
    const frame: Json = JSON.parse(json);
    const { i, op } = frame;
    const isKnown = Object.values(messages.ClientFrame ?? {}).some(
        ([name, type]) => name === op && type in messages,
    );
    const out = write("ClientFrame", isKnown ? { i, [op]: toBody(op, frame) } : { i });
    if (!isKnown) {
        out.bytes(unknownBody, []);
    }
    return out.done();
}

// ---- Reading -----------------------------------------------------------------------------------

/** What stands for a field without presence that is absent. */
const absent: Json = { number: 0, flag: false, text: "" };

/** Returns the value of a field. Throws where it cannot be of this type. */
function fromWire(type: string, value: number | Uint8Array | undefined): unknown {
    if (typeof value === "number") {
        if (type in enums) {
            return enums[type]?.[value]; // Undefined for one of a later version.
        }
        if (type === "number" || type === "flag") {
            return type === "flag" ? value !== 0 : value;
        }
    } else if (value) {
        if (type === "text" || type === "bytes") {
            return type === "text" ? toText.decode(value) : value;
        }
        if (type in messages) {
            return read(type, value);
        }
    }
    throw new TypeError(`a field that must be ${type}`);
}

/** Returns what a message holds of what the schema knows. Throws for what is none. */
function read(name: string, bytes: Uint8Array): Json {
    const fields = messages[name] ?? {};
    const message: Json = {};
    for (const [field, type, label] of Object.values(fields)) {
        if (label === "repeated") {
            message[field] = [];
        } else if (!label && (type in absent || type in enums)) {
            message[field] = absent[type] ?? enums[type]?.[0];
        }
    }
    let at = 0;
    const varint = (): number => {
        let value = 0;
        for (let i = 0; i < 10; i++) {
            const byte = bytes[at++];
            if (byte === undefined) {
                break;
            }
            // Of negative numbers only the sign is exact; the server's times are never below 0.
            value += (byte & 127) * 2 ** (7 * i);
            if (byte < 128) {
                return value < 2 ** 63 ? value : Math.min(value - 2 ** 64, -1);
            }
        }
        throw new RangeError("a number has no end");
    };
    const part = (size: number): Uint8Array => {
        if (size < 0 || size > bytes.length - at) {
            throw new RangeError("a length goes past the end");
        }
        at += size;
        return bytes.subarray(at - size, at);
    };
    while (at < bytes.length) {
        const tag = varint();
        let value: number | Uint8Array | undefined;
        switch (tag % 8) {
            case 0:
                value = varint();
                break;
            case 2:
                value = part(varint());
                break;
            case 1:
            case 5:
                part(tag % 8 === 1 ? 8 : 4); // The schema has none of these.
                break;
            default:
                throw new RangeError("a group");
        }
        const known = fields[Math.floor(tag / 8)];
        if (known) {
            const [field, type, label] = known;
            const shown = fromWire(type, value);
            if (label === "repeated") {
                message[field].push(shown);
            } else {
                message[field] = shown;
            }
        }
    }
    return message;
}

/** Leaves out empty text where absent means as much. */
function some(fields: Json): Json {
    return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ""));
}

/** An object with properties of any name (`__proto__`, too); undefined where there are none. */
function mapOf(entries: [name: string, value: unknown][]): Json | undefined {
    return entries.length > 0 ? Object.fromEntries(entries) : undefined;
}

const base64 = (bytes: Uint8Array): string =>
    btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));

/** `{d}` or `{b}`; nothing where there is none. */
function fromData({ d, b }: Json = {}): Json {
    return b ? { b: base64(b) } : d === undefined ? {} : { d: JSON.parse(d) };
}

const fromCursor = ({ inc = 0, seq = 0 }: Json = {}) => [inc, seq];
const codeOf = (number: number): string => `M${number}`;

/** Those that are JSON and those that are bytes apart, by their keys. */
function fromValues(values: Json[]): { json: Json | undefined; bytes: Json | undefined } {
    const all = values.map(({ key, value }) => [key, fromData(value)] as const);
    return {
        json: mapOf(all.filter(([, one]) => "d" in one).map(([key, { d }]) => [key, d])),
        bytes: mapOf(all.filter(([, one]) => "b" in one).map(([key, { b }]) => [key, b])),
    };
}

function fromMembers(members: Json[]): Json | undefined {
    return mapOf(members.map(({ user, info }) => [user, JSON.parse(info || "{}")]));
}

/** What a message is as a frame and as an item of a history. */
function fromMessage({ data, ...rest }: Json): Json {
    return { ...some(rest), ...fromData(data) };
}

function fromContent({ at, mounts, who, ...rest }: Json): Json {
    const shown = (mounts as Json[]).map(({ name, type, values }): [string, Json] => {
        const { json = {}, bytes } = fromValues(values);
        const state = { type, value: json, ...(bytes && { valueb: bytes }) };
        return [name, type === "state" ? state : { type }];
    });
    return { ...rest, at: fromCursor(at), mounts: mapOf(shown) ?? {}, who: fromMembers(who) ?? {} };
}

function fromResume({ kind, count, from, to }: Json): string {
    return kind === "replayed" ? `replayed ${count}` : kind === "gap" ? `gap ${from}..${to}` : kind;
}

/** The bodies that stand in JSON in another shape. */
const shapes: Record<string, (body: Json) => Json> = {
    msg: fromMessage,
    state: ({ changes, ...rest }) => {
        const { json, bytes } = fromValues(changes);
        const del = (changes as Json[]).filter(({ value }) => !value).map(({ key }) => key);
        return {
            ...rest,
            ...{ ...(json && { set: json }), ...(bytes && { setb: bytes }) },
            ...(del.length > 0 && { del }),
        };
    },
    members: ({ set, del, ...rest }) => {
        const came = fromMembers(set);
        const went = mapOf((del as Json[]).map(({ user, why }) => [user, why]));
        return { ...rest, ...(came && { set: came }), ...(went && { del: went }) };
    },
    mount: (body) => ({ ...body, type: body.type === "none" ? null : body.type }),
    err: ({ code, outcome = "unknown", ...rest }) => ({
        ...{ code: codeOf(code), outcome },
        ...some(rest),
    }),
    joined: (body) => {
        const how = (body.mounts as Json[]).filter(({ resume }) => resume);
        const resume = mapOf(how.map(({ name, resume }) => [name, fromResume(resume)]));
        return { ...fromContent(body), resume: resume ?? {} };
    },
    reset: fromContent,
    retry: ({ code, ...rest }) => ({ code: codeOf(code), ...rest }),
    refused: ({ code, ...rest }) => ({ code: codeOf(code), ...rest }),
    bye: ({ code, ...rest }) => ({ code: codeOf(code), ...some(rest) }),
    history: ({ items, more, ...rest }) => ({
        ...{ ...rest, items: items.map(fromMessage) },
        ...(more && { more }),
    }),
};

/** A body that is not known gives a frame whose op nobody knows, which is ignored as in JSON. */
function decode(received: unknown): ServerFrame {
    if (!(received instanceof ArrayBuffer)) {
        throw new TypeError("a text message");
    }
    const { i, ...bodies } = read("ServerFrame", new Uint8Array(received));
    const [op, body] = Object.entries<Json>(bodies)[0] ?? ["", {}];
    const frame = (shapes[op] ?? some)(body);
    return { op, ...(i !== undefined && { i }), ...frame } as unknown as ServerFrame;
}

/** Speaks `muster.v1.proto`. */
export const proto: Codec = { subprotocol: "muster.v1.proto", encode, decode };
