import { expect, test, vi } from "vitest";
import { Mailbox, type Mail } from "./mailbox.ts";

function mailbox(tell: (mail: Mail) => unknown = () => {}) {
    const told: unknown[] = [];
    const acknowledged: number[] = [];
    const box = new Mailbox(
        async (mail) => {
            told.push(mail.data);
            await tell(mail);
        },
        (n) => acknowledged.push(n),
    );
    const take = (n: number | undefined, d: unknown = n) =>
        box.take({ op: "msg", q: "/user/a", m: "mail", ...(n !== undefined && { n }), d }, true);
    return { box, told, acknowledged, take };
}
const settled = () => new Promise((resolve) => setTimeout(resolve));

test("mail is handed on in order and acknowledged once it was taken", async () => {
    const { told, acknowledged, take } = mailbox();
    take(1);
    take(2);
    take(undefined, "unreliable");
    await settled();
    expect(told).toEqual([1, 2, "unreliable"]);
    expect(acknowledged).toEqual([1, 2]);
});

test("the next one waits until the app is done with the one before", async () => {
    let done = () => {};
    const { told, acknowledged, take } = mailbox((mail) =>
        mail.n === 1 ? new Promise<void>((resolve) => (done = resolve)) : undefined,
    );
    take(1);
    take(2);
    await settled();
    expect([told, acknowledged]).toEqual([[1], []]);
    done();
    await settled();
    expect([told, acknowledged]).toEqual([
        [1, 2],
        [1, 2],
    ]);
});

test("mail waits for an app that does not listen yet", async () => {
    const { box, told, acknowledged } = mailbox();
    box.take({ op: "msg", q: "/user/a", m: "mail", n: 1, d: "x" }, false);
    await settled();
    expect([told, acknowledged]).toEqual([[], []]);
    await box.open();
    expect([told, acknowledged]).toEqual([["x"], [1]]);
});

test("what comes again is acknowledged again, but not shown again", async () => {
    const { told, acknowledged, take } = mailbox();
    take(1);
    take(2);
    await settled();
    take(1);
    await settled();
    expect(told).toEqual([1, 2]);
    expect(acknowledged).toEqual([1, 2, 2]);
});

test("a mail that the app does not take is not acknowledged, nor is any after it", async () => {
    vi.useFakeTimers();
    let broken = true;
    const { box, told, acknowledged, take } = mailbox((mail) => {
        if (mail.n === 2 && broken) {
            throw new Error("disk full");
        }
    });
    const drain = () => vi.advanceTimersByTimeAsync(0);
    [1, 2, 3].forEach((n) => take(n));
    await expect(drain()).rejects.toThrow("disk full");
    take(4);
    await drain();
    expect([told, acknowledged]).toEqual([[1, 2], [1]]);
    broken = false;
    box.signedIn();
    [2, 3, 4].forEach((n) => take(n));
    await drain();
    expect([told, acknowledged]).toEqual([
        [1, 2, 2, 3, 4],
        [1, 2, 3, 4],
    ]);
    vi.useRealTimers();
});

test("what an app that does not listen leaves lying is bounded", async () => {
    const { box, told, acknowledged } = mailbox();
    for (let n = 1; n <= 300; n++) {
        box.take({ op: "msg", q: "/user/a", m: "mail", n, d: n }, false);
    }
    await box.open();
    expect(told).toHaveLength(256);
    expect(acknowledged.at(-1)).toBe(256);
});
