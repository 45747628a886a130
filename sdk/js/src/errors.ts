/**
 * What became of a request that failed:
 * - `rejected`: the server said no. It had no effect and never will.
 * - `not-sent`: it never left this client. It had no effect and never will.
 * - `unknown`: it was sent, and its queue or this client's identity ended before an answer came.
 */
export type Outcome = "rejected" | "not-sent" | "unknown";

/** A failure as the core tells it; the shell makes a {@link MusterError} of it. */
export interface Failure {
    outcome: Outcome;
    code: string;
    message: string;
    current?: number | undefined;
}

// Those of docs/reference/errors.md, and M1040 of our own.
const retryableCodes = /M(10(0[4-8]|13|33|40)|202\d)/;

/** Can the same request, unchanged, succeed later? */
export function isRetryable(code: string): boolean {
    return retryableCodes.test(code);
}

/**
 * Why a request failed. `switch` on {@link code}, which never changes its meaning, and not on the
 * message, which may.
 *
 * ```ts
 * try {
 *     await scores.set("alice", 7, { ifSeq: 41 });
 * } catch (error) {
 *     if (error instanceof MusterError && error.code === "M3009") {
 *         retryWith(error.current); // the seq at which the key last changed
 *     }
 * }
 * ```
 */
export class MusterError extends Error {
    override readonly name = "MusterError";
    /** As `M2003`; `muster explain M2003` tells cause and fix. */
    readonly code: string;
    readonly outcome: Outcome;
    /** Can the same request, unchanged, succeed later? */
    readonly retryable: boolean;
    /** Where the code is explained, in the documentation of Muster. */
    readonly docs: string;
    /** M3009 (conflict): the `seq` at which the key last changed, 0 = the key is not there. */
    readonly current: number | undefined;

    constructor(failure: Failure) {
        super(failure.message);
        this.code = failure.code;
        this.outcome = failure.outcome;
        this.retryable = isRetryable(failure.code);
        this.docs = `docs/reference/errors.md#${failure.code.toLowerCase()}`;
        this.current = failure.current;
    }
}
