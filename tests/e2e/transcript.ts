/** What a document shows: commands with their output, and frames with their answers. */

/** A command, and the lines that are shown below it. */
export interface Shown {
    command: string;
    output: string[];
    /** Where it stands, for messages. */
    line: number;
}

/** A fenced block of a Markdown text. */
export interface Block {
    language: string;
    lines: string[];
    /** The number of its first line. */
    line: number;
}

/** Returns the part below the heading `title`, up to the next of its level or above. */
export function section(markdown: string, title: string): { text: string; line: number } {
    const lines = markdown.split("\n");
    const heading = lines.findIndex((line) => line.replace(/^#+\s+/, "") === title && /^#/.test(line));
    if (heading < 0) {
        throw new Error(`there is no heading "${title}"`);
    }
    const level = /^#+/.exec(lines[heading] as string)?.[0].length ?? 1;
    let inFence = false;
    let end = heading + 1;
    for (; end < lines.length; end++) {
        const line = lines[end] as string;
        inFence = line.startsWith("```") ? !inFence : inFence;
        if (!inFence && new RegExp(`^#{1,${level}} `).test(line)) {
            break;
        }
    }
    return { text: lines.slice(heading + 1, end).join("\n"), line: heading + 2 };
}

export function blocks(markdown: string, firstLine = 1): Block[] {
    const found: Block[] = [];
    let open: Block | undefined;
    for (const [index, line] of markdown.split("\n").entries()) {
        if (open && line.startsWith("```")) {
            found.push(open);
            open = undefined;
        } else if (open) {
            open.lines.push(line);
        } else if (line.startsWith("```")) {
            open = { language: line.slice(3).trim(), lines: [], line: firstLine + index + 1 };
        }
    }
    if (open) {
        throw new Error(`the block of line ${open.line} has no end`);
    }
    return found;
}

/**
 * Returns the commands of a block: each begins with `$ `, goes on over lines that end with `\` (or
 * begin with `> `), and is followed by its output.
 */
export function commandsOf(block: Block): Shown[] {
    const commands: Shown[] = [];
    let last: Shown | undefined;
    let goesOn = false;
    for (const [index, text] of block.lines.entries()) {
        if (goesOn && last) {
            last.command += `\n${text.replace(/^> /, "")}`;
        } else if (text.startsWith("$ ")) {
            last = { command: text.slice(2), output: [], line: block.line + index };
            commands.push(last);
        } else if (last) {
            last.output.push(text);
        } else {
            throw new Error(`line ${block.line + index} shows output before any command`);
        }
        goesOn = last !== undefined && last.output.length === 0 && text.endsWith("\\");
    }
    return commands;
}

function escaped(text: string): string {
    return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** Does the output look as shown? A line that is only `…` stands for any lines, or none. */
export function matches(shown: string[], output: string): boolean {
    const lines = linesOf(shown.join("\n")).map((line) =>
        line.trim() === "…" ? "(.*\n)*" : `${line.split("…").map(escaped).join(".*")}\n`,
    );
    const printed = linesOf(output).map((line) => `${line}\n`);
    return new RegExp(`^${lines.join("")}$`).test(printed.join(""));
}

/** Without blanks at the ends of lines, and without empty lines at the end. */
function linesOf(text: string): string[] {
    const lines = text.split("\n").map((line) => line.trimEnd());
    while (lines.at(-1) === "") {
        lines.pop();
    }
    return lines;
}
