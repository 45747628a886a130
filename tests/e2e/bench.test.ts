/** `muster bench`: each work for a second against the real server; nothing is lost, the report reads. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { muster } from "./command.ts";
import { serverOfFile, temporaryFolder } from "./server.ts";

const server = await serverOfFile({
    set: {
        "gateway.op_rate": "1000000/s burst 1000000",
        "gateway.login_rate": "1000000/s burst 1000000",
        "gateway.resume_rate": "1000000/s burst 1000000",
        "gateway.unknown_of_address_max": 100000,
    },
});

const works: Record<string, string[]> = {
    fanout: ["--clients", "40", "--window", "4"],
    "fanout --lone": ["--clients", "40"],
    "fanout --rate 20": ["--clients", "40"],
    "rooms --rate 100": ["--clients", "40"],
    state: ["--clients", "20", "--members", "10"],
    storm: ["--clients", "40"],
    idle: ["--clients", "40"],
    logins: ["--clients", "40", "--window", "8"],
    creates: ["--window", "4"],
};

interface Report {
    work: string;
    expected: number;
    received: number;
    counted: number;
    processes: number;
    [more: string]: unknown;
}

async function bench(words: string[]): Promise<{ report: Report; page: string }> {
    const file = join(temporaryFolder(), "page.html");
    const { code, out, err } = await muster([
        ...["bench", ...words, "--server", server.client, "--server-pid", String(server.pid)],
        ...["--seconds", "1", "--warmup", "0.2", "-o", "json", "--html", file],
    ]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    return { report: JSON.parse(out), page: readFileSync(file, "utf8") };
}

const clean = { lost: 0, doubled: 0, out_of_order: 0, strayed: 0, refused: 0, disconnected: 0 };

for (const [work, words] of Object.entries(works)) {
    test(`bench ${work} loses nothing and says what it found`, async () => {
        const { report, page } = await bench([...work.split(" "), ...words]);
        expect(report).toMatchObject({ work: work.split(" ")[0], ...clean, is_clean: true });
        if (work === "idle") {
            expect(report).toMatchObject({ server_bytes_per_client: expect.any(Number) });
        } else {
            expect(report.counted).toBeGreaterThan(0);
            expect(report).toMatchObject({ server_cpu_us_each: expect.any(Number) });
            expect(page).toContain("<svg");
        }
        if (work !== "state") {
            expect(report.received).toBe(report.expected);
        }
        expect(page).toMatch(/^<!doctype html>/);
        expect(page.trimEnd()).toMatch(/<\/html>$/);
        expect(page).not.toMatch(/<script|https?:|src=|url\(/);
    });
}

test("several processes do one work together", async () => {
    for (const words of [["fanout", "--window", "4"], ["rooms", "--rate", "100"], ["creates"]]) {
        const clients = words[0] === "creates" ? ["--window", "4"] : ["--clients", "40"];
        const { report } = await bench([...words, ...clients, "--processes", "2"]);
        expect(report).toMatchObject({ processes: 2, ...clean });
        expect(report.received).toBe(report.expected);
        expect(report.counted).toBeGreaterThan(0);
    }
});

test("bench says why it cannot begin", async () => {
    const nobody = await muster(["bench", "rooms", "--server", "127.0.0.1:1", "-o", "json"]);
    expect(nobody).toMatchObject({ code: 3, out: "", err: expect.stringMatching(/./) });
    const state = await muster(["bench", "state", "--server", server.client, "--peer", "redis"]);
    expect(state).toMatchObject({ code: 3, err: expect.stringContaining("only Muster") });
    const text = await muster(["bench", "rooms", "--rate", "fast"]);
    expect(text.code).toBe(2);
    const kafka = await muster(["bench", "rooms", "--peer", "kafka"]);
    expect(kafka).toMatchObject({ code: 2, err: expect.stringContaining("muster-proto,nats,redis") });
    // Nothing of this waits for the load: the server is not even asked for.
    const server_ = ["--server", "127.0.0.1:1"];
    const both = await muster(["bench", "fanout", "--lone", "--overload", ...server_]);
    expect(both).toMatchObject({ code: 2, out: "", err: expect.stringMatching(/--overload excludes --lone|--lone excludes --overload/) });
    const dead = await muster(["bench", "rooms", "--server-pid", "4194305", ...server_]);
    expect(dead).toMatchObject({ code: 2, out: "", err: expect.stringMatching(/--server-pid 4194305: there is no such process/) });
    const page = await muster(["bench", "rooms", "--html", "/proc/no/page.html", ...server_]);
    expect(page).toMatchObject({ code: 2, out: "", err: expect.stringMatching(/cannot write \/proc\/no\/page\.html: No such file/) });
    const help = await muster(["bench", "rooms", "--help"]);
    expect(help.out).toMatch(/--peer[^\n]*nats/);
    expect(help.out).not.toMatch(/[\0-\x08]/);
});
