/** Takes the time of each model's way down and up, from what the client's session tells. */

import type { SessionEvent } from "../client/session.ts";
import { Verdict } from "../contract/federation_pb.ts";
import { verdictName } from "../events.ts";
import type { Passage } from "./figures.ts";

/** A model on its way down. */
interface Descent {
  readonly round: number;
  readonly begunMs: number;
  /** Of the part with which the clock started. */
  readonly firstBytes: number;
  readonly totalBytes: number;
  endedMs: number | undefined;
}

export class Stopwatch {
  readonly #nowMs: () => number;
  readonly #passed: (passage: Passage) => void;
  #descent: Descent | undefined;
  #sentMs = 0;

  /** @param passed Gets each model that came down and whose update went up. */
  constructor(nowMs: () => number, passed: (passage: Passage) => void) {
    this.#nowMs = nowMs;
    this.#passed = passed;
  }

  /** @throws {Error} when the client could not do its part: then there is nothing to measure. */
  observe(event: SessionEvent): void {
    const nowMs = this.#nowMs();
    switch (event.kind) {
      case "modelPart":
        return this.#arrived(event, nowMs);
      case "trained":
        this.#sentMs = nowMs;
        return;
      case "uploaded":
        return this.#judged(event, nowMs);
      case "lost":
        throw new Error(`The connection was lost: ${event.reason}`);
      case "taskFailed":
        throw new Error(`The update of round ${event.round} was not sent: ${event.reason}`);
    }
  }

  #arrived(part: Extract<SessionEvent, { kind: "modelPart" }>, nowMs: number): void {
    const { round, offset, bytes, totalBytes } = part;
    if (this.#descent?.round !== round) {
      this.#descent = { round, begunMs: nowMs, firstBytes: bytes, totalBytes, endedMs: undefined };
    }
    if (offset + bytes === totalBytes) this.#descent.endedMs ??= nowMs;
  }

  #judged(update: Extract<SessionEvent, { kind: "uploaded" }>, nowMs: number): void {
    const { round, verdict, detail } = update;
    if (verdict !== Verdict.ACCEPTED) {
      throw new Error(`The update of round ${round} is ${verdictName(verdict)}: ${detail}`);
    }
    const descent = this.#descent;
    if (descent?.round !== round - 1 || descent.endedMs === undefined) {
      throw new Error(`The update of round ${round} came before its model`);
    }
    const { begunMs, endedMs, firstBytes, totalBytes } = descent;
    this.#passed({
      round,
      down: { bytes: totalBytes - firstBytes, seconds: (endedMs - begunMs) / 1000 },
      up: { bytes: totalBytes, seconds: (nowMs - this.#sentMs) / 1000 },
    });
  }
}
