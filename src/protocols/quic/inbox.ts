/** Received and not yet iterated: bounded, so that a slow reader slows its server. */

export class Inbox<T> implements AsyncIterable<T> {
  readonly #limitBytes: number;
  readonly #waiting: { readonly entry: T; readonly bytes: number }[] = [];
  #heldBytes = 0;
  #ended = false;
  #changed = Promise.withResolvers<void>();

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Resolves once there was room for the entry. After the end it is dropped. */
  async put(entry: T, bytes: number): Promise<void> {
    while (this.#heldBytes >= this.#limitBytes && !this.#ended) await this.#changed.promise;
    if (this.#ended) return;
    this.#waiting.push({ entry, bytes });
    this.#heldBytes += bytes;
    this.#change();
  }

  /** What was put can still be iterated. */
  end(): void {
    this.#ended = true;
    this.#change();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    for (;;) {
      const next = this.#waiting.shift();
      if (next !== undefined) {
        this.#heldBytes -= next.bytes;
        this.#change();
        yield next.entry;
      } else if (this.#ended) {
        return;
      } else {
        await this.#changed.promise;
      }
    }
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}
