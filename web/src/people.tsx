import type { Members as MembersMap, StateMount } from "@muster/client";

/** The score board, the best first. */
export function Scores({ scores, user }: { scores: StateMount<number>; user: string }) {
    const rows = [...scores.entries()].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
    return (
        <section class="card">
            <h2>Scores</h2>
            <ol class="scores" data-testid="scores">
                {rows.map(([name, score]) => (
                    <li key={name} class={name === user ? "own" : ""} data-testid={`score-${name}`}>
                        <span class="name">{name}</span> <strong>{String(score)}</strong>
                    </li>
                ))}
                {rows.length === 0 && <li class="quiet">Nobody has rolled yet.</li>}
            </ol>
        </section>
    );
}

/** Who is in, and who is only away for the moment. */
export function Members({ members, user }: { members: MembersMap; user: string }) {
    const rows = [...members].sort((a, b) => a[0].localeCompare(b[0]));
    return (
        <section class="card">
            <h2>
                Here <span class="quiet">{members.count}</span>
            </h2>
            <ul class="members" data-testid="members">
                {rows.map(([name, info]) => {
                    const away = info.online === false;
                    return (
                        <li key={name} class={away ? "away" : ""} data-testid={`member-${name}`}>
                            <span class="dot" aria-hidden="true" />
                            <span class="name">{name}</span>{" "}
                            <span class="quiet">{away ? "away" : name === user ? "you" : ""}</span>
                        </li>
                    );
                })}
            </ul>
        </section>
    );
}
