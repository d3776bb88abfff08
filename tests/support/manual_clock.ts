/** The coordinator's clock, moved by the test. */

import type { Clock, Timer } from "../../src/coordinator/clock.ts";

export class ManualClock implements Clock {
  #nowMs = 0;
  readonly #timers = new Set<{ atMs: number; act: () => void }>();

  nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, act: () => void): Timer {
    const timer = { atMs: this.#nowMs + delayMs, act };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }

  get timers(): number {
    return this.#timers.size;
  }

  /** Lets time pass; timers act in their order, at their time. */
  pass(durationMs: number): void {
    const endMs = this.#nowMs + durationMs;
    for (;;) {
      const [next] = [...this.#timers].sort((left, right) => left.atMs - right.atMs);
      if (next === undefined || next.atMs > endMs) break;
      this.#timers.delete(next);
      this.#nowMs = next.atMs;
      next.act();
    }
    this.#nowMs = endMs;
  }
}
