/**
 * `@muster/client/proto`: the binary form of the protocol, proto/muster/client.proto, by hand and
 * without dependencies. Frames are the same objects as in JSON: `connect(urls, { codec: proto })`.
 */
import * as codes from "./codes.ts";
import type { Codec } from "./socket.ts";
import type { ServerFrame } from "./wire.ts";

type Json = Record<string, any>;

const toText = new TextDecoder("utf-8", { fatal: true });
const toBytes = new TextEncoder();

/** How a field stands in JSON (by its name) and on the wire (by its number, its place + 1). */
type Field =
    | readonly [name: string, type: "text" | "number" | "flag" | "numbers"]
    /** What is in the message stands beside the fields around it. */
    | readonly [name: undefined, type: "op" | "data"]
    | readonly [name: string, type: "cursor" | "cursors"];

const op: Field = [undefined, "op"];
const data: Field = [undefined, "data"];
const text = (name: string): Field => [name, "text"];
const number = (name: string): Field => [name, "number"];
const q = text("q");
const m = text("m");
const since: Field = ["since", "cursor"];

/** What a client says: op, number of its body, fields of the body. */
const requests: Record<string, readonly [body: number, ...fields: Field[]]> = {
    send: [2, q, m, op, data],
    set: [3, q, m, text("k"), op, data, number("if")],
    ack: [4, number("n")],
    ping: [5],
    pong: [6],
    hello: [
        ...([16, ["v", "numbers"], text("token"), text("user"), text("nonce")] as const),
        ...([text("resume"), text("cid"), number("cn"), ["resolve", "flag"]] as const),
        ["since", "cursors"],
    ],
    auth: [17, text("token")],
    join: [18, q, op, since],
    listen: [19, q, since],
    leave: [20, q, op],
    unlisten: [21, q],
    withdraw: [22, q, op],
    history: [23, q, m, number("before")],
};

/** Stands for an op that this version does not have: the server answers that it has none, too. */
const unknownBody = 500;

// ---- Writing -----------------------------------------------------------------------------------

/** Bytes of a number below 2^53. */
function varint(value: number): number[] {
    const bytes = [];
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

    bytes(field: number, value: Uint8Array): void {
        this.#append([...varint(field * 8 + 2), ...varint(value.length)]);
        this.#append(value);
    }

    message(field: number, write: (within: Writer) => void): void {
        const within = new Writer();
        write(within);
        this.bytes(field, within.done());
    }

    done(): Uint8Array<ArrayBuffer> {
        return this.#bytes.subarray(0, this.#size);
    }
}

function writeCursor(out: Writer, field: number, [inc, seq]: readonly [number, number]): void {
    out.message(field, (within) => {
        within.number(1, inc);
        within.number(2, seq);
    });
}

function writeField(out: Writer, field: number, [name, type]: Field, frame: Json): void {
    const value = name === undefined ? undefined : frame[name];
    switch (type) {
        case "op":
            if ("n" in frame || "inc" in frame || "try" in frame) {
                out.message(field, (within) =>
                    ["n", "inc", "try"].forEach((part, i) => {
                        if (part in frame) {
                            within.number(i + 1, frame[part]);
                        }
                    }),
                );
            }
            break;
        case "data":
            if ("d" in frame || "b" in frame) {
                const isJson = "d" in frame;
                const bytes = isJson
                    ? toBytes.encode(JSON.stringify(frame["d"]))
                    : unbase64(frame["b"]);
                out.message(field, (within) => within.bytes(isJson ? 1 : 2, bytes));
            }
            break;
        case "cursors":
            for (const [queue, cursor] of Object.entries<[number, number]>(value ?? {})) {
                out.message(field, (within) => {
                    within.bytes(1, toBytes.encode(queue));
                    writeCursor(within, 2, cursor);
                });
            }
            break;
        default:
            if (value === undefined) {
                return;
            }
            if (type === "cursor") {
                writeCursor(out, field, value);
            } else if (type === "numbers") {
                out.bytes(field, Uint8Array.from((value as number[]).flatMap(varint)));
            } else if (type === "text") {
                out.bytes(field, toBytes.encode(value));
            } else {
                out.number(field, Number(value));
            }
    }
}

function encode(json: string): Uint8Array<ArrayBuffer> {
    const frame = JSON.parse(json);
    const out = new Writer();
    if (frame.i !== undefined) {
        out.number(1, frame.i);
    }
    const [body, ...fields] = requests[frame.op] ?? [unknownBody];
    out.message(body, (within) =>
        fields.forEach((field, i) => writeField(within, i + 1, field, frame)),
    );
    return out.done();
}

// ---- Reading -----------------------------------------------------------------------------------

