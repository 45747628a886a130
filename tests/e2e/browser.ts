/** A real browser, Debian's Chromium or what MUSTER_CHROMIUM names, that talks to nobody but the server. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { patienceMs } from "./wait.ts";

const executablePath = process.env["MUSTER_CHROMIUM"] ?? "/usr/bin/chromium";

/** Starts a browser; it ends with `close`. */
export async function startBrowser(): Promise<{ browser: Browser; close: () => Promise<void> }> {
    if (!existsSync(executablePath)) {
        throw new Error(`no browser at ${executablePath}: apt install chromium, or MUSTER_CHROMIUM`);
    }
    const server = await chromium.launchServer({
        executablePath,
        args: [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            // Whoever asks for another host learns that there is none.
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        ],
    });
    shareOurTurn(server.process().pid as number);
    const browser = await chromium.connect(server.wsEndpoint());
    return { browser, close: () => server.close() };
}

/**
 * The browser has a session of its own, and the kernel gives time to sessions. On a busy machine
 * where ours was given more than the usual, the browser would starve beside us.
 */
function shareOurTurn(pid: number): void {
    try {
        const ours = /nice (-?\d+)/.exec(readFileSync("/proc/self/autogroup", "utf8"))?.[1] ?? "0";
        if (ours !== "0") {
            writeFileSync(`/proc/${pid}/autogroup`, ours);
        }
    } catch {
        // Not every kernel has it, and not everybody may.
    }
}

/** All that a page must not do. */
export class Complaints {
    readonly all: string[] = [];

    constructor(context: BrowserContext, host: string) {
        const watch = (url: string, what: string) => {
            if (new URL(url).host !== host) {
                this.all.push(`${what} to another host: ${url}`);
            }
        };
        context.on("request", (request) => watch(request.url(), "request"));
        context.on("response", (response) => {
            if (response.status() >= 400) {
                this.all.push(`${response.status()} for ${response.url()}`);
            }
        });
        context.on("console", (message) => {
            if (message.type() === "error" || message.type() === "warning") {
                this.all.push(`console: ${message.text()}`);
            }
        });
        context.on("weberror", (error) => this.all.push(`uncaught: ${error.error().stack}`));
        context.on("page", (page) => {
            page.on("websocket", (socket) => watch(socket.url(), "WebSocket"));
        });
    }
}

/** One tab with the dice room. */
export class Tab {
    readonly page: Page;

    constructor(page: Page) {
        page.setDefaultTimeout(patienceMs);
        this.page = page;
    }

    /** Goes in by the door, with the mouse. */
    static async enter(context: BrowserContext, url: string, user: string, room: string): Promise<Tab> {
        const tab = new Tab(await context.newPage());
        await tab.page.goto(`${url}/#/room/${room}`);
        await tab.at("name").fill(user);
        await tab.at("enter").click();
        await tab.online();
        await tab.at(`member-${user}`).waitFor();
        return tab;
    }

    at(testId: string) {
        return this.page.getByTestId(testId);
    }

    async online(): Promise<void> {
        await this.at("status").filter({ hasText: /^online$/ }).waitFor();
    }

    async say(text: string): Promise<void> {
        await this.at("chat-input").fill(text);
        await this.at("chat-send").click();
    }

    /** Waits for a line of the log that has `text`; returns its place in the queue. */
    async line(text: string): Promise<number> {
        const line = this.at("message").filter({ hasText: text }).first();
        await line.waitFor();
        return Number(await line.getAttribute("data-seq"));
    }

    /** The log as it is shown: place, kind, who, and what was said or what the dice show. */
    lines(): Promise<string[]> {
        return this.at("message").evaluateAll((lines) =>
            lines.map((line) => {
                const { seq, kind } = (line as HTMLElement).dataset;
                const who = line.querySelector("b")?.textContent;
                const dice = [...line.querySelectorAll(".die")].map((die) => die.ariaLabel);
                const sum = line.querySelector("strong")?.textContent;
                const what = line.querySelector(".text")?.textContent ?? `${dice}=${sum}`;
                return `${seq} ${kind} ${who}: ${what}`;
            }),
        );
    }

