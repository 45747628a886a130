/** The page of `serve --dev` in a real browser, by the eyes and hands of its users. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, BrowserContext } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { call } from "./admin.ts";
import { Command } from "./command.ts";
import { accessibilityFaults, Complaints, startBrowser, Tab } from "./browser.ts";
import { binary, serverOfFile, serverOfTest, temporaryFolder } from "./server.ts";
import { patienceMs } from "./wait.ts";

const server = await serverOfFile();
/** Pictures of the page; kept where MUSTER_SCREENSHOTS says. */
const pictures = process.env["MUSTER_SCREENSHOTS"] ?? temporaryFolder();
mkdirSync(pictures, { recursive: true });

let browser: Browser;
let close: (() => Promise<void>) | undefined;
let context: BrowserContext;
let complaints: Complaints;
beforeAll(async () => {
    ({ browser, close } = await startBrowser());
});
afterAll(() => close?.());
beforeEach(async () => {
    context = await browser.newContext({ viewport: { width: 1200, height: 800 } });
    complaints = new Complaints(context, server.client);
});
afterEach(async ({ task }) => {
    if (task.result?.state === "fail") {
        for (const [index, page] of context.pages().entries()) {
            const path = join(pictures, `failed-${task.id}-${index}.png`);
            await page.screenshot({ path }).catch(() => {});
            console.error(`screenshot: ${path}`);
        }
    }
    await context.close();
    expect(complaints.all).toEqual([]);
});

let lastRoom = 0;
const freshRoom = () => `browser-${++lastRoom}`;

/** Two tabs of one browser, with a name each. */
async function twoTabs(room = freshRoom()) {
    const alice = await Tab.enter(context, server.url, "alice", room);
    const bob = await Tab.enter(context, server.url, "bob", room);
    return { alice, bob, room };
}

test("two tabs talk, and both show the same in the same order", async () => {
    const { alice, bob } = await twoTabs();
    for (let turn = 0; turn < 3; turn++) {
        await alice.say(`alice says ${turn}`);
        await bob.say(`bob says ${turn}`);
    }
    for (const tab of [alice, bob]) {
        await tab.line("alice says 2");
        await tab.line("bob says 2");
    }
    const shown = await alice.lines();
    expect(shown).toHaveLength(6);
    expect(await bob.lines()).toEqual(shown);
    const places = shown.map((line) => parseInt(line, 10));
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(await alice.at("unsent").count()).toBe(0);
});

test("the queue rolls the dice: both tabs show the same, and the same scores", async () => {
    const { alice, bob } = await twoTabs();
    const sums = { alice: 0, bob: 0 };
    for (const [who, button, dice, faces] of [
        ["alice", "roll", 2, 6],
        ["bob", "roll-1d6", 1, 6],
        ["alice", "roll-1d20", 1, 20],
    ] as const) {
        const tab = { alice, bob }[who];
        const before = await tab.at("message").count();
        await tab.at(button).click();
        await tab.at("message").nth(before).waitFor();
        const line = (await tab.lines()).at(-1) as string;
        const [, shown, sum] = /: ([\d,]+)=(\d+)$/.exec(line) as RegExpExecArray;
        const got = (shown as string).split(",").map(Number);
        expect(got).toHaveLength(dice);
        for (const eyes of got) {
            expect(eyes).toBeGreaterThanOrEqual(1);
            expect(eyes).toBeLessThanOrEqual(faces);
        }
        expect(got.reduce((a, b) => a + b)).toBe(Number(sum));
        sums[who] += Number(sum);
        await Promise.all([alice, bob].map((one) => one.score(who, sums[who])));
    }
    expect(await alice.scores()).toEqual(sums);
    expect(await bob.scores()).toEqual(sums);
    expect(await bob.lines()).toEqual(await alice.lines());
});

test("a reload keeps name, room, history and scores", async () => {
    const { alice, bob } = await twoTabs();
    await alice.say("before the reload");
    await alice.at("roll").click();
    await alice.at("score-alice").waitFor();
    await bob.line("before the reload");
    const [lines, scores] = [await alice.lines(), await alice.scores()];
    await bob.page.reload();
    await bob.online();
    await bob.at("message").nth(lines.length - 1).waitFor();
    expect(await bob.lines()).toEqual(lines);
    expect(await bob.scores()).toEqual(scores);
    await bob.say("after the reload");
    await alice.line("after the reload");
});

