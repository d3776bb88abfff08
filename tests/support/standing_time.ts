/** A time of day for tests. */

import type { TimeOfDay } from "../../src/contract/time_of_day.ts";
import { NOW_MS } from "./tokens.ts";

/** Time that stands still until the test moves it. */
export class StandingTime implements TimeOfDay {
  #nowMs = NOW_MS;
  readonly #timers = new Set<() => void>();

  nowMs(): number {
    return this.#nowMs;
  }

  after(_delayMs: number, act: () => void): () => void {
    this.#timers.add(act);
    return () => void this.#timers.delete(act);
  }

  pass(durationMs: number): void {
    this.#nowMs += durationMs;
    for (const act of [...this.#timers]) {
      this.#timers.delete(act);
      act();
    }
  }
}
