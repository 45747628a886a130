/** Where the eyes of a die stand, on a grid of 3 x 3. */
const places: Record<number, [x: number, y: number][]> = {
    1: [[2, 2]],
    2: [
        [1, 1],
        [3, 3],
    ],
    3: [
        [1, 1],
        [2, 2],
        [3, 3],
    ],
    4: [
        [1, 1],
        [3, 1],
        [1, 3],
        [3, 3],
    ],
    5: [
        [1, 1],
        [3, 1],
        [2, 2],
        [1, 3],
        [3, 3],
    ],
    6: [
        [1, 1],
        [3, 1],
        [1, 2],
        [3, 2],
        [1, 3],
        [3, 3],
    ],
};

/** One die; with `faces` other than 6, or eyes that no die has, it shows a number. */
export function Die({ eyes, faces = 6 }: { eyes: number; faces?: number }) {
    const spots = faces === 6 ? places[eyes] : undefined;
    return (
        <svg class="die" viewBox="0 0 40 40" role="img" aria-label={String(eyes)}>
            <rect x="1.5" y="1.5" width="37" height="37" rx="9" />
            {spots ? (
                spots.map(([x, y]) => <circle cx={x * 10} cy={y * 10} r="3.6" />)
            ) : (
                <text x="20" y="26" text-anchor="middle">
                    {eyes}
                </text>
            )}
        </svg>
    );
}

/** How many faces the dice of `2d20` have. */
export function facesOf(roll: string): number {
    return Number(/d(\d+)/.exec(roll)?.[1] ?? 6);
}
