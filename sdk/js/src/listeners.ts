/** Who wants to be told of what. A listener that throws harms nobody but its own app's logs. */
export class Listeners<Events extends { [name in keyof Events]: unknown[] }> {
    readonly #lists = new Map<keyof Events, Set<(...args: never[]) => unknown>>();

    /** Returns a function that ends it. */
    on<Name extends keyof Events>(
        name: Name,
        listener: (...args: Events[Name]) => unknown,
    ): () => void {
        const list = this.#lists.get(name) ?? new Set();
        this.#lists.set(name, list.add(listener));
        return () => void list.delete(listener);
    }

    count(name: keyof Events): number {
        return this.#lists.get(name)?.size ?? 0;
    }

    /** Returns what the listeners returned. */
    tell<Name extends keyof Events>(name: Name, ...args: Events[Name]): unknown[] {
        return [...(this.#lists.get(name) ?? [])].map((listener) => {
            try {
                return listener(...(args as unknown as never[]));
            } catch (error) {
                throwLater(error);
                return undefined;
            }
        });
    }
}

/** Reports the app's own error as its uncaught one, not in the middle of our work. */
export function throwLater(error: unknown): void {
    setTimeout(() => {
        throw error;
    });
}
