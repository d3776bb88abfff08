/** How long a thread's event loop did not turn. */

const TICK_MS = 1;

export class LoopLag implements Disposable {
  readonly #timer: ReturnType<typeof setInterval>;
  #lastMs = performance.now();
  #longestMs = 0;

  constructor() {
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  #tick(): void {
    const nowMs = performance.now();
    this.#longestMs = Math.max(this.#longestMs, nowMs - this.#lastMs - TICK_MS);
    this.#lastMs = nowMs;
  }

  /** The longest so far. */
  get longestMs(): number {
    return this.#longestMs;
  }

  /** Forgets what was before. */
  restart(): void {
    this.#lastMs = performance.now();
    this.#longestMs = 0;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
