/** The time of day, for what a person wrote a date into; passed in, so that tests move it by hand. */

export interface TimeOfDay {
  /** Milliseconds since 1970. */
  nowMs(): number;
  /** Calls `act` after `delayMs`, or sooner where that is long. Gives what cancels it. */
  after(delayMs: number, act: () => void): () => void;
}

/** setTimeout fires at once for delays beyond 31 bits. */
const LONGEST_MS = 2 ** 31 - 1;

/** The machine's own. */
export const systemTime: TimeOfDay = {
  nowMs: () => Date.now(),
  after(delayMs, act) {
    const id = setTimeout(act, Math.min(Math.max(delayMs, 1), LONGEST_MS));
    return () => clearTimeout(id);
  },
};
