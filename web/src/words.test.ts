import type { Status } from "@muster/client";
import { expect, test } from "vitest";
import {
    failureText,
    namePattern,
    pleasantName,
    resumeText,
    roomOf,
    statusText,
    sumOf,
} from "./words.ts";

test("a name to begin with is one that the server takes", () => {
    const taken = new RegExp(`^${namePattern}$`, "v");
    for (const chance of [0, 0.3, 0.7, 0.9999]) {
        expect(pleasantName(() => chance)).toMatch(taken);
    }
    expect("no spaces").not.toMatch(taken);
    expect("alice@example.com").toMatch(taken);
});

test("the address names the room; anything else is the lobby", () => {
    expect(roomOf("#/room/attic")).toBe("/room/attic");
    expect(roomOf("#/room/gr%C3%BCn")).toBe("/room/grün");
    for (const other of ["", "#", "#/room/", "#/user/alice", "#/room/a/b", "#%"]) {
        expect(roomOf(other)).toBe("/room/lobby");
    }
});

test("a resume is told in words", () => {
    const resume = { chat: "replayed 3", dice: "replayed 1", scores: "snapshot" } as const;
    expect(resumeText(resume)).toBe(
        "chat: replayed 3 messages · dice: replayed 1 message · scores: snapshot",
    );
    expect(resumeText({ chat: "gap 18..25" })).toBe("chat: places 18 to 25 are lost");
});

test("every status has a sentence", () => {
    const reason = { code: "M1006", message: "no byte for too long" };
    const statuses: [Status, RegExp][] = [
        [{ state: "connecting" }, /Signing in/],
        [{ state: "online" }, /reaches the room/],
        [{ state: "resuming", reason }, /another one/],
        [{ state: "offline", reason, retryInMs: 1200 }, /no byte for too long \(M1006\).*2 s/],
        [{ state: "closed", reason: { code: "M1003", message: "" } }, /another window/],
        [{ state: "closed", reason }, /M1006/],
        [{ state: "closed" }, /You left/],
    ];
    for (const [status, sentence] of statuses) {
        expect(statusText(status)).toMatch(sentence);
    }
    expect(statusText({ state: "online" }, "You are not here.")).toBe("You are not here.");
    expect(statusText({ state: "connecting" }, "You are not here.")).toMatch(/Signing in/);
});

test("a failure names its outcome and code", () => {
    const error = { code: "M2022", message: "too fast", outcome: "not-sent" };
    expect(failureText("Roll", error)).toBe("Roll: not-sent, too fast (M2022)");
    expect(failureText("Roll", new TypeError("odd"))).toBe("Roll: TypeError: odd");
});

test("the sum of a roll is what the dice show", () => {
    expect(sumOf({ roll: "2d6", got: [3, 5] })).toBe(8);
    expect(sumOf({ roll: "2d6" })).toBe(0);
});
