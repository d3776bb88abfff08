/** What has come and is not iterated yet; beyond a bound it makes the sender wait. */

/** Unread bytes that are taken at once; more stay unacknowledged on the wire. */
const BACKLOG_BYTES = 8 * 1024 * 1024;

interface Entry<T> {
  readonly value: T;
  readonly bytes: number;
}

/** An AsyncIterable to be iterated once. */
export class Backlog<T> implements AsyncIterable<T> {
  readonly #entries: Entry<T>[] = [];
  #bytes = 0;
  #taken: (() => void) | undefined;
  #changed: PromiseWithResolvers<void> | undefined;
  #closed = false;

  /**
   * Adds a value. `taken` is called once the next one may come: at once, or when enough was read.
   * After `close` values vanish, so that whoever waits for the end of the stream sees it.
   */
  push(value: T, { bytes, taken }: { bytes: number; taken: () => void }): void {
    if (this.#closed) return taken();
    this.#entries.push({ value, bytes });
    this.#bytes += bytes;
    this.#wake();
    if (this.#bytes < BACKLOG_BYTES) taken();
    else this.#taken = taken;
  }

  /** What was pushed is still iterated, then the iteration ends. */
  close(): void {
    this.#closed = true;
    this.#release();
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      const entry = this.#entries.shift();
      if (entry !== undefined) {
        this.#bytes -= entry.bytes;
        if (this.#bytes < BACKLOG_BYTES) this.#release();
        yield entry.value;
      } else if (this.#closed) {
        return;
      } else {
        this.#changed = Promise.withResolvers<void>();
        await this.#changed.promise;
      }
    }
  }

  #release(): void {
    const taken = this.#taken;
    this.#taken = undefined;
    taken?.();
  }

  #wake(): void {
    this.#changed?.resolve();
    this.#changed = undefined;
  }
}
