/**
 * The transcripts of tests/conformance, read: lines, and patterns of frames with names in them.
 * docs/reference/conformance.md describes the format.
 */

/** JSON with holes: `*`, `number`, `string`, `absent`, and names such as `$seq+1`, `"a ${seq}"`. */
export type Pattern =
    | { kind: "any" | "number" | "string" | "absent" }
    | { kind: "name"; name: string; plus: number }
    | { kind: "value"; value: string | number | boolean | null }
    | { kind: "array"; items: Pattern[] }
    | { kind: "object"; fields: [Pattern, Pattern][] };

/** What the names of a transcript stand for. Names of `given` have their value from the start. */
export class Names {
    readonly #bound = new Map<string, unknown>();
    readonly #given: (name: string) => unknown;

    constructor(given: (name: string) => unknown = () => undefined) {
        this.#given = given;
    }

    /** Returns undefined for a name that stands for nothing yet. */
    get(name: string): unknown {
        if (!this.#bound.has(name)) {
            const value = this.#given(name);
            if (value === undefined) {
                return undefined;
            }
            this.#bound.set(name, value);
        }
        return this.#bound.get(name);
    }

    bind(name: string, value: unknown): void {
        this.#bound.set(name, value);
    }

    /** Returns the value with what is added to it. Errors: it stands for nothing yet. */
    demand(name: string, plus = 0): unknown {
        const value = this.get(name);
        if (value === undefined) {
            throw new Error(`$${name} stands for nothing yet`);
        }
        return plus === 0 ? value : (value as number) + plus;
    }

    /** Returns `text` with the values of the names in it: of `${seq+1}`, and of `$room` if `bare`. */
    inText(text: string, bare = false): string {
        const value = (name: string, plus = 0) => String(this.demand(name, plus));
        const braced = text.replaceAll(
            /\$\{([a-z]\w*(?:\.\w+)?)([+-]\d+)?\}/g,
            (_, name: string, plus?: string) => value(name, Number(plus ?? 0)),
        );
        return bare
            ? braced.replaceAll(/\$([a-z]\w*(?:\.\w+)?)/g, (_, name: string) => value(name))
            : braced;
    }
}

class Reader {
    readonly #text: string;
    #at = 0;

    constructor(text: string) {
        this.#text = text;
    }

    whole(): Pattern {
        const pattern = this.#pattern();
        this.#blanks();
        if (this.#at < this.#text.length) {
            throw this.#problem("nothing more");
        }
        return pattern;
    }

    #pattern(): Pattern {
        this.#blanks();
        if (this.#take(/\{/y)) {
            const fields: [Pattern, Pattern][] = [];
            this.#list("}", () => {
                const key = this.#pattern();
                this.#blanks();
                if (!this.#take(/:/y)) {
                    throw this.#problem("a colon");
                }
                fields.push([key, this.#pattern()]);
            });
            return { kind: "object", fields };
        }
        if (this.#take(/\[/y)) {
            const items: Pattern[] = [];
            this.#list("]", () => items.push(this.#pattern()));
            return { kind: "array", items };
        }
        if (this.#take(/\*/y)) {
            return { kind: "any" };
        }
        const word = this.#take(/(number|string|absent)\b/y);
        if (word) {
            return { kind: word[1] as "number" | "string" | "absent" };
        }
        const name = this.#take(/\$([a-z]\w*(?:\.\w+)?)([+-]\d+)?/y);
        if (name) {
            return { kind: "name", name: name[1] as string, plus: Number(name[2] ?? 0) };
        }
        const value = this.#take(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y);
        if (value) {
            return { kind: "value", value: JSON.parse(value[0]) };
        }
        throw this.#problem("a value");
    }

    #list(end: string, item: () => void): void {
        this.#blanks();
        if (this.#text[this.#at] === end) {
            this.#at++;
            return;
        }
        for (;;) {
            item();
            this.#blanks();
            const next = this.#text[this.#at++];
            if (next === end) {
                return;
            }
            if (next !== ",") {
                this.#at--;
                throw this.#problem(`a comma or ${end}`);
            }
        }
    }

    #blanks(): void {
        this.#take(/\s*/y);
    }

    #take(what: RegExp): RegExpExecArray | null {
        what.lastIndex = this.#at;
        const taken = what.exec(this.#text);
        this.#at += taken?.[0].length ?? 0;
        return taken;
    }

    #problem(wanted: string): Error {
        return new Error(`${wanted} is missing before: ${this.#text.slice(this.#at) || "the end"}`);
    }
}

export function patternOf(text: string): Pattern {
    return new Reader(text).whole();
}

function literal<Value>(value: Value, names: Names): Value | string {
    return typeof value === "string" ? names.inText(value) : value;
}

/** Returns what a pattern stands for. Errors: it leaves something open. */
export function filled(pattern: Pattern, names: Names): unknown {
    switch (pattern.kind) {
        case "value":
            return literal(pattern.value, names);
        case "name":
            return names.demand(pattern.name, pattern.plus);
        case "array":
            return pattern.items.map((item) => filled(item, names));
        case "object":
            return Object.fromEntries(
                pattern.fields.map(([key, value]) => [filled(key, names), filled(value, names)]),
            );
        default:
            throw new Error(`"${pattern.kind}" is for what is received`);
    }
}

/**
 * Returns where `value` differs from the pattern, or undefined where it fits; then the names that
 * stood for nothing stand for what they were found to be. Objects may have more than their pattern.
 */
