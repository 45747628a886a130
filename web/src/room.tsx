import { useEffect, useRef, useState } from "preact/hooks";
import { DiceRoom } from "./dice_room.ts";
import { Log } from "./log.tsx";
import { Outside } from "./outside.tsx";
import { Members, Scores } from "./people.tsx";
import { statusText } from "./words.ts";

const dice = ["2d6", "1d6", "1d20"];

/** The WebSocket of the server that this page came from. */
function endpoint(): string {
    return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/connect`;
}

/** A visit as state: shows again whatever changes, at most once per frame. */
function useVisit(user: string, room: string): DiceRoom | undefined {
    const [shown, show] = useState<{ visit: DiceRoom }>();
    useEffect(() => {
        let due = false;
        const changed = () => {
            if (!due) {
                due = true;
                queueMicrotask(() => {
                    due = false;
                    show({ visit });
                });
            }
        };
        const visit = new DiceRoom(endpoint(), user, room, changed);
        changed();
        return () => visit.close();
    }, [user, room]);
    return shown?.visit;
}

interface Props {
    user: string;
    room: string;
    /** Back to the door. */
    leave: () => void;
    /** Another visit under the same name. */
    again: () => void;
}

export function Room({ user, room, leave, again }: Props) {
    const visit = useVisit(user, room);
    useEffect(() => {
        document.title = `${room} · Muster`;
    }, [room]);
    if (!visit) {
        return null;
    }
    const goOut = async () => {
        await visit.leave();
        leave();
    };
    return (
        <div class="page">
            <header>
                <h1>
                    <span class="quiet">Dice room</span> {room}
                </h1>
                <Status visit={visit} again={again} />
                <button class="plain" data-testid="leave" onClick={goOut}>
                    Leave
                </button>
            </header>
            <main class="columns">
                <section class="card talk" aria-label="What is said and rolled">
                    <Log entries={visit.entries} unsent={visit.unsent} user={user} />
                    <Composer visit={visit} />
                </section>
                <aside>
                    <Scores scores={visit.scores} user={user} />
                    <Members members={visit.members} user={user} />
                    <Notices visit={visit} />
                    <Outside room={room} />
                </aside>
            </main>
        </div>
    );
}

function Status({ visit, again }: { visit: DiceRoom; again: () => void }) {
    const { status, isCut } = visit;
    const closed = status.state === "closed";
    const outside = status.state === "online" && visit.outside !== undefined;
    return (
        <div class="connection">
            <span class={`status ${outside ? "offline" : status.state}`} role="status">
                <span class="dot" aria-hidden="true" />
                <span data-testid="status">{outside ? "outside" : status.state}</span>
            </span>
            <span class="quiet explained" data-testid="status-text">
                {statusText(status, visit.outside)}
            </span>
            {closed ? (
                <button data-testid="again" onClick={again}>
                    Take it here
                </button>
            ) : outside ? (
                <button class="main" data-testid="rejoin" onClick={() => visit.enter()}>
                    Enter again
                </button>
            ) : isCut ? (
                <button class="main" data-testid="uncut" onClick={() => visit.mend()}>
                    Plug the cable in again
                </button>
            ) : (
                <button data-testid="cut" onClick={() => visit.cut()}>
                    Cut the connection
                </button>
            )}
        </div>
    );
}

function Composer({ visit }: { visit: DiceRoom }) {
    const [text, setText] = useState("");
    const input = useRef<HTMLInputElement>(null);
    const closed = visit.status.state === "closed" || visit.outside !== undefined;
    useEffect(() => input.current?.focus(), []);
    const submit = (event: SubmitEvent) => {
        event.preventDefault();
        if (text.trim()) {
            visit.say(text.trim());
            setText("");
        }
    };
    return (
        <div class="composer">
            <form onSubmit={submit}>
                <input
                    data-testid="chat-input"
                    aria-label="Say something"
                    placeholder={`Say something as ${visit.user}`}
                    autocomplete="off"
                    ref={input}
                    maxLength={2000}
                    disabled={closed}
                    value={text}
                    onInput={(event) => setText(event.currentTarget.value)}
                />
                <button data-testid="chat-send" disabled={closed}>
                    Send
                </button>
            </form>
            <div class="rolls" role="group" aria-label="Dice">
                {dice.map((roll, index) => (
                    <button
                        class={index === 0 ? "main" : ""}
                        data-testid={index === 0 ? "roll" : `roll-${roll}`}
                        disabled={closed}
                        onClick={() => visit.roll(roll)}
                    >
                        Roll {roll}
                    </button>
                ))}
            </div>
        </div>
    );
}

function Notices({ visit }: { visit: DiceRoom }) {
    return (
        <section class="card" aria-label="What happened to the connection">
            <h2>Happenings</h2>
            <ul class="notices" data-testid="notices" aria-live="polite">
                {visit.notices.map(({ id, time, text, kind }) => (
                    <li key={id} class={kind} data-testid="notice">
                        <time class="quiet">{new Date(time).toLocaleTimeString()}</time> {text}
                    </li>
                ))}
                {visit.notices.length === 0 && (
                    <li class="quiet">
                        Nothing yet. Cut the connection, let others talk, plug it in again: nothing
                        is lost.
                    </li>
                )}
            </ul>
        </section>
    );
}
