import { expect, test } from "vitest";
import { endpoint, Sockets } from "./socket.ts";
import { FakeWebSocket } from "./testing/fake_socket.ts";

test("a host alone gets the path of the server's WebSocket; http becomes ws", () => {
    expect(endpoint("wss://g1.example.com")).toBe("wss://g1.example.com/connect");
    expect(endpoint("https://g1.example.com/")).toBe("wss://g1.example.com/connect");
    expect(endpoint("http://localhost:7400")).toBe("ws://localhost:7400/connect");
    expect(endpoint("ws://host/other/path?x=1#y")).toBe("ws://host/other/path?x=1");
});

test("what is no URL is a TypeError", () => {
    expect(() => endpoint("somewhere")).toThrow(TypeError);
});

function opened() {
    const told: unknown[] = [];
    const made = FakeWebSocket.collect();
    const sockets = new Sockets(made.constructor_, (event) => told.push(event));
    sockets.open(1, "ws://host/connect");
    return { told, sockets, socket: made.sockets[0] as FakeWebSocket, made };
}

test("a socket asks for our subprotocol, and its events carry its number", () => {
    const { told, socket } = opened();
    expect(socket.protocols).toEqual(["muster.v1.json"]);
    socket.accept();
    socket.deliver('{"op":"pong"}');
    socket.drop(4003, "elsewhere");
    expect(told).toEqual([
        { type: "opened", socket: 1 },
        { type: "frame", socket: 1, frame: { op: "pong" } },
        { type: "gone", socket: 1, code: 4003, reason: "elsewhere" },
    ]);
});

test("what is no frame is told as undefined", () => {
    for (const text of ["", "{", "null", "[]", '{"x":1}', "17", new ArrayBuffer(4)]) {
        const { told, socket } = opened();
        socket.deliver(text);
        expect(told).toEqual([{ type: "frame", socket: 1, frame: undefined }]);
    }
});

test("a socket that was shut is silent", () => {
    const { told, sockets, socket } = opened();
    sockets.shut(1, 1000, "");
    socket.deliver('{"op":"pong"}');
    socket.drop(1000, "");
    sockets.write(1, "late");
    expect(told).toEqual([]);
    expect(socket.closed).toEqual([[1000, ""]]);
    expect(socket.sent).toEqual([]);
});

test("where a browser does not let a page use a close code, another one is used", () => {
    const { sockets, socket } = opened();
    socket.likeBrowser = true;
    sockets.shut(1, 1002, "gap");
    expect(socket.closed).toEqual([[4000, "gap"]]);
});

test("a constructor that throws, as for mixed content, is a socket that is gone", () => {
    const told: unknown[] = [];
    class Refusing {
        constructor() {
            throw new Error("mixed content");
        }
    }
    new Sockets(Refusing as never, (event) => told.push(event)).open(1, "ws://host");
    expect(told).toEqual([{ type: "gone", socket: 1, code: 1006, reason: "Error: mixed content" }]);
});

test("a send that throws changes nothing: the close will follow", () => {
    const { sockets, socket } = opened();
    socket.send = () => {
        throw new Error("still connecting");
    };
    expect(() => sockets.write(1, "{}")).not.toThrow();
});

test("a socket that never opened is gone with its error, as Node 22 tells no close", () => {
    const { constructor_, sockets } = FakeWebSocket.collect();
    const told: unknown[] = [];
    const all = new Sockets(constructor_, (event) => told.push(event));
    all.open(1, "ws://a");
    sockets[0]?.onerror?.({} as never);
    sockets[0]?.onclose?.({ code: 1006, reason: "" } as never);
    expect(told).toEqual([{ type: "gone", socket: 1, code: 1006, reason: "" }]);
    all.open(2, "ws://a");
    sockets[1]?.accept();
    sockets[1]?.onerror?.({} as never);
    expect(told.at(-1)).toEqual({ type: "opened", socket: 2 });
});
