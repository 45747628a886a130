/** The page: the door, then the room. */
import { useEffect, useState } from "preact/hooks";
import { Door } from "./door.tsx";
import { Room } from "./room.tsx";
import { roomOf } from "./words.ts";

/** Remembered for this tab only, so that two tabs can be two people. */
const storageKey = "muster.user";

export function App() {
    const [user, setUser] = useState(sessionStorage.getItem(storageKey) ?? "");
    const [room, setRoom] = useState(roomOf(location.hash));
    const [visit, setVisit] = useState(1);

    useEffect(() => {
        const follow = () => setRoom(roomOf(location.hash));
        addEventListener("hashchange", follow);
        return () => removeEventListener("hashchange", follow);
    }, []);

    const enter = (name: string, where: string) => {
        sessionStorage.setItem(storageKey, name);
        location.hash = where;
        setRoom(where);
        setUser(name);
    };
    const leave = () => {
        sessionStorage.removeItem(storageKey);
        setUser("");
    };
    if (!user) {
        return <Door room={room} enter={enter} />;
    }
    const again = () => setVisit(visit + 1);
    return <Room key={`${user} ${room} ${visit}`} {...{ user, room, leave, again }} />;
}
