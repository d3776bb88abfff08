/** A growing list whose future entries can be awaited: how tests wait for events, never for time. */

export class Awaitable<T> {
  readonly all: T[] = [];
  #changed = Promise.withResolvers<void>();
  #ended: string | undefined;

  push(entry: T): void {
    this.all.push(entry);
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  /** No entry comes any more: waiting for one fails with `reason`. */
  end(reason: string): void {
    this.#ended = reason;
    this.#changed.resolve();
  }

  /** The first entry at or after `from` that fits, now or in the future. */
  async find(fits: (entry: T) => boolean, from = 0): Promise<T> {
    for (let next = from;; next++) {
      while (next >= this.all.length) {
        if (this.#ended !== undefined) throw new Error(`Nothing fits, and ${this.#ended}`);
        await this.#changed.promise;
      }
      const entry = this.all[next] as T;
      if (fits(entry)) return entry;
    }
  }

  /** The first `count` entries that fit. */
  async some(count: number, fits: (entry: T) => boolean): Promise<T[]> {
    const found: T[] = [];
    let next = 0;
    while (found.length < count) {
      const entry = await this.find((candidate) => fits(candidate), next);
      next = this.all.indexOf(entry, next) + 1;
      found.push(entry);
    }
    return found;
  }
}
