/** What reads the documents is right. */
import { expect, test } from "vitest";
import { blocks, commandsOf, matches, section } from "./transcript.ts";

const markdown = `# Title

## Quick start

\`\`\`console
$ make run
…
  ready
$ curl -s \\
    localhost
{"seq":…}

$ true
\`\`\`

## Later

\`\`\`sh
$ false
\`\`\`
`;

test("a section ends where the next begins, and its blocks hold commands with their output", () => {
    const { text, line } = section(markdown, "Quick start");
    const [block, ...rest] = blocks(text, line);
    expect(rest).toEqual([]);
    expect(commandsOf(block as NonNullable<typeof block>)).toEqual([
        { command: "make run", output: ["…", "  ready"], line: 6 },
        { command: "curl -s \\\n    localhost", output: ['{"seq":…}', ""], line: 9 },
        { command: "true", output: [], line: 13 },
    ]);
    expect(() => section(markdown, "Nowhere")).toThrow("no heading");
    expect(() => blocks("```sh\n$ true")).toThrow("no end");
});

test("… stands for anything on its line, and alone for any lines", () => {
    expect(matches(['{"seq":…}'], '{"seq":17}')).toBe(true);
    expect(matches(['{"seq":…}'], '{"seq":17}\n{"seq":18}')).toBe(false);
    expect(matches(["…", "  ready", "…"], "\nlong ago\n  ready\n")).toBe(true);
    expect(matches(["…", "  ready"], "  ready")).toBe(true);
    expect(matches(["…"], "")).toBe(true);
    expect(matches([], "")).toBe(true);
    expect(matches([], "something")).toBe(false);
    expect(matches(["a.c"], "abc")).toBe(false);
    expect(matches(["…7…"], "x 7 y")).toBe(true);
});
