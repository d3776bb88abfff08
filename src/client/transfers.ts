/** Takes the time of a session's transfers, from what the session tells. */

import { type Task, TaskKind, Verdict } from "../contract/federation_pb.ts";
import type { Kept } from "./kept.ts";
import type { SessionEvent } from "./session_event.ts";
import type { Observation } from "./wire_records.ts";

/** A model on its way, from when the server had surely begun to send it. */
interface Descent {
  readonly begunMs: number;
  /** That came since. */
  bytes: number;
}

export interface TransfersOptions {
  /** A monotonic clock. */
  readonly nowMs: () => number;
  readonly seen: (observation: Observation) => void;
  readonly kept?: Pick<Kept, "runId" | "model"> | undefined;
}

export class Transfers {
  readonly #nowMs: () => number;
  readonly #seen: (observation: Observation) => void;
  #runId = "";
  #heldRound: number | undefined;
  #modelBytes = 0;
  #descent: Descent | undefined;
  /** When the update that is under way was begun. */
  #sentMs: number | undefined;
  /** The round whose train task is not answered. */
  #openRound: number | undefined;

  /**
   * @param options.seen Gets each transfer that was wholly over one connection.
   * @param options.kept The model of an earlier process, which does not come again.
   */
  constructor({ nowMs, seen, kept }: TransfersOptions) {
    this.#nowMs = nowMs;
    this.#seen = seen;
    this.#runId = kept?.runId ?? "";
    this.#heldRound = kept?.model?.round;
    this.#modelBytes = kept?.model?.bytes.length ?? 0;
  }

  get modelBytes(): number {
    return this.#modelBytes;
  }

  /** A model or an update is on its way. */
  get underWay(): boolean {
    return this.#descent !== undefined || this.#sentMs !== undefined;
  }

  /** There is another connection: what was under way is not one transfer. */
  interrupt(): void {
    this.#descent = undefined;
    this.#sentMs = undefined;
  }

  tasked({ kind, round, modelRound }: Task): void {
    if (kind === TaskKind.TRAIN) this.#openRound = round;
    if (modelRound !== this.#heldRound) this.#descend();
  }

  /** Gives back whether a round is done with, be it that it closed without this client. */
  observe(event: SessionEvent): boolean {
    switch (event.kind) {
      case "welcomed":
        if (event.runId !== this.#runId) this.#heldRound = this.#openRound = undefined;
        this.#runId = event.runId;
        if (event.round !== this.#heldRound) this.#descend();
        return false;
      case "modelPart":
        this.#arrived(event);
        return false;
      case "modelHeld":
        this.#heldRound = event.round;
        this.#descended();
        return false;
      case "trained":
        this.#sentMs = this.#nowMs();
        return false;
      case "uploaded":
        // A refusal may come before the update has gone all the way.
        if (event.verdict === Verdict.ACCEPTED) this.#ascended();
        this.#sentMs = this.#openRound = undefined;
        return true;
      case "roundClosed":
        if (this.#openRound === undefined || this.#openRound > event.round) return false;
        this.giveUp();
        this.#openRound = undefined;
        return true;
      default:
        return false;
    }
  }

  /** What is under way has taken at least so long. */
  giveUp(): void {
    // Where nothing has come, all of it would have taken at least so long.
    if (this.#descent?.bytes === 0) this.#descent.bytes = this.#modelBytes;
    this.#descended();
    this.#ascended();
    this.#sentMs = undefined;
  }

  #descend(): void {
    this.#descent ??= { begunMs: this.#nowMs(), bytes: 0 };
  }

  #arrived({ round, bytes, totalBytes }: Extract<SessionEvent, { kind: "modelPart" }>): void {
    this.#modelBytes = totalBytes;
    if (this.#descent !== undefined) this.#descent.bytes += bytes;
    else if (round !== this.#heldRound) this.#descend(); // nobody knows how long this part took
  }

  #descended(): void {
    const descent = this.#descent;
    this.#descent = undefined;
    if (descent === undefined || descent.bytes === 0) return;
    this.#seen({ kind: "down", bytes: descent.bytes, seconds: this.#since(descent.begunMs) });
  }

  #ascended(): void {
    if (this.#sentMs === undefined || this.#modelBytes === 0) return;
    this.#seen({ kind: "up", bytes: this.#modelBytes, seconds: this.#since(this.#sentMs) });
  }

  #since(beginMs: number): number {
    return (this.#nowMs() - beginMs) / 1000;
  }
}
