import { describe, expect, test } from "vitest";
import { MusterError } from "./errors.ts";
import { Members, type SetOptions, StateMount } from "./mirror.ts";

type Asked = { key: string; value: unknown; options: SetOptions };

/** A mirror whose writes the test answers. */
function mirror() {
    const asked: (Asked & { resolve: (seq: number) => void; reject: (error: Error) => void })[] =
        [];
    const state = new StateMount<number>(
        (key, value, options) =>
            new Promise((resolve, reject) => {
                const accept = (seq: number) => resolve({ seq });
                asked.push({ key, value, options, resolve: accept, reject });
            }),
    );
    const changes: unknown[] = [];
    state.on("change", (key, now, was) => changes.push([key, now, was]));
    const event = (seq: number, set: Record<string, number>, del: string[] = []) => {
        state.apply({ op: "state", q: "/q", m: "s", seq, set, del });
        state.advance(seq);
    };
    const snapshot = (at: number, value: Record<string, number>) => {
        state.replace({ type: "state", value });
        state.advance(at);
    };
    return { state, asked, changes, event, snapshot };
}
const conflict = (current: number) =>
    new MusterError({ outcome: "rejected", code: "M3009", message: "conflict", current });
const settled = () => new Promise((resolve) => setTimeout(resolve));

describe("a state mount", () => {
    test("shows the snapshot, then each event", () => {
        const { state, event, snapshot, changes } = mirror();
        snapshot(20, { alice: 7 });
        event(21, { bob: 3 });
        event(22, { alice: 8 }, ["bob"]);
        expect([...state.entries()]).toEqual([["alice", 8]]);
        expect([state.get("alice"), state.has("bob"), state.size]).toEqual([8, false, 1]);
        expect([...state.keys()]).toEqual(["alice"]);
        expect(changes).toEqual([
            ["alice", 7, undefined],
            ["bob", 3, undefined],
            ["bob", undefined, 3],
            ["alice", 8, 7],
        ]);
    });

    test("a snapshot tells only what differs, and what is gone", () => {
        const { snapshot, changes } = mirror();
        snapshot(20, { a: 1, b: 2 });
        changes.length = 0;
        snapshot(30, { b: 2, c: 3 });
        expect(changes).toEqual([
            ["a", undefined, 1],
            ["c", 3, undefined],
        ]);
    });

    test("when one change is told the others of its event are to be seen, too", () => {
        const { state, event } = mirror();
        const seen: unknown[] = [];
        state.on("change", () => seen.push([state.get("a"), state.get("b")]));
        event(1, { a: 1, b: 2 });
        expect(seen).toEqual([
            [1, 2],
            [1, 2],
        ]);
    });

    test("a listener can be taken off", () => {
        const { state, event } = mirror();
        const seen: string[] = [];
        const off = state.on("change", (key) => seen.push(key));
        event(1, { a: 1 });
        off();
        event(2, { b: 1 });
        expect(seen).toEqual(["a"]);
    });

    test("keys like those of every object are keys like others", () => {
        const { state, event, snapshot } = mirror();
        expect(state.get("constructor")).toBe(undefined);
        event(1, JSON.parse('{"__proto__":1,"constructor":2}'));
        expect([state.get("__proto__"), state.get("constructor")]).toEqual([1, 2]);
        snapshot(2, {});
        expect(state.size).toBe(0);
    });

    test("knows where a key last changed, as far as it was told", () => {
        const { state, event, snapshot } = mirror();
        snapshot(20, { a: 1 });
        event(21, { b: 3 });
        expect(["a", "b", "c"].map((key) => state.seqOf(key))).toEqual([undefined, 21, 0]);
    });

    test("values that are not JSON are shown as base64", () => {
        const { state } = mirror();
        state.replace({ type: "state", value: { a: 1 }, valueb: { b: "AAE=" } });
        state.apply({ op: "state", q: "/q", m: "s", seq: 1, setb: { c: "AQ==" } });
        expect([...state.entries()]).toEqual([
            ["a", 1],
            ["b", { base64: "AAE=" }],
            ["c", { base64: "AQ==" }],
        ]);
    });

    test("set and delete ask the server and do not change the copy themselves", () => {
        const { state, asked } = mirror();
        void state.set("a", 1, { ifSeq: 4 });
        void state.delete("b");
        expect(asked).toMatchObject([
            { key: "a", value: 1, options: { ifSeq: 4 } },
            { key: "b", value: undefined, options: {} },
        ]);
        expect(state.size).toBe(0);
    });
});

