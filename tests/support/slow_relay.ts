/** A TCP address that leads elsewhere over a line whose quality the test may change at any time. */

/** Of each direction, of the connections there are and of new ones. */
export interface Quality {
  /** Undefined: as fast as it goes. */
  readonly bytesPerSecond?: number;
  /** A connection is cut once it has carried so many, both ways together. */
  readonly cutAfterBytes?: number;
}

const CHUNK_BYTES = 2048;

export class SlowRelay implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #target: URL;
  readonly #lines = new Set<Line>();
  readonly #work = new Set<Promise<void>>();
  quality: Quality;

  constructor(target: string, quality: Quality = {}) {
    this.#target = new URL(target);
    this.quality = quality;
    this.#track(this.#accept());
  }

  /** The target's address, by way of this relay. */
  get url(): string {
    const url = new URL(this.#target);
    url.port = String(this.#listener.addr.port);
    return url.href;
  }

  async #accept(): Promise<void> {
    for await (const near of this.#listener) {
      const line = new Line(near, () => this.quality);
      this.#lines.add(line);
      this.#track(line.join(this.#target).finally(() => this.#lines.delete(line)));
    }
  }

  /** Ends every connection there is. */
  cut(): void {
    for (const line of this.#lines) line.cut();
  }

  #track(work: Promise<void>): void {
    const tracked: Promise<void> = work.catch(() => {}).finally(() => this.#work.delete(tracked));
    this.#work.add(tracked);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.cut();
    while (this.#work.size > 0) await Promise.all(this.#work);
  }
}

/** One connection. */
class Line {
  readonly #near: Deno.TcpConn;
  readonly #quality: () => Quality;
  readonly #over = new AbortController();
  #far: Deno.TcpConn | undefined;
  #carried = 0;

  constructor(near: Deno.TcpConn, quality: () => Quality) {
    this.#near = near;
    this.#quality = quality;
  }

  async join({ hostname, port }: URL): Promise<void> {
    try {
      const far = this.#far = await Deno.connect({ hostname, port: Number(port) });
      if (this.#over.signal.aborted) return;
      await Promise.race([this.#copy(this.#near, far), this.#copy(far, this.#near)]);
    } finally {
      this.cut();
    }
  }

  async #copy(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    const chunk = new Uint8Array(CHUNK_BYTES);
    for (;;) {
      const count = await from.read(chunk);
      if (count === null) return;
      const { bytesPerSecond, cutAfterBytes = Infinity } = this.#quality();
      this.#carried += count;
      if (this.#carried > cutAfterBytes) return;
      if (bytesPerSecond !== undefined) await this.#pass(1000 * count / bytesPerSecond);
      for (let at = 0; at < count;) at += await to.write(chunk.subarray(at, count));
    }
  }

  /** As long as the bytes take; no longer than the connection lasts. */
  async #pass(durationMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { signal } = this.#over;
    const timer = setTimeout(resolve, durationMs);
    const over = () => resolve();
    signal.addEventListener("abort", over);
    if (signal.aborted) over();
    await promise;
    clearTimeout(timer);
    signal.removeEventListener("abort", over);
  }

  cut(): void {
    this.#over.abort();
    for (const conn of [this.#near, this.#far]) {
      try {
        conn?.close();
      } catch (error) {
        if (!(error instanceof Deno.errors.BadResource)) throw error; // closed before
      }
    }
  }
}
