// Prints src/proto_schema.ts, made of proto/muster/client.proto: `npm run schema` writes it.
import { readFileSync } from "node:fs";

const source = new URL("../../../proto/muster/client.proto", import.meta.url);

/** What stands in schemas as a name of its own: what a JavaScript number, flag or text holds. */
const scalars = { uint32: "number", uint64: "number", int64: "number", bool: "flag", string: "text", bytes: "bytes" };

/** `MOUNT_TYPE_STATE` of `MountType` -> `state` */
function enumerator(enumeration, name) {
    const prefix = enumeration.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
    return name.replace(`${prefix}_`, "").toLowerCase();
}

/** Returns messages and enums by name. Throws for a line that it does not understand. */
function parse(text) {
    const messages = {};
    const enums = {};
    const blocks = []; // What the line stands in, the outermost first.
    for (const [index, whole] of text.split("\n").entries()) {
        const line = whole.replace(/\s*\/\/.*/, "").trim();
        const block = blocks.at(-1);
        const [, kind, name] = /^(message|enum|oneof) (\w+) \{/.exec(line) ?? [];
        const number = /^(?:(optional|repeated) )?(\w+) (\w+) = (\d+)(?: \[json_name = "(\w+)"\])?;$/.exec(line);
        const value = /^(\w+) = (\d+);$/.exec(line);
        if (kind) {
            if (kind === "oneof") {
                blocks.push({ ...block, isOneof: true });
            } else {
                const list = kind === "message" ? messages : enums;
                if (name in messages || name in enums) {
                    throw new Error(`${source.pathname}:${index + 1}: a second ${name}`);
                }
                list[name] = [];
                blocks.push({ kind, name, list: list[name] });
            }
            if (line.endsWith("}")) {
                blocks.pop();
            }
        } else if (line === "}" && block) {
            blocks.pop();
        } else if (number && block?.kind === "message") {
            const [, label, type, field, at, jsonName] = number;
            const presence = label ?? (block.isOneof ? "optional" : "");
            block.list.push({ number: Number(at), name: jsonName ?? field, type, presence });
        } else if (value && block?.kind === "enum" && Number(value[2]) === block.list.length) {
            block.list.push(enumerator(block.name, value[1]));
        } else if (line !== "" && !/^(syntax|package|option) /.test(line)) {
            throw new Error(`${source.pathname}:${index + 1}: not understood: ${line}`);
        }
    }
    return { messages, enums };
}

function print({ messages, enums }) {
    const fields = (list) =>
        list.map(({ number, name, type, presence }) => {
            const known = scalars[type] ?? type;
            if (!(type in scalars || type in messages || type in enums)) {
                throw new Error(`${source.pathname}: the type ${type} is not known`);
            }
            // A message has presence without saying so.
            const label = presence === "optional" && type in messages ? "" : presence;
            return `\n        ${number}: ["${name}", "${known}"${label && `, "${label}"`}],`;
        });
    const shown = Object.entries(messages).map(([name, list]) => {
        const all = [...list].sort((a, b) => a.number - b.number);
        return `    ${name}: {${fields(all).join("")}${all.length > 0 ? "\n    " : ""}},\n`;
    });
    const named = Object.entries(enums).map(
        ([name, list]) => `    ${name}: [${list.map((one) => `"${one}"`).join(", ")}],\n`,
    );
    return `/**
 * The messages of proto/muster/client.proto by the numbers of their fields: name in JSON, type, label.
 * Written by \`npm run schema\`, not by hand.
 */
export type Field = readonly [name: string, type: string, label?: "optional" | "repeated"];

export const messages: Readonly<Record<string, Readonly<Record<number, Field>>>> = {
${shown.join("")}};

export const enums: Readonly<Record<string, readonly string[]>> = {
${named.join("")}};
`;
}

process.stdout.write(print(parse(readFileSync(source, "utf8"))));
