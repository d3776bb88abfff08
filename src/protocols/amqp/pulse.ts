/** Drives a connection's heartbeats with a timer. */

import { HEARTBEAT_FRAME } from "./frames.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { Outbox } from "./outbox.ts";

export interface PulseOptions {
  readonly intervalMs: number;
  readonly outbox: Pick<Outbox, "writtenBytes" | "waitingBytes" | "stalled" | "push">;
  /** A monotonic clock in milliseconds. */
  readonly now: () => number;
  /** Whether octets of the peer would be read now: where not, its silence is ours. */
  readonly listens: () => boolean;
  /** The peer has been silent for three intervals. */
  readonly dead: () => void;
}

export class Pulse {
  readonly #options: PulseOptions;
  readonly #heartbeat: Heartbeat;
  readonly #timer: ReturnType<typeof setInterval>;
  #writtenBytes = 0;
  #checkedMs: number;

  constructor(options: PulseOptions) {
    this.#options = options;
    this.#heartbeat = new Heartbeat(options.intervalMs, options.now);
    this.#checkedMs = options.now();
    this.#timer = setInterval(() => this.check(), this.#heartbeat.checkMs);
  }

  heard(): void {
    this.#heartbeat.heard();
  }

  /** Called by the timer, twice an interval. */
  check(): void {
    const { intervalMs, outbox, now, listens, dead } = this.#options;
    // What the peer said while this thread stood still is not read yet.
    const stoodStill = now() - this.#checkedMs > intervalMs;
    this.#checkedMs = now();
    if (outbox.writtenBytes !== this.#writtenBytes) {
      this.#writtenBytes = outbox.writtenBytes;
      this.#heartbeat.sent();
      // Its kernel takes octets, while we wait for that before we read on.
      if (outbox.stalled) this.#heartbeat.heard();
    }
    if (!listens() || stoodStill) this.#heartbeat.heard();
    switch (this.#heartbeat.check()) {
      case "dead":
        return dead();
      case "beat":
        // While anything waits to be written, that is the sign of life.
        if (outbox.waitingBytes === 0) outbox.push(HEARTBEAT_FRAME);
        return;
      case "quiet":
        return;
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
