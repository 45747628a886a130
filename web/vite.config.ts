import { defineConfig } from "vite";

export default defineConfig({
    base: "./",
    build: {
        target: "es2022",
        // The server sends `default-src 'self'`: nothing inline, no data: address.
        modulePreload: { polyfill: false },
        assetsInlineLimit: 0,
    },
    server: {
        // `npm run dev` beside `muster serve --dev`.
        proxy: { "/connect": { target: "ws://localhost:7400", ws: true } },
    },
});
