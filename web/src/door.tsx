import { useState } from "preact/hooks";
import { Die } from "./dice.tsx";
import { namePattern, pleasantName, roomOf } from "./words.ts";

/** Asks who enters, and which room. */
export function Door(props: { room: string; enter: (user: string, room: string) => void }) {
    const [user, setUser] = useState(pleasantName);
    const [room, setRoom] = useState(props.room.replace("/room/", ""));

    const submit = (event: SubmitEvent) => {
        event.preventDefault();
        props.enter(user, roomOf(`/room/${room.trim()}`));
    };
    return (
        <main class="door">
            <form class="card" onSubmit={submit}>
                <div class="door-dice" aria-hidden="true">
                    <Die eyes={5} />
                    <Die eyes={3} />
                </div>
                <h1>The dice room</h1>
                <p class="quiet">
                    Chat, roll and keep score, over Muster. Open it in a second tab under another
                    name to have company.
                </p>
                <label>
                    Your name
                    <input
                        data-testid="name"
                        name="name"
                        required
                        pattern={namePattern}
                        title="1 to 64 letters, digits or _ . : @ -"
                        autocomplete="off"
                        autofocus
                        value={user}
                        onInput={(event) => setUser(event.currentTarget.value)}
                    />
                </label>
                <label>
                    Room
                    <span class="prefixed">
                        <span aria-hidden="true">/room/</span>
                        <input
                            data-testid="room"
                            name="room"
                            required
                            pattern="[^\/\s]+"
                            title="a name without slashes and spaces"
                            autocomplete="off"
                            value={room}
                            onInput={(event) => setRoom(event.currentTarget.value)}
                        />
                    </span>
                </label>
                <button class="main" data-testid="enter">
                    Enter
                </button>
            </form>
        </main>
    );
}
