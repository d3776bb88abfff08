/** A gate for several streams of one connection: they enter one after another. */

import { Gate } from "../../contract/gate.ts";

/** What the smallest message costs beside its bytes, so that many tiny ones are bounded too. */
const LEAST_BYTES = 1024;

export class Admission {
  readonly #gate: Gate;
  readonly #inside = new Set<() => void>();
  #turn: Promise<unknown> = Promise.resolve();
  #open = false;

  constructor(limitBytes: number) {
    this.#gate = new Gate(limitBytes);
  }

  /** Resolves, in the order of the calls, once there is room; call what it gives to leave. */
  enter(bytes: number): Promise<() => void> {
    const entered = this.#turn.then(async () => {
      await this.#gate.enter();
      const { promise, resolve } = Promise.withResolvers<void>();
      if (this.#open) return resolve;
      this.#gate.hold(Math.max(bytes, LEAST_BYTES), promise);
      const leave = () => {
        this.#inside.delete(leave);
        resolve();
      };
      this.#inside.add(leave);
      return leave;
    });
    this.#turn = entered;
    return entered;
  }

  /** Nobody waits any more: from now on what is read is dropped, so nothing piles up. */
  open(): void {
    this.#open = true;
    for (const leave of this.#inside) leave();
  }
}
