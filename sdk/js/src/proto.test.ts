/**
 * Frames that protoc has written, from the corpus of the server's own fuzz target, beside what they
 * are in JSON.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { proto } from "./proto.ts";
import { json, Sockets } from "./socket.ts";

const corpus = new URL("../../../src/core/wire/corpus/proto_frames_fuzz/", import.meta.url);
const bytesOf = (name: string): Buffer => readFileSync(new URL(name, corpus));
const decode = (bytes: Uint8Array) => proto.decode(Uint8Array.from(bytes).buffer);
const hex = (bytes: string | Uint8Array) => Buffer.from(bytes as Uint8Array).toString("hex");

test("proto_schema.ts is what `npm run schema` makes of client.proto", () => {
    const script = fileURLToPath(new URL("../scripts/proto_schema.mjs", import.meta.url));
    const made = execFileSync(process.execPath, [script], { encoding: "utf8" });
    expect(readFileSync(new URL("./proto_schema.ts", import.meta.url), "utf8")).toBe(made);
});

const requests: Record<string, string> = {
    hello: '{"op":"hello","v":[1],"token":"abc","nonce":"xyz","cn":1}',
    auth: '{"op":"auth","i":1,"token":"abc"}',
    join: '{"op":"join","i":1,"n":1,"inc":0,"try":1,"q":"/room/123","since":[7,17]}',
    listen: '{"op":"listen","i":2,"q":"/room/123","since":[7,17]}',
    leave: '{"op":"leave","i":300,"n":2,"q":"/room/123"}',
    send_bytes: '{"op":"send","i":3,"q":"/room/123","m":"chat","b":"/wA="}',
    set: '{"op":"set","i":4,"q":"/room/123","m":"scores","k":"alice","d":9,"if":20}',
    withdraw: '{"op":"withdraw","n":2,"inc":7,"q":"/q"}',
    history: '{"op":"history","i":5,"q":"/q","m":"chat","before":17}',
    ack: '{"op":"ack","n":5}',
    ping: '{"op":"ping"}',
};

test.each(Object.entries(requests))("%s is written as protoc writes it", (name, text) => {
    expect(hex(proto.encode(text))).toBe(hex(bytesOf(name)));
});

test("what a hello resumes is written, cursors of zeros as well", () => {
    const text =
        '{"op":"hello","v":[1,2],"token":"abc","resume":"r","cid":"c","cn":2,"resolve":true,' +
        '"since":{"/room/1":[7,17]}}';
    const whole = hex(bytesOf("hello_resume"));
    const written = hex(proto.encode(text));
    // protoc's has a second queue, and so another length.
    expect(whole).toContain(written.slice(6));
    expect(hex(proto.encode('{"op":"join","q":"/a","since":[0,0]}'))).toBe("9201060a022f611a00");
});

test("set without d has no data, with null it has", () => {
    const set = '{"op":"set","q":"/a","m":"m","k":"k"';
    expect(hex(proto.encode(`${set}}`))).toBe("1a0a0a022f6112016d1a016b");
    expect(hex(proto.encode(`${set},"d":null}`))).toContain(hex(Buffer.from("null")));
});

test("a length beyond the end is an error, however long it says that it is", () => {
    const lengths = ["80f0ffffffffffffff01", "ffffffffffffffffff01", "ffffffffffffffff7f", "05"];
    for (const length of lengths) {
        const bytes = Buffer.from(`0a${length}0000`, "hex");
        expect(() => decode(bytes)).toThrow(RangeError);
    }
});

test("numbers are written up to 2^53", () => {
    expect(hex(proto.encode('{"op":"ack","n":9007199254740992}'))).toBe("2209088080808080808010");
});

test.each(["-1", "1.5", "null", "true", '"7"', "9007199254740994"])(
    "%s is no number, and the server refuses it as it does in JSON",
    (value) => {
        const set = proto.encode(`{"op":"set","q":"/a","m":"m","k":"k","if":${value}}`);
        expect(hex(set)).toMatch(/30ffffffffffffffffff01$/);
        const hello = proto.encode(`{"op":"hello","v":[${value}]}`);
        expect(hex(hello)).toMatch(/0a0affffffffffffffffff01$/);
    },
);

const answers: Record<string, string> = {
    ping: '{"op":"ping"}',
    welcome:
        '{"op":"hello","v":1,"user":"alice","session":82,"resume":"r","cid":"c","ping":15}',
    joined:
        '{"op":"joined","i":1,"q":"/room/123","member":true,"at":[7,19],' +
        '"resume":{"chat":"replayed 2","scores":"gap 20..23"},' +
        '"mounts":{"chat":{"type":"message"},"scores":{"type":"state","value":{"alice":7},' +
        '"valueb":{"b":"/w=="}}},"members":2,"who":{"alice":{},"bob":{"online":false}}}',
    reset:
        '{"op":"reset","q":"/room/123","at":[8,0],"why":"gone",' +
        '"mounts":{"chat":{"type":"message"}},"members":0,"who":{}}',
    state: '{"op":"state","q":"/room/123","m":"scores","seq":21,"set":{"alice":8},"del":["carol"]}',
    members:
        '{"op":"members","q":"/room/123","seq":22,"set":{"eve":{}},"del":{"bob":"timeout"},"count":2}',
    mount: '{"op":"mount","q":"/room/123","m":"poll","seq":23,"type":"state"}',
    ok: '{"op":"ok","i":2,"seq":22,"inc":7}',
    err: '{"op":"err","i":3,"code":"M3009","outcome":"rejected","message":"no","current":0}',
    err_later: '{"op":"err","code":"M2999","outcome":"unknown"}',
    retry: '{"op":"retry","i":3,"code":"M2022","after_ms":500}',
    refused: '{"op":"refused","i":3,"try":1,"code":"M2023"}',
    gap: '{"op":"gap","q":"/q","m":"chat","from":23,"to":31}',
    stalled: '{"op":"stalled","q":"/q","on":true}',
    left: '{"op":"left","q":"/q","why":"kicked"}',
    bye: '{"op":"bye","code":"M1007","spread_ms":60000,"retry_ms":5,"message":"stop"}',
    history_items:
        '{"op":"history","i":5,"q":"/q","m":"chat","items":[{"seq":1,"from":"a","t":5,"d":1},' +
        '{"seq":2,"t":0,"b":"/w=="}],"more":true}',
};

test.each(Object.entries(answers))("%s is read as the JSON codec reads it", (name, text) => {
    expect(decode(bytesOf(name))).toEqual(json.decode(text));
});

test("msg is read with its payload", () => {
    expect(decode(bytesOf("msg"))).toMatchObject({
        ...{ op: "msg", q: "/room/123", m: "chat", seq: 20, prev: 17, from: "bob", n: 5 },
        d: { text: "hello" },
    });
});

test("an outcome of a later version is unknown", () => {
    const err = decode(Uint8Array.of(0x6a, 5, 8, 0xb7, 0x17, 0x20, 2));
    expect(err).toEqual({ op: "err", code: "M2999", outcome: "unknown" });
});

test("a body that is not known is a frame that nobody knows", () => {
    expect(decode(bytesOf("unknown_body")).op).toBe("");
});

test("what is no frame is refused, wherever it is cut", () => {
    for (const name of ["group", "length_past_end", "varint_of_eleven"]) {
        expect(() => decode(bytesOf(name)), name).toThrow();
    }
    const whole = bytesOf("joined");
    for (let size = 3; size < whole.length; size++) {
        expect(() => decode(whole.subarray(0, size))).toThrow();
    }
});

test("a key keeps the byte order mark that it begins with", () => {
    const state = Buffer.from("52160a022f6112016d18012a0b0a04efbbbf6b12030a0131", "hex");
    expect(decode(state)).toMatchObject({ op: "state", set: { "\ufeffk": 1 } });
});

test("names of properties are only names", () => {
    const who = Buffer.from("320f0a095f5f70726f746f5f5f12027b7d", "hex");
    const joined = Buffer.concat([Buffer.from([0x8a, 0x02, who.length]), who]);
    const frame = decode(joined) as unknown as { who: object };
    expect(Object.keys(frame.who)).toEqual(["__proto__"]);
});

test("a socket speaks the codec it was given", () => {
    const made: { protocols: string[]; sent: unknown[]; onmessage: any; binaryType: unknown }[] = [];
    class Fake {
        onopen = null;
        onmessage = null;
        onclose = null;
        onerror = null;
        binaryType = "blob";
        sent: unknown[] = [];
        readonly protocols: string[];
        constructor(_url: string, protocols: string[]) {
            this.protocols = protocols;
            made.push(this);
        }
        send(data: unknown) {
            this.sent.push(data);
        }
        close() {}
    }
    const told: any[] = [];
    const sockets = new Sockets(Fake as never, (event) => told.push(event), proto);
    sockets.open(1, "ws://x/connect");
    sockets.write(1, '{"op":"ping"}');
    expect(made[0]?.protocols).toEqual(["muster.v1.proto"]);
    expect(made[0]?.binaryType).toBe("arraybuffer");
    expect(made[0]?.sent).toEqual([Uint8Array.of(0x2a, 0)]);
    made[0]?.onmessage({ data: Uint8Array.of(0x32, 0).buffer });
    made[0]?.onmessage({ data: "text" });
    expect(told.map((event) => event.frame)).toEqual([{ op: "pong" }, undefined]);
});
