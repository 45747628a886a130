/**
 * The conformance kit, played: every transcript of tests/conformance/server against the program,
 * and every one of tests/conformance/client against the SDKs. docs/reference/conformance.md says how
 * to play them against a server or client of one's own.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { playForClient, ProgramApp, SdkApp } from "./conformance_client.ts";
import { playAgainstServer, type ServerUnderTest } from "./conformance_server.ts";
import { type Transcript, transcriptOf } from "./conformance_script.ts";
import { binary, repository, Server, type ServerOptions, serverOfTest, temporaryFolder } from "./server.ts";

const kit = join(repository, "tests/conformance");
const args = ["--config", join(kit, "muster.toml")];

function transcripts(side: "server" | "client"): [string, Transcript][] {
    return readdirSync(join(kit, side)).map((name) => {
        const text = readFileSync(join(kit, side, name), "utf8");
        return [name, transcriptOf(text)];
    });
}

/** A server that somebody else started, if the environment names one. */
function foreignServer(): ServerUnderTest | undefined {
    const url = process.env["MUSTER_CONFORMANCE_SERVER"];
    if (url === undefined) {
        return undefined;
    }
    const refuse = () => Promise.reject(new Error("a server of somebody else is not ended"));
    const key = (name: string) =>
        readFileSync(join(process.env["MUSTER_CONFORMANCE_KEYS"] ?? ".", name), "utf8").trim();
    return {
        webSocketUrl: url,
        adminUrl: process.env["MUSTER_CONFORMANCE_ADMIN"] ?? "http://127.0.0.1:7401",
        adminKey: key("admin.key"),
        tokenKey: key("token.key"),
        stop: refuse,
        restart: refuse,
    };
}

function underTest(
    { webSocketUrl, adminUrl, adminKey, tokenKey }: Server,
    more: Pick<ServerUnderTest, "stop" | "restart">,
): ServerUnderTest {
    return { webSocketUrl, adminUrl, adminKey, tokenKey, ...more };
}

/** A server for one transcript. */
async function ownServer(needs: string[], options: ServerOptions = {}): Promise<ServerUnderTest> {
    const rules = needs.includes("dev") ? { dev: true } : { dev: false, args };
    const server = await serverOfTest({ ...rules, ...options });
    return underTest(server, {
        stop: () => server.stop(),
        restart: async () => {
            await server.crash();
            return await ownServer(needs, { folder: server.folder });
        },
    });
}

test("the page on the kit shows a transcript as it is", () => {
    const page = readFileSync(join(repository, "docs/reference/conformance.md"), "utf8");
    const text = readFileSync(join(kit, "server/numbers_hole.txt"), "utf8");
    expect(page).toContain(`$ cat tests/conformance/server/numbers_hole.txt\n${text}\`\`\`\n`);
});

describe("a server", () => {
    const foreign = foreignServer();
    // Of all transcripts that need none of their own. Started by the first of them that runs: who
    // tries a client needs no server.
    const folder = join(temporaryFolder(), "data"); // Gone after the server's end.
    let starting: Promise<Server> | undefined;
    afterAll(async () => await (await starting)?.finish());
    const sharedServer = async () => {
        const refuse = () => Promise.reject(new Error("others use this server: say what is needed"));
        starting ??= Server.start({ dev: false, args, folder });
        const server = await starting;
        onTestFinished(({ task }) => {
            if (task.result?.state === "fail" || !server.isAlive) {
                console.error(server.failure(`after "${task.name}"`).message);
            }
        });
        return underTest(server, { stop: refuse, restart: refuse });
    };
    for (const [name, transcript] of transcripts("server")) {
        const { title, needs } = transcript;
        test.skipIf(foreign && needs.length > 0)(`${name}: ${title}`, async () => {
            const server =
                needs.length > 0 ? await ownServer(needs) : (foreign ?? (await sharedServer()));
            await playAgainstServer(transcript, server);
        });
    }
});

describe("@muster/client", () => {
    for (const [name, transcript] of transcripts("client")) {
        test(`${name}: ${transcript.title}`, () => playForClient(transcript, new SdkApp()));
    }
});

/** A program that somebody named, or that of the C++ client, which is built beside the server. */
const named = process.env["MUSTER_CONFORMANCE_CLIENT"];
const program = named ?? join(dirname(binary), "conformance_client");
const isThere = named !== undefined || existsSync(program);
describe.skipIf(!isThere)(`the client ${program}${isThere ? "" : ", which is not built"}`, () => {
    for (const [name, transcript] of transcripts("client")) {
        test(`${name}: ${transcript.title}`, async () => {
            const app = new ProgramApp(program);
            onTestFinished(() => app.kill());
            await playForClient(transcript, app);
        });
    }
});