/** One message, taken apart: what stands under each number. Throws for what is none. */
class Fields {
    readonly #values = new Map<number, (number | Uint8Array)[]>();
    readonly numbers: number[] = [];

    constructor(bytes: Uint8Array) {
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
                    return value < 2 ** 63 ? value : value - 2 ** 64;
                }
            }
            throw new RangeError("a number has no end");
        };
        const part = (size: number): Uint8Array => {
            if (at + size > bytes.length) {
                throw new RangeError("a length goes past the end");
            }
            at += size;
            return bytes.subarray(at - size, at);
        };
        while (at < bytes.length) {
            const tag = varint();
            const type = tag % 8;
            let value: number | Uint8Array;
            if (type === 0) {
                value = varint();
            } else if (type === 2) {
                value = part(varint());
            } else if (type === 1 || type === 5) {
                value = part(type === 1 ? 8 : 4);
            } else {
                throw new RangeError("a group");
            }
            const number = Math.floor(tag / 8);
            const known = this.#values.get(number);
            if (known) {
                known.push(value);
            } else {
                this.#values.set(number, [value]);
                this.numbers.push(number);
            }
        }
    }

    /** The number that stands there; undefined where there is none. */
    find(field: number): number | undefined {
        return this.#values.get(field)?.at(-1) as number | undefined;
    }

    number(field: number): number {
        return this.find(field) ?? 0;
    }

    flag(field: number): boolean {
        return this.number(field) !== 0;
    }

    /** The messages or bytes that stand there. */
    all(field: number): Uint8Array[] {
        return (this.#values.get(field) ?? []) as Uint8Array[];
    }

    text(field: number): string {
        return toText.decode(this.all(field).at(-1) ?? new Uint8Array());
    }

    messages(field: number): Fields[] {
        return this.all(field).map((bytes) => new Fields(bytes));
    }

    cursor(field: number): [number, number] {
        const [cursor] = this.messages(field);
        return [cursor?.number(1) ?? 0, cursor?.number(2) ?? 0];
    }
}

const base64 = (bytes: Uint8Array): string =>
    btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
const unbase64 = (text: string): Uint8Array =>
    Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

/** Leaves out what is undefined, empty text included where `""` means as much. */
function some(fields: Json): Json {
    return Object.fromEntries(
        Object.entries(fields).filter(([, value]) => value !== undefined && value !== ""),
    );
}

/** `{d}` or `{b}`; nothing where there is none. */
function readData(message: Fields | undefined): { d?: unknown; b?: string } {
    const bytes = message?.all(2)[0];
    if (bytes) {
        return { b: base64(bytes) };
    }
    return message?.all(1)[0] ? { d: JSON.parse(message.text(1)) } : {};
}

/** Map of keys to values; those that are bytes, or were deleted, apart. */
function readValues(all: Fields[]): { values: Json; bytes: Json; deleted: string[] } {
    const read = { values: {} as Json, bytes: {} as Json, deleted: [] as string[] };
    for (const one of all) {
        const key = one.text(1);
        const value = readData(one.messages(2)[0]);
        if (value.b !== undefined) {
            put(read.bytes, key, value.b);
        } else if ("d" in value) {
            put(read.values, key, value.d);
        } else {
            read.deleted.push(key);
        }
    }
    return read;
}

/** Sets a property of any name, `__proto__` among them. */
function put(object: Json, name: string, value: unknown): void {
    const plain = { enumerable: true, configurable: true, writable: true };
    Object.defineProperty(object, name, { value, ...plain });
}

function readMembers(all: Fields[]): Json {
    const who: Json = {};
    for (const one of all) {
        put(who, one.text(1), JSON.parse(one.text(2) || "{}"));
    }
    return who;
}

const types = [null, "message", "state"] as const;

function readContent(body: Fields, members: number, mounts: number): Json {
    const content: Json = { mounts: {}, members: body.number(members), who: {} };
    for (const mount of body.messages(mounts)) {
        const type = types[mount.number(2)];
        const { values, bytes } = readValues(mount.messages(3));
        const shown: Json = { type };
        if (type === "state") {
            shown["value"] = values;
            if (Object.keys(bytes).length > 0) {
                shown["valueb"] = bytes;
            }
        }
        put(content["mounts"], mount.text(1), shown);
    }
    content["who"] = readMembers(body.messages(members + 1));
    return content;
}

function readResume(mounts: Fields[]): Json {
    const resume: Json = {};
    for (const mount of mounts) {
        const [how] = mount.messages(4);
        if (how) {
            const gap = `gap ${how.number(3)}..${how.number(4)}`;
            const kinds = ["fresh", `replayed ${how.number(2)}`, "snapshot", gap];
            put(resume, mount.text(1), kinds[how.number(1)]);
        }
    }
    return resume;
}

