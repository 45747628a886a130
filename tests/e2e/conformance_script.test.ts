/** What reads the transcripts of tests/conformance is right. */
import { expect, test } from "vitest";
import {
    difference,
    expectAll,
    filled,
    groupsOf,
    Names,
    patternOf,
    transcriptOf,
} from "./conformance_script.ts";

const differs = (pattern: string, value: unknown, names = new Names()) =>
    difference(patternOf(pattern), value, names);

test("a frame may have more than its pattern, and must have what that names", () => {
    expect(differs('{"op":"ok","i":2}', { op: "ok", i: 2, seq: 22 })).toBeUndefined();
    expect(differs('{"op":"ok","i":2}', { op: "ok" })).toBe("i is undefined, not 2");
    expect(differs('{"at":[7,*]}', { at: [7, 19] })).toBeUndefined();
    expect(differs('{"at":[7,19]}', { at: [7, 20] })).toBe("at[1] is 20, not 19");
    expect(differs('{"items":[]}', { items: [1] })).toContain("not");
    expect(differs('{"d":{"a":{"b":null}}}', { d: { a: { b: null, c: 1 } } })).toBeUndefined();
    expect(differs('{"d":{}}', { d: [] })).toContain("an object");
});

test("words stand for any value, one of a type, or none", () => {
    expect(differs('{"a":*,"b":number,"c":string}', { a: null, b: 0, c: "" })).toBeUndefined();
    expect(differs('{"a":*}', {})).toBe("a is absent");
    expect(differs('{"a":number}', { a: "1" })).toContain("a number");
    expect(differs('{"i":absent}', {})).toBeUndefined();
    expect(differs('{"i":absent}', { i: 1 })).toBe("i is 1, not absent");
});

test("a name stands for what it was first found to be, and is counted on from", () => {
    const names = new Names();
    expect(differs('{"seq":$seq}', { seq: 20 }, names)).toBeUndefined();
    expect(differs('{"seq":$seq}', { seq: 21 }, names)).toBe("seq is 21, not 20");
    expect(differs('{"seq":$seq+1}', { seq: 21 }, names)).toBeUndefined();
    expect(filled(patternOf('{"since":{$q:[$seq-1,"x"]}}'), new Names((n) => (n === "q" ? "/a" : 3)))).toEqual({
        since: { "/a": [2, "x"] },
    });
    expect(() => filled(patternOf('{"a":$open}'), names)).toThrow("$open stands for nothing yet");
    expect(() => filled(patternOf('{"a":*}'), names)).toThrow("for what is received");
    expect(differs('{"resume":"gap ${seq+1}..${seq+2}"}', { resume: "gap 21..22" }, names)).toBeUndefined();
    expect(filled(patternOf('"key ${seq}"'), names)).toBe("key 20");
    // What did not fit as a whole leaves no name behind.
    expect(differs('{"a":$a,"b":1}', { a: 5, b: 2 }, names)).toBe("b is 2, not 1");
    expect(names.get("a")).toBeUndefined();
});

test("what is no pattern is refused", () => {
    for (const text of ["", "{", '{"a"}', '{"a":}', "[1 2]", "{} {}", "nonsense", '{"a":$}']) {
        expect(() => patternOf(text), text).toThrow("is missing");
    }
});

test("a transcript has a title, frames, words, and lines that go on", () => {
    const text = '# It works\nneeds dev\n\n# A comment\nconnect a\na> {"op":"ping",\n   "i":1}\na<~ {}\na<~ {}\nb<~ {}\n';
    const { title, needs, lines } = transcriptOf(text);
    expect({ title, needs }).toEqual({ title: "It works", needs: ["dev"] });
    expect(lines.map(({ number, who, sign, rest }) => [number, who, sign, rest])).toEqual([
        [5, "connect", "", "a"],
        [6, "a", ">", '{"op":"ping", "i":1}'],
        [8, "a", "<~", "{}"],
        [9, "a", "<~", "{}"],
        [10, "b", "<~", "{}"],
    ]);
    expect(groupsOf(lines).map((group) => group.length)).toEqual([1, 1, 2, 1]);
    expect(() => transcriptOf("connect a")).toThrow("must be a comment");
});

test("lines of a group fit in any order, others in their own", async () => {
    const lines = transcriptOf('# T\n<~ {"i":1}\n<~ {"i":2}\n< {"i":3}\n< {"i":4}').lines;
    const play = async (order: number[]) => {
        const values = order.map((i) => ({ i }));
        for (const group of groupsOf(lines)) {
            await expectAll(group, new Names(), async () => values.shift());
        }
    };
    await play([2, 1, 3, 4]);
    await expect(play([1, 2, 4, 3])).rejects.toThrow('came: {"i":4}\ni is 4, not 3');
    await expect(play([1, 1])).rejects.toThrow("i is 1, not 2");
    const values = [1, 1, 2].map((i) => ({ i }));
    const group = groupsOf(lines)[0] as typeof lines;
    await expectAll(group, new Names(), async () => values.shift(), (value) => value?.i === 1);
    expect(values).toEqual([]);
});
