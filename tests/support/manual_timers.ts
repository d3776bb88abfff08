/** `setTimeout` and `clearTimeout` of this thread, fired by the test: for rooms that take no clock. */

import { ManualClock } from "./manual_clock.ts";
import type { Timer } from "../../src/coordinator/clock.ts";

/** As long as it is in scope, no timer fires by itself. For tests that stay in this thread. */
export class ManualTimers implements Disposable {
  readonly #clock = new ManualClock();
  readonly #timers = new Map<number, Timer>();
  readonly #own = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };
  #set = Promise.withResolvers<void>();
  /** Far from those of real timers, as some are cleared when these are back. */
  #nextId = 1_000_000_000;

  constructor() {
    const set = (act: () => void, delayMs = 0) => {
      const id = this.#nextId++;
      this.#timers.set(
        id,
        this.#clock.after(delayMs, () => {
          this.#timers.delete(id);
          act();
        }),
      );
      this.#set.resolve();
      this.#set = Promise.withResolvers<void>();
      return id;
    };
    const clear = (id?: number) => {
      this.#timers.get(id ?? 0)?.cancel();
      if (!this.#timers.delete(id ?? 0)) this.#own.clearTimeout(id); // one from before
    };
    Object.assign(globalThis, { setTimeout: set, clearTimeout: clear });
  }

  /** How many wait to fire. */
  get waiting(): number {
    return this.#timers.size;
  }

  /** Resolves when one waits to fire. */
  async some(): Promise<void> {
    while (this.waiting === 0) await this.#set.promise;
  }

  pass(durationMs: number): void {
    this.#clock.pass(durationMs);
  }

  [Symbol.dispose](): void {
    Object.assign(globalThis, this.#own);
  }
}
