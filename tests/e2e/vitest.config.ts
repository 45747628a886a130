import { defineConfig } from "vitest/config";

export default defineConfig({
    test: {
        include: ["*.test.ts"],
        // Processes, not threads: a server dies with the process that started it.
        pool: "forks",
        maxWorkers: 2,
        // Every wait in the tests is shorter and says what it waited for.
        testTimeout: 60_000,
        hookTimeout: 60_000,
    },
});