const code = (number: number): string => `M${number}`;

/** What a message is as a frame and as an item of a history. */
function readMessage(body: Fields): Json {
    return {
        seq: body.number(3),
        ...some({ from: body.text(5) }),
        t: body.number(6),
        ...readData(body.messages(8)[0]),
    };
}

/** What a server says: number of the body, op, fields. */
const answers: Record<number, readonly [op: string, read: (body: Fields) => Json]> = {
    5: ["ping", () => ({})],
    6: ["pong", () => ({})],
    9: [
        "msg",
        (b) => ({
            ...{ q: b.text(1), m: b.text(2), ...some({ n: b.find(7), prev: b.find(4) }) },
            ...readMessage(b),
        }),
    ],
    10: [
        "state",
        (b) => {
            const { values, bytes, deleted } = readValues(b.messages(5));
            const any = (map: Json) => (Object.keys(map).length > 0 ? map : undefined);
            return {
                ...{ q: b.text(1), m: b.text(2), seq: b.number(3) },
                ...some({ prev: b.find(4), set: any(values), setb: any(bytes) }),
                ...(deleted.length > 0 ? { del: deleted } : {}),
            };
        },
    ],
    11: ["ok", (b) => some({ seq: b.find(1), inc: b.find(2) })],
    12: [
        "members",
        (b) => {
            const set = readMembers(b.messages(4));
            const del: Json = {};
            for (const gone of b.messages(5)) {
                put(del, gone.text(1), gone.text(2));
            }
            return {
                ...{ q: b.text(1), seq: b.number(2), ...some({ prev: b.find(3) }) },
                ...(Object.keys(set).length > 0 ? { set } : {}),
                ...(Object.keys(del).length > 0 ? { del } : {}),
                count: b.number(6),
            };
        },
    ],
    13: [
        "err",
        (b) => {
            const named = code(b.number(1));
            const isUnknown = named === codes.gone || named === codes.expired;
            const outcome = isUnknown ? "unknown" : "rejected";
            return { code: named, outcome, ...some({ message: b.text(2), current: b.find(3) }) };
        },
    ],
    32: [
        "hello",
        (b) => ({
            ...{ v: b.number(1), user: b.text(2), session: b.number(3) },
            ...some({ resume: b.text(4), cid: b.text(5) }),
            ping: b.number(6),
        }),
    ],
    33: [
        "joined",
        (b) => ({
            ...{ q: b.text(1), member: b.flag(2), at: b.cursor(3) },
            resume: readResume(b.messages(4)),
            ...readContent(b, 5, 4),
        }),
    ],
    34: [
        "reset",
        (b) => ({ q: b.text(1), at: b.cursor(2), why: b.text(3), ...readContent(b, 5, 4) }),
    ],
    35: [
        "mount",
        (b) => ({
            ...{ q: b.text(1), m: b.text(2), seq: b.number(3), ...some({ prev: b.find(4) }) },
            type: types[b.number(5)],
        }),
    ],
    36: ["retry", (b) => ({ code: code(b.number(1)), after_ms: b.number(2) })],
    37: ["refused", (b) => ({ try: b.number(1), code: code(b.number(2)) })],
    38: ["gap", (b) => ({ q: b.text(1), m: b.text(2), from: b.number(3), to: b.number(4) })],
    39: ["stalled", (b) => ({ q: b.text(1), on: b.flag(2) })],
    40: ["left", (b) => ({ q: b.text(1), ...some({ why: b.text(2) }) })],
    41: [
        "bye",
        (b) => ({
            code: code(b.number(1)),
            ...some({ spread_ms: b.find(2), retry_ms: b.find(3), message: b.text(4) }),
        }),
    ],
    42: [
        "history",
        (b) => ({
            ...{ q: b.text(1), m: b.text(2), items: b.messages(3).map(readMessage) },
            ...(b.flag(4) ? { more: true } : {}),
        }),
    ],
};

/** A body that is not known gives a frame whose op nobody knows, which is ignored as in JSON. */
function decode(received: unknown): ServerFrame {
    if (!(received instanceof ArrayBuffer)) {
        throw new TypeError("a text message");
    }
    const frame = new Fields(new Uint8Array(received));
    const number = frame.numbers.find((one) => one in answers);
    if (number === undefined) {
        return { op: "" } as unknown as ServerFrame;
    }
    const [name, read] = answers[number] as (typeof answers)[number];
    const body = new Fields(frame.all(number)[0] as Uint8Array);
    return { op: name, ...some({ i: frame.find(1) }), ...read(body) } as unknown as ServerFrame;
}

/** Speaks `muster.v1.proto`. */
export const proto: Codec = { subprotocol: "muster.v1.proto", encode, decode };
