/** Heartbeats of one connection, both ways (§4.2.7). Knows no timer: it is asked twice an interval. */

/** §4.2.7 allows "two heartbeat intervals or longer"; the wire contract drops after three. */
const SILENT_INTERVALS = 3;

export type Beat = "quiet" | "beat" | "dead";

export class Heartbeat {
  /** How often `check` wants to be called. */
  readonly checkMs: number;
  readonly #intervalMs: number;
  readonly #now: () => number;
  #heardAt: number;
  #sentAt: number;

  /** @param now A monotonic clock in milliseconds. */
  constructor(intervalMs: number, now: () => number) {
    this.#intervalMs = intervalMs;
    this.checkMs = intervalMs / 2;
    this.#now = now;
    this.#heardAt = this.#sentAt = now();
  }

  /** Octets came in: any octet is life, not only a heartbeat. */
  heard(): void {
    this.#heardAt = this.#now();
  }

  /** Octets went out: then the peer needs no heartbeat. */
  sent(): void {
    this.#sentAt = this.#now();
  }

  /** `beat` when a heartbeat is due, `dead` after three silent intervals. */
  check(): Beat {
    const now = this.#now();
    if (now - this.#heardAt >= SILENT_INTERVALS * this.#intervalMs) return "dead";
    return now - this.#sentAt >= this.checkMs ? "beat" : "quiet";
  }
}