export function difference(pattern: Pattern, value: unknown, names: Names): string | undefined {
    const found = new Map<string, unknown>();
    const problem = differenceAt(pattern, value, names, found, "");
    if (problem === undefined) {
        found.forEach((bound, name) => names.bind(name, bound));
    }
    return problem;
}

function differenceAt(
    pattern: Pattern,
    value: unknown,
    names: Names,
    found: Map<string, unknown>,
    path: string,
): string | undefined {
    const not = (wanted: unknown) =>
        `${path || "it"} is ${JSON.stringify(value)}, not ${JSON.stringify(wanted)}`;
    switch (pattern.kind) {
        case "absent":
            return value === undefined ? undefined : `${path} is ${JSON.stringify(value)}, not absent`;
        case "any":
            return value === undefined ? `${path} is absent` : undefined;
        case "number":
        case "string":
            return typeof value === pattern.kind ? undefined : not(`a ${pattern.kind}`);
        case "value": {
            const wanted = literal(pattern.value, names);
            return value === wanted ? undefined : not(wanted);
        }
        case "name": {
            const known = found.get(pattern.name) ?? names.get(pattern.name);
            if (known === undefined && value !== undefined) {
                found.set(pattern.name, pattern.plus === 0 ? value : Number(value) - pattern.plus);
                return undefined;
            }
            const wanted = pattern.plus === 0 ? known : (known as number) + pattern.plus;
            return JSON.stringify(value) === JSON.stringify(wanted) ? undefined : not(wanted);
        }
        case "array": {
            if (!Array.isArray(value) || value.length !== pattern.items.length) {
                return not(`a list of ${pattern.items.length}`);
            }
            return firstOf(pattern.items, (item, i) =>
                differenceAt(item, value[i], names, found, `${path}[${i}]`),
            );
        }
        case "object": {
            if (typeof value !== "object" || value === null || Array.isArray(value)) {
                return not("an object");
            }
            return firstOf(pattern.fields, ([key, inner]) => {
                const name = String(filled(key, names));
                const field = (value as Record<string, unknown>)[name];
                return differenceAt(inner, field, names, found, path ? `${path}.${name}` : name);
            });
        }
    }
}

function firstOf<T>(all: T[], problemOf: (one: T, i: number) => string | undefined) {
    for (const [i, one] of all.entries()) {
        const problem = problemOf(one, i);
        if (problem !== undefined) {
            return problem;
        }
    }
    return undefined;
}

/** One line of a transcript. */
export interface Line {
    number: number;
    text: string;
    /** Whose connection, for frames; a word's first word otherwise. */
    who: string;
    /** `>` said by a client, `<` by a server; `~`: in any order with its neighbours; `!`: as text. */
    sign: "" | ">" | "<" | ">~" | "<~" | ">!" | "<!";
    rest: string;
}

export interface Transcript {
    /** The first line, a comment: what is true of whoever passes. */
    title: string;
    /** The words behind `needs`, as `dev`. */
    needs: string[];
    lines: Line[];
}

/** Reads a transcript. Errors: it has no title. */
export function transcriptOf(text: string): Transcript {
    const [first = "", ...others] = text.split("\n");
    const title = /^# (.+)$/.exec(first)?.[1];
    if (title === undefined) {
        throw new Error("the first line must be a comment that says what is shown");
    }
    const transcript: Transcript = { title, needs: [], lines: [] };
    let open: Line | undefined;
    for (const [index, raw] of others.entries()) {
        const text = raw.trim();
        if (open && /^\s+\S/.test(raw)) {
            open.rest += ` ${text}`; // A long line goes on, indented.
            continue;
        }
        open = undefined;
        if (text === "" || text.startsWith("#")) {
            continue;
        }
        const frame = /^(\w*)([<>][~!]?) (.*)$/.exec(text);
        const word = /^(\S+)\s*(.*)$/.exec(text) as RegExpExecArray;
        if (!frame && word[1] === "needs") {
            transcript.needs.push(...(word[2] ?? "").split(" "));
            continue;
        }
        open = {
            number: index + 2,
            text,
            who: (frame ?? word)[1] as string,
            sign: (frame?.[2] ?? "") as Line["sign"],
            rest: (frame ? frame[3] : word[2]) as string,
        };
        transcript.lines.push(open);
    }
    return transcript;
}

/** Returns neighbouring lines with the same sign and `~` in one group; each other one alone. */
export function groupsOf(lines: Line[]): Line[][] {
    const groups: Line[][] = [];
    for (const line of lines) {
        const last = groups.at(-1);
        const before = last?.[0];
        if (last && line.sign.endsWith("~") && before?.sign === line.sign && before.who === line.who) {
            last.push(line);
        } else {
            groups.push([line]);
        }
    }
    return groups;
}

/**
 * Takes values one by one from `next` until each line has one that fits it; in a group, in any
 * order. Errors: one that fits none of those that are left, and that may not be passed over.
 */
export async function expectAll<Value>(
    group: Line[],
    names: Names,
    next: () => Promise<Value>,
    mayPassOver: (value: Value) => boolean = () => false,
): Promise<void> {
    let left = group;
    while (left.length > 0) {
        const value = await next();
        const problems = left.map((line) => difference(patternOf(line.rest), value, names));
        const fits = problems.indexOf(undefined);
        if (fits < 0 && mayPassOver(value)) {
            continue;
        }
        if (fits < 0) {
            throw new Error(`came: ${JSON.stringify(value)}\n${problems.join("\n")}`);
        }
        left = left.filter((_, i) => i !== fits);
    }
}