test("a cut connection comes back, shows what it missed, and sends what waited", async () => {
    const { alice, bob } = await twoTabs();
    await alice.say("while it was there");
    await bob.line("while it was there");
    await alice.at("cut").click();
    await alice.at("status").filter({ hasText: /offline|resuming/ }).waitFor();
    for (const text of ["missed one", "missed two", "missed three"]) {
        await bob.say(text);
        await bob.line(text);
    }
    await bob.at("roll").click();
    await bob.at("score-bob").waitFor();
    await alice.say("said without a cable");
    await alice.at("unsent").filter({ hasText: "said without a cable" }).waitFor();
    expect(await alice.at("message").filter({ hasText: "missed" }).count()).toBe(0);

    await alice.at("uncut").click();
    await alice.online();
    const notice = alice.at("notice").filter({ hasText: "Back in the room" });
    await notice.waitFor();
    expect(await notice.textContent()).toContain("chat: replayed 3 messages");
    expect(await notice.textContent()).toContain("dice: replayed 1 message");
    await Promise.all([alice, bob].map((tab) => tab.line("said without a cable")));
    await alice.at("unsent").waitFor({ state: "detached" });
    expect(await alice.lines()).toEqual(await bob.lines());
    expect(await alice.scores()).toEqual(await bob.scores());
});

test("members come and go before the eyes of the others", async () => {
    const { alice, bob, room } = await twoTabs();
    await alice.at("member-bob").waitFor();
    await bob.at("member-alice").waitFor();
    await bob.at("leave").click();
    await alice.at("member-bob").waitFor({ state: "detached" });
    await bob.at("name").waitFor();
    const carol = await Tab.enter(context, server.url, "carol", room);
    await alice.at("member-carol").waitFor();
    expect(await carol.at("members").locator("li").count()).toBe(2);
});

test("the ways from outside that the page names say something in the room", async () => {
    const { alice } = await twoTabs();
    const ways = await alice.page.locator(".command code").allTextContents();
    expect(ways).toHaveLength(2);
    for (const [index, way] of ways.entries()) {
        const command = way
            .replace(/^muster /, `${binary} `)
            .replace("localhost:7401", server.admin)
            .replace('"hi"', `"hi ${index}"`);
        const { code, err } = await new Command(["sh", "-c", command]).end();
        expect(code, `${command}\n${err}`).toBe(0);
        await alice.line(`hi ${index}`);
    }
    const lines = await alice.lines();
    expect(lines.map((line) => line.replace(/^\d+ /, ""))).toEqual(["chat carol: hi 0", "chat curl: hi 1"]);
});

test("who is not in the room any more is told so, and may enter again", async () => {
    const { alice, bob, room } = await twoTabs();
    await call(server, "DELETE", `/v1/queues/room/${room}`);
    for (const tab of [alice, bob]) {
        await tab.at("status").filter({ hasText: "outside" }).waitFor();
        expect(await tab.at("status-text").textContent()).toContain("not in the room any more");
        expect(await tab.at("chat-send").isDisabled()).toBe(true);
        await tab.at("rejoin").click();
        await tab.online();
    }
    await alice.say("here again");
    await bob.line("here again");
});

test("whoever enters under one's name takes the room, and gives it back", async () => {
    const room = freshRoom();
    const first = await Tab.enter(context, server.url, "dora", room);
    const second = await Tab.enter(context, server.url, "dora", room);
    await first.at("status").filter({ hasText: "closed" }).waitFor();
    expect(await first.at("status-text").textContent()).toContain("another window");
    await first.at("again").click();
    await first.online();
    await second.at("status").filter({ hasText: "closed" }).waitFor();
});

