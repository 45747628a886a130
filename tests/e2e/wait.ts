/** Bounded waits: a test waits for an event, never for a while. */

/** Longer than anything takes on a busy machine under sanitizers; nothing waits so long if all is well. */
export const patienceMs = 20_000;

/** Returns what `promise` resolves to. Errors: after `ms`, one that says what was waited for. */
export async function within<T>(
    promise: Promise<T>,
    what: string | (() => string),
    ms = patienceMs,
): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => {
            reject(new Error(`${ms} ms without ${typeof what === "string" ? what : what()}`));
        }, ms);
    });
    try {
        return await Promise.race([promise, late]);
    } finally {
        clearTimeout(timer);
    }
}

/** Things that arrive one by one, and those who wait for one of them. */
export class Arrivals<T> {
    readonly all: T[] = [];
    #ended: Error | undefined;
    readonly #taken = new Set<number>();
    #waiting: (() => void)[] = [];

    push(one: T): void {
        this.all.push(one);
        this.#wake();
    }

    /** Nothing comes any more: whoever waits fails with `why`. */
    end(why: Error): void {
        this.#ended ??= why;
        this.#wake();
    }

    /**
     * Returns the first one that fits and was not returned before, waiting for it if need be.
     * Errors: none came in time, or none can come any more.
     */
    async next<U extends T>(
        fits: ((one: T) => one is U) | ((one: T) => boolean) = () => true,
        what = "what was waited for",
        ms = patienceMs,
    ): Promise<U> {
        const search = async (): Promise<T> => {
            for (;;) {
                const index = this.all.findIndex((one, i) => !this.#taken.has(i) && fits(one));
                if (index >= 0) {
                    this.#taken.add(index);
                    return this.all[index] as T;
                }
                if (this.#ended) {
                    throw this.#ended;
                }
                await new Promise<void>((resolve) => this.#waiting.push(resolve));
            }
        };
        const seen = () => `${what}; came: ${this.all.slice(-20).map(shown).join("\n  ") || "nothing"}`;
        return (await within(search(), seen, ms)) as U;
    }

    #wake(): void {
        for (const wake of this.#waiting.splice(0)) {
            wake();
        }
    }
}

function shown(one: unknown): string {
    return typeof one === "string" ? one : JSON.stringify(one);
}
