/** Names and sentences: what the page says, without the page. */
import type { Joined, MusterError, Status } from "@muster/client";

const qualities = [
    "amber",
    "brisk",
    "calm",
    "clever",
    "gentle",
    "jolly",
    "lucky",
    "merry",
    "quiet",
];
const animals = ["badger", "finch", "fox", "heron", "lynx", "marten", "otter", "robin", "wren"];

/** Returns a name to begin with, as `lucky-otter-27`. `chance` gives numbers in [0, 1). */
export function pleasantName(chance: () => number = Math.random): string {
    const pick = (words: string[]) => words[Math.floor(chance() * words.length)];
    return `${pick(qualities)}-${pick(animals)}-${10 + Math.floor(chance() * 90)}`;
}

/** What a user's name may be: the server's rule for user ids. */
export const namePattern = "[A-Za-z0-9_.:@\\-]{1,64}";

export const defaultRoom = "/room/lobby";

/** Returns the room that the address names, as `#/room/attic`, else the lobby. */
export function roomOf(hash: string): string {
    let name = hash.replace(/^#/, "");
    try {
        name = decodeURIComponent(name);
    } catch {
        // Then it is meant as it stands.
    }
    return /^\/room\/[^/]+$/.test(name) ? name : defaultRoom;
}

/** Returns what a (re)join says, as `chat: replayed 3 messages · scores: snapshot`. */
export function resumeText(resume: Joined["resume"]): string {
    const told = Object.entries(resume).map(([mount, what]) => {
        const count = /^replayed (\d+)$/.exec(what)?.[1];
        const gap = /^gap (\d+)\.\.(\d+)$/.exec(what);
        if (count !== undefined) {
            return `${mount}: replayed ${count} ${count === "1" ? "message" : "messages"}`;
        }
        return gap ? `${mount}: places ${gap[1]} to ${gap[2]} are lost` : `${mount}: ${what}`;
    });
    return told.join(" · ");
}

/** Returns what a status means to a person, who may be on line and yet `outside` the room. */
export function statusText(status: Status, outside?: string): string {
    const why = status.reason ? `${status.reason.message} (${status.reason.code})` : "";
    switch (status.state) {
        case "online":
            return outside ?? "Everything you do reaches the room.";
        case "connecting":
            return "Signing in.";
        case "resuming":
            return "The connection was lost; another one is being made.";
        case "offline": {
            const seconds = Math.ceil((status.retryInMs ?? 0) / 1000);
            return `${why || "No connection"}. Trying again within ${Math.max(1, seconds)} s.`;
        }
        case "closed":
            return status.reason?.code === "M1003"
                ? "You entered under this name in another window, which has the room now."
                : why || "You left.";
    }
}

/** Returns why something did not go through. */
export function failureText(what: string, error: unknown): string {
    const { code, message, outcome } = error as Partial<MusterError>;
    return code ? `${what}: ${outcome}, ${message} (${code})` : `${what}: ${String(error)}`;
}

export interface Roll {
    roll: string;
    /** What the dice show; the server adds it. */
    got?: number[];
}

export function sumOf(roll: Roll): number {
    return (roll.got ?? []).reduce((sum, eyes) => sum + eyes, 0);
}
