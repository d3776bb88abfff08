/** A pause in one call's work, which whoever gives the call up can end. */
export class Rest {
  #resting: { readonly id: number; readonly wake: () => void } | undefined;

  /** Resolves after so long, or when `end` is called for the same call. */
  async take(id: number, durationMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, Math.min(durationMs, LONGEST_MS));
    this.#resting = { id, wake: resolve };
    await promise;
    clearTimeout(timer);
    this.#resting = undefined;
  }

  end(id: number): void {
    if (this.#resting?.id === id) this.#resting.wake();
  }
}

/** setTimeout fires at once for delays beyond 31 bits. */
const LONGEST_MS = 2 ** 31 - 1;
