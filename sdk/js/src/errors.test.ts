import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { MusterError } from "./errors.ts";

test("an error tells outcome, code, whether to try again, and where it is explained", () => {
    const error = new MusterError({
        outcome: "rejected",
        code: "M3009",
        message: "no",
        current: 21,
    });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
        name: "MusterError",
        message: "no",
        outcome: "rejected",
        code: "M3009",
        retryable: false,
        current: 21,
        docs: "docs/reference/errors.md#m3009",
    });
});

test("what is retryable is what the registry of codes says", () => {
    const registry = readFileSync(
        new URL("../../../docs/reference/errors.md", import.meta.url),
        "utf8",
    );
    const told = [...registry.matchAll(/^### (M\d{4}).*?^- Try again: (yes|no)/gms)];
    expect(told.length).toBeGreaterThan(30);
    for (const [, code = "", again] of told) {
        const error = new MusterError({ outcome: "rejected", code, message: "" });
        expect(error.retryable, code).toBe(again === "yes");
    }
});
