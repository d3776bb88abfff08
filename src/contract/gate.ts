/** Bounds how much of one connection's input is with the coordinator at once. */

/**
 * Counts bytes that were delivered and not yet judged. A reader that calls `enter` before it reads
 * on holds at most `limitBytes` and one message beyond, and leaves the rest to the socket.
 */
export class Gate {
  readonly #limitBytes: number;
  #heldBytes = 0;
  #waiting: PromiseWithResolvers<void> | undefined;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Resolves once less than the limit is held. */
  async enter(): Promise<void> {
    while (this.#heldBytes >= this.#limitBytes) {
      this.#waiting ??= Promise.withResolvers<void>();
      await this.#waiting.promise;
    }
  }

  /** Holds `bytes` until `judged` settles. */
  hold(bytes: number, judged: Promise<unknown>): void {
    this.#heldBytes += bytes;
    const leave = () => {
      this.#heldBytes -= bytes;
      this.#waiting?.resolve();
      this.#waiting = undefined;
    };
    judged.then(leave, leave);
  }
}
