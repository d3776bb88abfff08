/** Holds computing to a share of the time: work, then rest in proportion to it. */

/** So long it works before it rests. */
const STRETCH_MS = 50;

export class DutyCycle {
  readonly #share: number;
  readonly #nowMs: () => number;
  #begunMs: number;

  /**
   * @param share Of the time, above 0 and at most 1: then it never rests.
   * @param nowMs A monotonic clock.
   */
  constructor(share: number, nowMs: () => number = () => performance.now()) {
    this.#share = share;
    this.#nowMs = nowMs;
    this.#begunMs = nowMs();
  }

  /** Work begins, after idleness or a rest. */
  begin(): void {
    this.#begunMs = this.#nowMs();
  }

  /**
   * For how long to rest now, in ms; 0 while the work since `begin` is too short to be worth it. Work
   * is measured by the clock: what other processes took of the core meanwhile counts as well.
   */
  restMs(): number {
    const workedMs = this.#nowMs() - this.#begunMs;
    return workedMs < STRETCH_MS ? 0 : workedMs * (1 / this.#share - 1);
  }
}
