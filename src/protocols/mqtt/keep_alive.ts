/** Notices a connection that has been silent for too long (MQTT 5 and 3.1.1 §3.1.2.10). */

/** What tells the time and wakes; tests pass one of their own. */
export interface Clock {
  /** Milliseconds that only grow. */
  now(): number;
  /** Calls back once after `ms`; the result cancels that. */
  after(ms: number, wake: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, wake) {
    const timer = setTimeout(wake, ms);
    return () => clearTimeout(timer);
  },
};

/** An alarm so much later than it was set for, in parts of the limit, says that this thread stood still. */
const LATE = 1 / 4;

/** Calls `lost` once when nothing was heard for longer than the limit. Any byte is life. */
export class KeepAlive implements Disposable {
  readonly #limitMs: number;
  readonly #lost: () => void;
  readonly #clock: Clock;
  #heardAtMs: number;
  #dueAtMs: number;
  #deaf = false;
  #cancel: () => void;

  constructor(limitMs: number, lost: () => void, clock: Clock = systemClock) {
    this.#limitMs = limitMs;
    this.#lost = lost;
    this.#clock = clock;
    this.#heardAtMs = clock.now();
    this.#dueAtMs = this.#heardAtMs + limitMs;
    this.#cancel = clock.after(limitMs, () => this.#check());
  }

  /** Bytes have come, or are read for again: one assignment, as it is called for every read. */
  heard(): void {
    this.#deaf = false;
    this.#heardAtMs = this.#clock.now();
  }

  /** We do not read now, so that a silence is not the client's. */
  deaf(): void {
    this.#deaf = true;
  }

  #check(): void {
    const nowMs = this.#clock.now();
    // What the client said while this thread stood still is not read yet.
    const stoodStill = nowMs - this.#dueAtMs > LATE * this.#limitMs;
    if (this.#deaf || stoodStill) this.#heardAtMs = nowMs;
    this.#dueAtMs = this.#heardAtMs + this.#limitMs;
    const leftMs = this.#dueAtMs - nowMs;
    if (leftMs <= 0) this.#lost();
    else this.#cancel = this.#clock.after(leftMs, () => this.#check());
  }

  [Symbol.dispose](): void {
    this.#cancel();
  }
}
