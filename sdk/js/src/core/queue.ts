/**
 * What the client knows of one queue: does the app want it, is the user a member, where does its
 * stream stand; and what each answer of the server means for that.
 *
 * Owns:       the app's wish, the membership, the cursor; the open requests (operations.ts).
 * Invariants: the cursor only grows, one event after the other, but for what `joined` and `reset`
 *             say. The app is told `left` once for each stream that began. As long as the app
 *             wants to be a member, a membership that is lost is asked for again.
 * Source:     GUARANTEES sections 5.1, 5.2.
 */
import * as codes from "../codes.ts";
import type {
    Cursor,
    ErrFrame,
    HistoryFrame,
    JoinedFrame,
    LeftFrame,
    OkFrame,
    RefusedFrame,
    ResetFrame,
    RetryFrame,
    ServerFrame,
} from "../wire.ts";
import type { Context, RequestId } from "./messages.ts";
import type { Operation } from "./operation.ts";
import { type Line, type NewOperation, Operations, repeatMs } from "./operations.ts";

type Want = "nothing" | "listen" | "join";
type AnswerFrame = OkFrame | ErrFrame | RetryFrame | RefusedFrame | HistoryFrame;
type StreamFrame = Extract<ServerFrame, { q: string }>;
type EventFrame = Exclude<StreamFrame, JoinedFrame | ResetFrame | LeftFrame>;

export class Queue {
    readonly name: string;
    readonly #operations: Operations;
    readonly #line: Line;
    #want: Want = "nothing";
    /** It watched before it wanted to join: a watcher who is not let in stays a watcher. */
    #watched = false;
    /** The app was told `joined`, and not yet `left`. */
    #inside = false;
    #cursor: [inc: number, seq: number] | undefined;
    #lastJoined: JoinedFrame | undefined;

    /** The last leave that ended the stream on this connection; an earlier one ends nothing. */
    #left: Operation | undefined;

    constructor(name: string, line: Line) {
        this.name = name;
        this.#line = line;
        this.#operations = new Operations(name, line, (op, ctx) => this.#exited(op, ctx));
    }

    /** Its open requests; connection and clock speak to them directly. */
    get operations(): Operations {
        return this.#operations;
    }

    /** Where to resume, if the app wants the stream, or has not left it yet. */
    get cursor(): Cursor | undefined {
        const wanted = this.#want !== "nothing" || this.#operations.openOf("leave");
        return wanted ? this.#cursor : undefined;
    }

