/** Time as the coordinator sees it: monotonic, and passed in, so that tests move it by hand. */

export interface Clock {
  /** Milliseconds since some fixed instant; never goes back. */
  nowMs(): number;
  /** Calls `act` once after `delayMs`, unless cancelled before. */
  after(delayMs: number, act: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  after(delayMs, act) {
    // setTimeout fires at once for delays beyond 31 bits.
    const id = setTimeout(act, Math.min(delayMs, 2 ** 31 - 1));
    return { cancel: () => clearTimeout(id) };
  },
};
