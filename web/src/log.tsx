import { useLayoutEffect, useRef } from "preact/hooks";
import { Die, facesOf } from "./dice.tsx";
import type { Entry, Unsent } from "./dice_room.ts";
import { sumOf } from "./words.ts";

/** So close to the end the log follows what is new. */
const nearPixels = 80;

export function Log(props: { entries: Entry[]; unsent: Unsent[]; user: string }) {
    const { entries, unsent, user } = props;
    const frame = useRef<HTMLDivElement>(null);
    const atEnd = useRef(true);

    const scrolled = () => {
        const { scrollTop, clientHeight, scrollHeight } = frame.current as HTMLDivElement;
        atEnd.current = scrollTop + clientHeight > scrollHeight - nearPixels;
    };
    useLayoutEffect(() => {
        if (atEnd.current && frame.current) {
            frame.current.scrollTop = frame.current.scrollHeight;
        }
    });
    return (
        <div
            class="log"
            role="log"
            tabIndex={0}
            aria-label="Messages"
            ref={frame}
            onScroll={scrolled}
        >
            <ol data-testid="messages">
                {entries.map((entry) => (
                    <Line key={entry.seq} entry={entry} own={entry.from === user} />
                ))}
                {unsent.map(({ id, text }) => (
                    <li key={`unsent ${id}`} class="unsent" data-testid="unsent">
                        <b>{user}</b> {text} <span class="quiet">on its way</span>
                    </li>
                ))}
            </ol>
            {entries.length + unsent.length === 0 && (
                <p class="quiet empty">It is quiet here. Say hello, or roll.</p>
            )}
        </div>
    );
}

function Line({ entry, own }: { entry: Entry; own: boolean }) {
    const time = new Date(entry.time);
    return (
        <li
            class={`${entry.kind} ${own ? "own" : ""}`}
            data-testid="message"
            data-seq={entry.seq}
            data-kind={entry.kind}
        >
            <b>{entry.from}</b>{" "}
            {entry.kind === "chat" ? (
                <span class="text">{entry.text}</span>
            ) : (
                <RollLine roll={entry.roll} />
            )}
            <time class="quiet" dateTime={time.toISOString()} title={`place ${entry.seq}`}>
                {time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}
            </time>
        </li>
    );
}

function RollLine({ roll }: { roll: Extract<Entry, { kind: "dice" }>["roll"] }) {
    const got = roll.got ?? [];
    return (
        <span class="roll">
            rolls {roll.roll}:{" "}
            {got.map((eyes) => (
                <Die eyes={eyes} faces={facesOf(roll.roll)} />
            ))}{" "}
            <strong>{got.length > 0 ? sumOf(roll) : "the dice fell off the table"}</strong>
        </span>
    );
}