    /** The score board as it is shown. */
    async scores(): Promise<Record<string, number>> {
        const rows = await this.at("scores").locator("li:has(strong)").evaluateAll((found) =>
            found.map((row) => [
                row.querySelector(".name")?.textContent ?? "",
                Number(row.querySelector("strong")?.textContent),
            ]),
        );
        return Object.fromEntries(rows);
    }

    /** Waits until a score is shown. */
    async score(user: string, points: number): Promise<void> {
        await this.at(`score-${user}`).filter({ hasText: new RegExp(`${points}$`) }).waitFor();
    }
}

/** What a screen reader would not find, and what the eye could hardly read, in the whole page. */
export async function accessibilityFaults(page: Page): Promise<string[]> {
    const session = await page.context().newCDPSession(page);
    const { nodes } = await session.send("Accessibility.getFullAXTree");
    await session.detach();
    const named = ["button", "textbox", "link", "img", "log", "group", "region", "heading"];
    const nameless = nodes
        .filter((node) => !node.ignored && named.includes(String(node.role?.value)))
        .filter((node) => !node.name?.value)
        .map((node) => `a ${node.role?.value} without a name`);
    return [...nameless, ...(await page.evaluate(structureFaults)), ...(await page.evaluate(contrastFaults))];
}

/** Runs in the page. */
function structureFaults(): string[] {
    const faults: string[] = [];
    const one = (selector: string) => {
        const count = document.querySelectorAll(selector).length;
        if (count !== 1) {
            faults.push(`${count} of ${selector}`);
        }
    };
    one("h1");
    one("main");
    if (!document.documentElement.lang) {
        faults.push("no language");
    }
    if (!document.title) {
        faults.push("no title");
    }
    const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
    if (new Set(ids).size !== ids.length) {
        faults.push("an id twice");
    }
    for (const element of document.querySelectorAll<HTMLElement>("button, input")) {
        const { width, height } = element.getBoundingClientRect();
        if (width < 24 || height < 24) {
            faults.push(`too small to hit: ${element.outerHTML.slice(0, 80)}`);
        }
    }
    if (document.documentElement.scrollWidth > innerWidth) {
        faults.push("the page scrolls sideways");
    }
    return faults;
}

/** Runs in the page: text with less than 4.5:1 (3:1 where it is large) on what it stands on. */
function contrastFaults(): string[] {
    type Colour = [red: number, green: number, blue: number, alpha: number];
    const colourOf = (text: string): Colour => {
        const [red = 0, green = 0, blue = 0, alpha = 1] = text.match(/[\d.]+/g)?.map(Number) ?? [];
        return [red, green, blue, alpha];
    };
    const over = (top: Colour, below: Colour): Colour => {
        const mix = (i: 0 | 1 | 2) => top[i] * top[3] + below[i] * (1 - top[3]);
        return [mix(0), mix(1), mix(2), 1];
    };
    const background = (element: Element | null): Colour => {
        if (!element) {
            return [255, 255, 255, 1];
        }
        const own = colourOf(getComputedStyle(element).backgroundColor);
        return own[3] === 1 ? own : over(own, background(element.parentElement));
    };
    const luminance = ([red, green, blue]: Colour) => {
        const linear = (channel: number) => {
            const part = channel / 255;
            return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        };
        return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
    };
    const faults: string[] = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const element = node.parentElement as Element;
        const text = node.textContent?.trim();
        // Text in pictures has its own background; a disabled control may be pale.
        const exempt = element.closest("svg, noscript, script, style, :disabled");
        if (!text || exempt || !element.checkVisibility()) {
            continue;
        }
        const style = getComputedStyle(element);
        const behind = background(element);
        const front = over(colourOf(style.color), behind);
        const [dark, light] = [luminance(front), luminance(behind)].sort((a, b) => a - b) as [
            number,
            number,
        ];
        const ratio = (light + 0.05) / (dark + 0.05);
        const size = parseFloat(style.fontSize);
        const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
        if (ratio < (large ? 3 : 4.5)) {
            faults.push(`contrast ${ratio.toFixed(2)} of "${text.slice(0, 40)}"`);
        }
    }
    return faults;
}
