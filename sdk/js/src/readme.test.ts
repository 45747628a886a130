import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const read = (file: string) => readFileSync(new URL(file, import.meta.url), "utf8");

/** The names of an interface's fields, as the source has them. */
function fieldsOf(source: string, name: string): string[] {
    const body = new RegExp(`interface ${name} \\{\n(.*?)\n\\}`, "s").exec(source)?.[1] ?? "";
    return [...body.matchAll(/^ {4}(\w+): \[/gm)].map(([, field]) => field as string);
}

test("the README has every event of a queue and of the client", () => {
    const readme = read("../README.md");
    const ofQueue = fieldsOf(read("./queue.ts"), "QueueEvents");
    const ofClient = fieldsOf(read("./client.ts"), "ClientEvents");
    expect(ofQueue).toContain("reset");
    expect(ofClient).toContain("mail");
    for (const event of ofQueue) {
        expect(readme).toContain(`| \`room.on("${event}", (`);
    }
    for (const event of ofClient) {
        expect(readme).toContain(`m.on("${event}", `);
    }
});

test("the README says how to build and install it, with scripts that are there", () => {
    const { scripts } = JSON.parse(read("../package.json"));
    const commands = /```sh\n(.*?)```/s.exec(read("../README.md"))?.[1] ?? "";
    const named = [...commands.matchAll(/npm run (\w+)/g)].map(([, script]) => script as string);
    expect(named).toEqual(["build"]);
    expect(scripts).toHaveProperty("build");
    expect(commands).toContain("npm ci");
    expect(commands).toMatch(/npm install \S+\/sdk\/js\n/);
});