    get #member(): boolean {
        return this.#lastJoined?.member ?? false;
    }

    // What the app asks.

    join(id: RequestId, ctx: Context): void {
        this.#watched ||= this.#want === "listen";
        this.#want = "join";
        const last = this.#operations.openOf("join", "leave");
        if (last?.kind === "join") {
            last.ids.push(id);
        } else if (!last && this.#member) {
            this.#operations.tell([id], this.#lastJoined, ctx);
        } else {
            this.#operations.add({ kind: "join", ids: [id] }, ctx);
        }
    }

    listen(id: RequestId, ctx: Context): void {
        const open = this.#operations.openOf("listen", "unlisten", "join", "leave");
        if (open?.kind === "listen" || open?.kind === "join") {
            open.ids.push(id);
        } else if (this.#want !== "nothing" && this.#lastJoined) {
            this.#operations.tell([id], this.#lastJoined, ctx);
        } else {
            this.#want = "listen";
            this.#operations.add({ kind: "listen", ids: [id] }, ctx);
        }
    }

    /** Ends the membership, whoever brought it about; or a watch. */
    leave(id: RequestId, ctx: Context, member = this.#member): void {
        const was = this.#want;
        this.#want = "nothing";
        this.#watched = false;
        if (was === "nothing") {
            // What ends a watch does not end the membership that came meanwhile.
            const open = this.#operations.openOf("leave", member ? "leave" : "unlisten");
            if (open) {
                open.ids.push(id);
            } else if (member) {
                this.#operations.add({ kind: "leave", ids: [id] }, ctx);
            } else {
                this.#operations.tell([id], undefined, ctx);
            }
            return;
        }
        const unsent = this.#operations.unsentOf("join", "listen");
        unsent.forEach((op) => this.#operations.takeBack(op, ctx));
        const isOpen = (...kinds: ("join" | "listen" | "unlisten")[]) =>
            !unsent[0] || this.#operations.openOf(...kinds);
        if (member || (was === "join" && isOpen(was))) {
            this.#operations.add({ kind: "leave", ids: [id] }, ctx);
        } else if (this.#line.up && (this.#cursor || isOpen("listen", "unlisten"))) {
            this.#operations.add({ kind: "unlisten", ids: [id] }, ctx);
        } else {
            this.#endWatch(ctx);
            this.#operations.tell([id], undefined, ctx);
        }
    }

    /** Ends a watch; a member keeps its stream. */
    unlisten(id: RequestId, ctx: Context): void {
        if (this.#want === "join" || (this.#want === "nothing" && this.#member)) {
            this.#operations.tell([id], undefined, ctx);
        } else {
            this.leave(id, ctx, false);
        }
    }

    /** `send`, `set` and `history`. */
    operate(op: NewOperation & Pick<Operation, "ids">, ctx: Context): void {
        if (this.#want === "nothing") {
            this.#operations.refuse(op, ctx);
        } else {
            this.#operations.add(op, ctx);
        }
    }

    // What the connection tells.

    offline(ctx: Context): void {
        this.#left = undefined;
        this.#operations.offline();
        if (this.#operations.openOf("listen", "unlisten")?.kind === "unlisten") {
            this.#endWatch(ctx);
        }
    }

    /** There is no connection, and the next hello does not name this queue. */
    #endWatch(ctx: Context): void {
        for (let op; (op = this.#operations.openOf("listen", "unlisten")); ) {
            this.#operations.settle(op, undefined, ctx);
        }
        this.#streamEnded("left", ctx);
    }

    // What the server says of the stream.

    /** Returns what is wrong with the stream, or undefined. */
    receive(frame: StreamFrame, ctx: Context): string | undefined {
        switch (frame.op) {
            case "joined":
                return this.#onJoined(frame, ctx);
            case "reset":
                return this.#onReset(frame, ctx);
            case "left":
                this.#wantOnlyOpen();
                this.#streamEnded(frame.why, ctx);
                this.#operations.flush(ctx);
                return undefined;
            default:
                return this.#onEvent(frame, ctx);
        }
    }

    #onEvent(frame: EventFrame, ctx: Context): string | undefined {
        const cursor = this.#cursor;
        if (!cursor) {
            return undefined; // The last of a stream that was left.
        }
        if ("seq" in frame && frame.seq !== undefined) {
            const prev = frame.prev ?? frame.seq - 1;
            if (prev !== cursor[1] || frame.seq <= prev) {
                return `${this.name}: ${frame.op} at ${frame.seq} follows ${cursor}`;
            }
            cursor[1] = frame.seq;
        }
        ctx.out.push({ type: "stream", frame });
        return undefined;
    }

    #onJoined(frame: JoinedFrame, ctx: Context): string | undefined {
        const answered = this.#operations.find(frame.i);
        const older = this.#older(frame);
        if (older) {
            return older;
        }
        if (answered?.kind === "join") {
            this.#operations.overtake(answered);
        }
        // The end of a watch may have been told already, with that of the queue.
        const late = frame.member
            ? !answered && frame.i !== undefined
            : !answered || !this.#operations.openOf("leave", "unlisten");
        if (this.#want === "nothing" && late && !this.#inside) {
            if (answered) {
                this.#operations.settle(answered, undefined, ctx);
            }
            this.#askOnce("unlisten", ctx);
            return undefined;
        }
        const again = this.#cursor !== undefined && !answered;
        this.#lastJoined = frame;
        this.#wantGranted();
        this.#standAt(frame.at);
        this.#inside = true;
        ctx.out.push({ type: "joined", q: this.name, frame, again });
        if (answered) {
            this.#operations.remove(answered);
            this.#operations.learnFrom(answered, "");
            if (this.#wantsIn(answered) && !frame.member) {
                this.#joinAgain(answered, ctx);
            } else {
                this.#operations.settle(answered, frame, ctx);
            }
        }
        this.#keepOn(ctx);
        this.#operations.progress(ctx);
        return undefined;
    }

    /** What is not being ended stands: the backend's doing, or the app is in after all. */
    #wantGranted(): void {
        const ending = this.#operations.openOf("leave", "unlisten");
        if (this.#lastJoined && this.#want !== "join" && !ending) {
            this.#watched ||= this.#want === "listen";
            this.#want = this.#member ? "join" : "listen";
        }
    }

    /** Is it a join that the app still wants? */
    #wantsIn(op: Operation): boolean {
        return op.kind === "join" && !op.withdrawn && this.#want === "join";
    }

    /** Is it a leave, and the backend has let the user in again, in a later life of the queue? */
    #wantsOut(op: Operation): boolean {
        return op.kind === "leave" && this.#want === "nothing" && this.#member && !op.late;
    }

    /** It was carried out, but the membership was lost again before the answer came. */
    #joinAgain(op: Operation, ctx: Context): void {
        const later = this.#operations.openOf("join");
        if (later) {
            later.ids.push(...op.ids);
        } else {
            this.#operations.hold(repeatMs, ctx);
            this.#operations.reissue(op);
        }
    }

    #onReset(frame: ResetFrame, ctx: Context): string | undefined {
        if (!this.#cursor) {
            return undefined;
        }
        const older = this.#older(frame);
        if (frame.at[0] > 0 && frame.why !== "unknown" && older) {
            return older;
        }
        ctx.out.push({ type: "stream", frame });
        if (frame.why === "gone" || frame.why === "deleted") {
            this.#onEnd(frame, ctx);
        } else {
            this.#standAt(frame.at);
        }
        this.#operations.flush(ctx);
        return undefined;
    }

    /** Membership and stream have ended; where the queue lives on, `joined` follows. */
    #onEnd({ at, why }: ResetFrame, ctx: Context): void {
        this.#operations.bindTo(at[0]);
        this.#stopStream();
        for (const leave of this.#operations.unsentOf("leave")) {
            this.#operations.settle(leave, undefined, ctx);
        }
        if (why === "deleted") {
            this.#wantOnlyOpen();
        }
        if (why === "deleted" || this.#want === "nothing") {
            this.#streamEnded(why, ctx);
        }
        this.#keepOn(ctx);
    }

    /** What was granted has ended, by the server's will. What is on its way will be judged. */
    #wantOnlyOpen(): void {
        if (this.#want !== "nothing") {
            this.#want = (this.#operations.openOf("join", "listen")?.kind ?? "nothing") as Want;
        }
    }

    #standAt(at: Cursor): void {
        this.#operations.bindTo(at[0]);
        this.#operations.stream = "live";
        this.#cursor = [at[0], at[1]];
    }

    /** What is wrong with a frame that steps back. */
    #older({ op, at }: JoinedFrame | ResetFrame): string | undefined {
        const cursor = this.#cursor;
        return cursor && (at[0] < cursor[0] || (at[0] === cursor[0] && at[1] < cursor[1]))
            ? `${this.name}: ${op} at ${at} follows ${cursor}`
            : undefined;
    }

    /** What the app wants and has not, as the session or the queue was lost, is asked for again. */
    #keepOn(ctx: Context): void {
        if (this.#want === "join" && !this.#member && !this.#operations.openOf("join")) {
            this.#operations.addFirst({ kind: "join" }, ctx);
        } else if (this.#want === "listen" && !this.#cursor) {
            this.#askOnce("listen", ctx);
        }
    }

    #stopStream(): void {
        this.#cursor = undefined;
        this.#lastJoined = undefined;
        this.#operations.stream = "none";
    }

    /** There is no stream any more; nothing waits for one where none will be. */
    #streamEnded(why: string, ctx: Context): void {
        this.#stopStream();
        if (this.#inside) {
            this.#inside = false;
            ctx.out.push({ type: "left", q: this.name, why });
        }
        this.#watched &&= this.#want !== "nothing";
        if (this.#want === "nothing" && !this.#operations.openOf("join", "listen")) {
            this.#operations.refuseWaiting(ctx);
        }
    }

    /** `unlisten`: the server streams what nobody wants. */
    #askOnce(kind: "listen" | "unlisten", ctx: Context): void {
        if (!this.#operations.openOf(kind)) {
            this.#operations.add({ kind }, ctx);
        }
    }

    // Verdicts, and what is none.

    /** An answer to a request of some queue; of this one, if it knows it. */
    answer(frame: AnswerFrame, ctx: Context): void {
        const op = this.#operations.find(frame.i);
        if (!op) {
            return;
        }
        switch (frame.op) {
            case "ok":
                this.#onOk(op, frame, ctx);
                break;
            case "err":
                this.#onErr(op, frame, ctx);
                break;
            case "retry":
                this.#operations.putOff(op, frame.code, frame.after_ms ?? 0, ctx);
                break;
            case "refused":
                if (op.ids.length > 0) {
                    this.#onRefused(op, frame, ctx);
                } else if (op.n === 0) {
                    this.#operations.putOff(op, frame.code, repeatMs, ctx); // Our own wish.
                }
                break;
            case "history":
                this.#operations.settle(op, frame.items, ctx);
                this.#operations.progress(ctx);
        }
    }

    #onOk(op: Operation, frame: OkFrame, ctx: Context): void {
        this.#operations.learnFrom(op);
        this.#operations.remove(op);
        if (op.kind === "leave" && op.inc === this.#left?.inc && op.n < this.#left.n) {
            this.#operations.settle(op, undefined, ctx);
        } else if (op.kind === "leave" || op.kind === "unlisten") {
            this.#left = op.kind === "leave" ? op : this.#left;
            this.#exited(op, ctx);
        } else if (op.kind === "send" || op.kind === "set") {
            this.#operations.settle(op, { seq: frame.seq }, ctx);
        } else if (this.#wantsIn(op) && !this.#member) {
            this.#joinAgain(op, ctx);
        } else if (this.#want === "nothing" || this.#lastJoined) {
            // A copy of a join's answer; or it was overtaken by its end.
            this.#operations.settle(op, this.#lastJoined, ctx);
        } else {
            this.#operations.add({ kind: "listen", ids: op.ids }, ctx);
        }
        this.#endWaiting(ctx);
    }

    #onErr(op: Operation, frame: ErrFrame, ctx: Context): void {
        const { code } = frame;
        if (code === codes.expired) {
            this.#operations.expired(op, ctx);
            return;
        }
        this.#operations.learnFrom(op, code);
        this.#operations.remove(op);
        const watches = this.#want === "listen" && this.#lastJoined && !this.#member;
        const isLost = code === codes.gone && op.inc > 0;
        const isOver = isLost && this.#cursor && this.#cursor[0] !== op.inc;
        if (isLost && (this.#wantsIn(op) || this.#wantsOut(op))) {
            this.#operations.reissue(op);
        } else if (op.kind === "leave" && (op.late || watches || isOver)) {
            this.#operations.settle(op, undefined, ctx);
        } else if (op.kind === "leave" && !op.withdrawn) {
            const streamed = this.#cursor !== undefined;
            this.#exited(op, ctx); // No member, no queue: what was to be is so.
            if (streamed && this.#want !== "listen") {
                this.#askOnce("unlisten", ctx); // What it only listened to goes on.
            }
        } else {
            const outcome = frame.outcome ?? (code === codes.gone ? "unknown" : "rejected");
            this.#operations.fail(op, outcome, code, undefined, ctx, frame);
            if (!op.withdrawn) {
                this.#onEntryFailed(op, code, ctx);
            }
            if (code === codes.notMember && this.#member && !op.late && op.inc === this.#cursor?.[0]) {
                this.#lastJoined = undefined; // It was lost unseen.
                this.#keepOn(ctx);
            }
        }
        this.#endWaiting(ctx);
    }

    /** What waited for an answer in vain waits no more. */
    #endWaiting(ctx: Context): void {
        if (this.#want === "nothing" && !this.#cursor) {
            this.#streamEnded("left", ctx);
        }
        this.#operations.progress(ctx);
    }

    #onRefused(op: Operation, frame: RefusedFrame, ctx: Context): void {
        const told = { ...op };
        if (op.n === 0) {
            this.#operations.remove(op);
        } else if (op.tries === 1 && frame.try === 1) {
            // Its number must not stay a hole: it becomes a no-op, whose result nobody waits for.
            op.ids = [];
            op.withdrawn = true;
            this.#operations.transmit(op, ctx);
        } else {
            return; // Another copy may be on its way.
        }
        this.#operations.fail(told, "rejected", frame.code, undefined, ctx);
        this.#onEntryFailed(told, frame.code, ctx);
        this.#wantGranted();
        this.#endWaiting(ctx);
    }

    /** A join or listen was rejected, which ends the app's wish. */
    #onEntryFailed(op: Operation, code: string, ctx: Context): void {
        if (this.#want !== op.kind || this.#operations.openOf(op.kind) || op.late) {
            return; // Not wanted any more, or a later one will tell, or has told.
        }
        if (op.kind === "join" && this.#member) {
            return; // What was granted before still stands.
        }
        if (op.kind === "join" && this.#watched) {
            this.#want = "listen";
            this.#keepOn(ctx);
            return;
        }
        const streamed = this.#cursor !== undefined;
        this.#want = "nothing";
        this.#streamEnded(code, ctx);
        if (streamed) {
            this.#askOnce("unlisten", ctx);
        }
    }

    #exited(op: Operation, ctx: Context): void {
        this.#operations.settle(op, undefined, ctx);
        if (op.kind === "unlisten" && this.#member) {
            // A member's stream goes on: until it has left, or for the backend has let it in.
            this.#want = this.#operations.openOf("leave") ? this.#want : "join";
            return;
        }
        this.#streamEnded("left", ctx);
        this.#keepOn(ctx); // Asked for meanwhile, ended by this.
    }
}