test("the keyboard is enough", async () => {
    const tab = new Tab(await context.newPage());
    const { keyboard } = tab.page;
    const seesFocus = () => tab.page.evaluate(() => document.activeElement?.matches(":focus-visible"));
    await tab.page.goto(server.url);
    await tab.at("name").and(tab.page.locator(":focus")).waitFor();
    await keyboard.press("Control+A");
    await keyboard.type("kim");
    await keyboard.press("Tab");
    await keyboard.press("Control+A");
    await keyboard.type(freshRoom());
    await keyboard.press("Tab");
    expect(await seesFocus()).toBe(true);
    await keyboard.press("Enter");
    await tab.online();
    await tab.at("chat-input").and(tab.page.locator(":focus")).waitFor();
    await keyboard.type("no mouse");
    await keyboard.press("Enter");
    await tab.line("no mouse");
    await keyboard.press("Tab");
    await keyboard.press("Tab");
    await tab.at("roll").and(tab.page.locator(":focus")).waitFor();
    expect(await seesFocus()).toBe(true);
    await keyboard.press("Space");
    await tab.at("score-kim").waitFor();

    // Every control can be reached, and the way leads out again.
    const reached = new Set<string>();
    const controls = await tab.page.locator("button, input").count();
    for (let step = 0; step < 2 * controls + 6; step++) {
        await keyboard.press("Tab");
        const id = await tab.page.evaluate(() => {
            const { dataset, ariaLabel, tagName } = document.activeElement as HTMLElement;
            return dataset["testid"] ?? ariaLabel ?? tagName;
        });
        reached.add(id);
    }
    for (const id of ["leave", "cut", "chat-input", "chat-send", "roll", "roll-1d6", "roll-1d20"]) {
        expect(reached).toContain(id);
    }
});

for (const scheme of ["light", "dark"] as const) {
    test(`in ${scheme}, by day and by night, everything has a name and can be read`, async () => {
        const tab = new Tab(await context.newPage());
        await tab.page.emulateMedia({ colorScheme: scheme });
        await tab.page.goto(server.url);
        await tab.at("enter").waitFor();
        expect(await accessibilityFaults(tab.page)).toEqual([]);
        await tab.page.screenshot({ path: join(pictures, `door-${scheme}.png`) });

        const room = freshRoom();
        const { alice, bob } = await twoTabs(room);
        await alice.page.emulateMedia({ colorScheme: scheme });
        await bob.say("What do you have?");
        await bob.at("roll").click();
        await alice.at("score-bob").waitFor();
        await alice.at("roll").click();
        await alice.at("score-alice").waitFor();
        await alice.at("cut").click();
        await alice.at("notice").first().waitFor();
        await alice.say("Are you there?");
        await alice.at("unsent").waitFor();
        expect(await accessibilityFaults(alice.page)).toEqual([]);
        writeFileSync(join(pictures, `room-${scheme}.png`), await alice.page.screenshot());
        const paper = await alice.page.evaluate(
            () => getComputedStyle(document.body).backgroundColor,
        );
        const brightness = Math.max(...(paper.match(/\d+/g) as string[]).map(Number));
        expect(brightness > 128).toBe(scheme === "light");

        await alice.at("uncut").click();
        await bob.line("Are you there?");
        await alice.page.setViewportSize({ width: 360, height: 700 });
        expect(await accessibilityFaults(alice.page)).toEqual([]);
        writeFileSync(join(pictures, `phone-${scheme}.png`), await alice.page.screenshot());
    });
}

test("the page goes on by itself when its server was started again", async () => {
    const first = await serverOfTest();
    complaints = new Complaints(context, first.client);
    const tab = await Tab.enter(context, first.url, "nora", freshRoom());
    await tab.say("in the first life");
    await tab.line("in the first life");
    await first.stop();
    await tab.at("status").filter({ hasText: /offline|resuming/ }).waitFor();
    await serverOfTest({ folder: first.folder, client: first.client });
    await tab.at("notice").filter({ hasText: "begins anew" }).waitFor({ timeout: 2 * patienceMs });
    await tab.online();
    await tab.say("in the second life");
    await tab.line("in the second life");
    expect((await tab.lines()).join()).not.toContain("in the first life");
    // The browser itself complains of what it could not reach meanwhile.
    complaints.all.splice(0);
});
