import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, test } from "vitest";

/** Returns the bytes of a minified bundle after gzip. */
async function gzipBytes(entry: string): Promise<number> {
    const { outputFiles } = await build({
        entryPoints: [new URL(entry, import.meta.url).pathname],
        bundle: true,
        minify: true,
        format: "esm",
        target: "es2022",
        write: false,
    });
    return gzipSync(outputFiles[0]?.contents ?? "", { level: 9 }).length;
}

test("the core is at most 8 kB after gzip", async () => {
    expect(await gzipBytes("./core/core.ts")).toBeLessThanOrEqual(8_000);
});

test("the whole client with its state mirror is at most 11 kB after gzip", async () => {
    expect(await gzipBytes("./index.ts")).toBeLessThanOrEqual(11_000);
});

test("the protobuf codec is at most 3.3 kB after gzip", async () => {
    expect(await gzipBytes("./proto.ts")).toBeLessThanOrEqual(3_300);
});
