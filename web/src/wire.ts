/** A network cable that the page can pull: what the client connects through. */

type Handler = ((event: never) => void) | null;

/** While it is cut, open sockets drop and new ones do not come about. */
export class Wire {
    #cut = false;
    readonly #open = new Set<() => void>();

    get isCut(): boolean {
        return this.#cut;
    }

    cut(): void {
        this.#cut = true;
        for (const drop of [...this.#open]) {
            drop();
        }
    }

    mend(): void {
        this.#cut = false;
    }

    /** The constructor for `connect()`. */
    get WebSocket() {
        const wire = this;
        return class {
            onopen: Handler = null;
            onmessage: Handler = null;
            onclose: Handler = null;
            onerror: Handler = null;
            readonly #real: WebSocket | undefined;

            constructor(url: string, protocols: string[]) {
                if (wire.isCut) {
                    setTimeout(() => this.#drop(), 300);
                    return;
                }
                const drop = () => this.#drop();
                const real = new WebSocket(url, protocols);
                real.onopen = (event) => this.onopen?.(event as never);
                real.onmessage = (event) => this.onmessage?.(event as never);
                real.onclose = (event) => {
                    wire.#open.delete(drop);
                    this.onclose?.(event as never);
                };
                this.#real = real;
                wire.#open.add(drop);
            }

            send(text: string): void {
                this.#real?.send(text);
            }

            close(code?: number, reason?: string): void {
                this.#real?.close(code, reason);
            }

            /** Both ends lose each other without a word, as with a real cable. */
            #drop(): void {
                if (this.#real) {
                    this.#real.onmessage = null;
                    this.#real.onclose = null;
                    this.#real.close();
                }
                this.onclose?.({ code: 1006, reason: "the cable is pulled" } as never);
            }
        };
    }
}
