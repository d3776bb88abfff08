/** How much may be delivered ahead of its acknowledgements: basic.qos (1.8). */

export class Prefetch {
  /** 0: no limit. */
  readonly #maxMessages: number;
  /** 0: no limit; it never holds back a message while none is unacknowledged. */
  readonly #maxBytes: number;
  #messages = 0;
  #bytes = 0;

  constructor(limits: { maxMessages: number; maxBytes: number }) {
    this.#maxMessages = limits.maxMessages;
    this.#maxBytes = limits.maxBytes;
  }

  allows(bytes: number): boolean {
    if (this.#messages === 0) return true;
    return (this.#maxMessages === 0 || this.#messages < this.#maxMessages) &&
      (this.#maxBytes === 0 || this.#bytes + bytes <= this.#maxBytes);
  }

  hold(bytes: number): void {
    this.#messages++;
    this.#bytes += bytes;
  }

  release(bytes: number): void {
    this.#messages--;
    this.#bytes -= bytes;
  }
}