describe("update", () => {
    test("makes a conditional set of the present value", async () => {
        const { state, event, asked } = mirror();
        event(21, { alice: 7 });
        const done = state.update("alice", (score = 0) => score + 5);
        expect(asked).toMatchObject([{ key: "alice", value: 12, options: { ifSeq: 21 } }]);
        asked[0]?.resolve(22);
        expect(await done).toEqual({ seq: 22 });
    });

    test("of a key that is not there goes only if it still is not", () => {
        const { state, asked } = mirror();
        void state.update("alice", (score = 0) => score + 5);
        expect(asked).toMatchObject([{ value: 5, options: { ifSeq: 0 } }]);
    });

    test("after a conflict waits for the other's value and goes again with it", async () => {
        const { state, event, asked } = mirror();
        event(21, { alice: 7 });
        const done = state.update("alice", (score = 0) => score + 5);
        asked[0]?.reject(conflict(23));
        await settled();
        expect(asked).toHaveLength(1);
        event(22, { bob: 1 });
        await settled();
        expect(asked).toHaveLength(1);
        event(23, { alice: 100 });
        await settled();
        expect(asked[1]).toMatchObject({ value: 105, options: { ifSeq: 23 } });
        asked[1]?.resolve(24);
        expect(await done).toEqual({ seq: 24 });
    });

    test("where only the snapshot is known, the conflict tells the seq", async () => {
        const { state, snapshot, asked } = mirror();
        snapshot(20, { alice: 7 });
        void state.update("alice", (score = 0) => score + 5);
        expect(asked[0]).toMatchObject({ options: { ifSeq: 20 } });
        asked[0]?.reject(conflict(12));
        await settled();
        expect(asked[1]).toMatchObject({ value: 12, options: { ifSeq: 12 } });
    });

    test("a value newer than the conflict's keeps its own seq", async () => {
        const { state, event, asked } = mirror();
        event(21, { alice: 7 });
        void state.update("alice", (score = 0) => score + 5);
        event(23, { alice: 8 });
        event(25, { alice: 9 });
        asked[0]?.reject(conflict(23));
        await settled();
        expect(asked[1]).toMatchObject({ value: 14, options: { ifSeq: 25 } });
    });

    test("a deletion that has not arrived yet is waited for", async () => {
        const { state, event, asked } = mirror();
        event(21, { alice: 7 });
        void state.update("alice", (score = 0) => score + 5);
        asked[0]?.reject(conflict(0));
        await settled();
        expect(asked).toHaveLength(1);
        event(22, {}, ["alice"]);
        await settled();
        expect(asked[1]).toMatchObject({ value: 5, options: { ifSeq: 0 } });
    });

    test("other errors are the caller's", async () => {
        const { state, asked } = mirror();
        const done = state.update("alice", () => 1);
        asked[0]?.reject(new MusterError({ outcome: "rejected", code: "M2004", message: "no" }));
        await expect(done).rejects.toMatchObject({ code: "M2004" });
    });

    test("gives up after 20 lost races", async () => {
        const { state, event, asked } = mirror();
        event(1, { alice: 0 });
        const done = state.update("alice", (score = 0) => score + 1);
        const result = expect(done).rejects.toMatchObject({ code: "M3009" });
        for (let n = 0; n < 20; n++) {
            event(n + 2, { alice: n });
            asked[n]?.reject(conflict(n + 2));
            await settled();
        }
        await result;
        expect(asked).toHaveLength(20);
    });

    test("does not hang when the queue is left meanwhile", async () => {
        const { state, event, asked } = mirror();
        event(21, { alice: 7 });
        void state.update("alice", (score = 0) => score + 5);
        asked[0]?.reject(conflict(99));
        await settled();
        state.replace(undefined);
        state.advance(0);
        await settled();
        expect(asked).toHaveLength(2);
    });
});

describe("members", () => {
    function members() {
        const copy = new Members();
        const changes: unknown[] = [];
        copy.on("change", (change) => changes.push(change));
        return { copy, changes };
    }
    const frame = { op: "members", q: "/q" } as const;

    test("show who is in, with what is known of them, and the count of all", () => {
        const { copy, changes } = members();
        copy.replace({ alice: {}, bob: { online: false } }, 2, "unknown");
        copy.apply({ ...frame, seq: 5, set: { eve: {} }, del: { bob: "timeout" }, count: 2 });
        expect([...copy]).toEqual([
            ["alice", {}],
            ["eve", {}],
        ]);
        expect([copy.count, copy.has("bob"), copy.get("alice")]).toEqual([2, false, {}]);
        expect([...copy.keys()]).toEqual(["alice", "eve"]);
        expect(changes).toEqual([
            { set: { alice: {}, bob: { online: false } }, del: {}, count: 2 },
            { set: { eve: {} }, del: { bob: "timeout" }, count: 2 },
        ]);
    });

    test("the count may be more than the list", () => {
        const { copy, changes } = members();
        copy.replace({ alice: {} }, 5000, "unknown");
        copy.apply({ ...frame, count: 5001 });
        expect(copy.count).toBe(5001);
        expect(changes.at(-1)).toEqual({ set: {}, del: {}, count: 5001 });
    });

    test("a new list tells only the differences, and nothing where there are none", () => {
        const { copy, changes } = members();
        copy.replace({ alice: {}, bob: {} }, 2, "unknown");
        copy.replace({ alice: {}, bob: {} }, 2, "unknown");
        copy.replace({ alice: { online: false } }, 1, "gone");
        expect(changes.slice(1)).toEqual([
            { set: { alice: { online: false } }, del: { bob: "gone" }, count: 1 },
        ]);
    });

    test("a server that gives no count has told all", () => {
        const { copy } = members();
        copy.replace({ alice: {} }, undefined, "unknown");
        copy.apply({ ...frame, set: { bob: {} } });
        expect(copy.count).toBe(2);
    });
});
