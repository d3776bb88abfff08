/** A TCP network between clients and a wire that cuts, freezes and stalls connections. */

/** What may happen to the connections there are; new ones are whole. */
export const NETWORK_FAULTS = ["cut", "freeze", "stall"] as const;
export type NetworkFault = typeof NETWORK_FAULTS[number];

/** After so long a stalled reader reads again, and a frozen connection is found to be over. */
const STALLED_MS = 700;
const FROZEN_MS = 2500;
const CHUNK_BYTES = 16 * 1024;

export class BadNetwork implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #target: { readonly hostname: string; readonly port: number };
  readonly #lines = new Set<Line>();
  readonly #work = new Set<Promise<void>>();

  /** @param url Of the wire's server. */
  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.#target = { hostname, port: Number(port) };
    this.#track(this.#accept());
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  async #accept(): Promise<void> {
    for await (const near of this.#listener) {
      const line = new Line(near);
      this.#lines.add(line);
      this.#track(line.join(this.#target).finally(() => this.#lines.delete(line)));
    }
  }

  suffer(fault: NetworkFault): void {
    for (const line of this.#lines) line.suffer(fault);
  }

  #track(work: Promise<void>): void {
    const tracked: Promise<void> = work.catch(() => {}).finally(() => this.#work.delete(tracked));
    this.#work.add(tracked);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.suffer("cut");
    while (this.#work.size > 0) await Promise.all(this.#work);
  }
}

/** One connection through the network. */
class Line {
  readonly #near: Deno.TcpConn;
  #far: Deno.TcpConn | undefined;
  /** What comes from the client, and what goes to it, waits for these. */
  #up: Promise<void> = Promise.resolve();
  #down: Promise<void> = Promise.resolve();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #wakers: (() => void)[] = [];

  constructor(near: Deno.TcpConn) {
    this.#near = near;
  }

  async join(target: { readonly hostname: string; readonly port: number }): Promise<void> {
    try {
      const far = this.#far = await Deno.connect(target);
      // What passes was written by somebody who has decided when: nothing is held back here.
      for (const conn of [this.#near, far]) conn.setNoDelay(true);
      await Promise.race([
        copy(this.#near, far, () => this.#up),
        copy(far, this.#near, () => this.#down),
      ]);
    } finally {
      this.#cut();
    }
  }

  suffer(fault: NetworkFault): void {
    switch (fault) {
      case "cut":
        return this.#cut();
      case "stall": // the client reads nothing for a while
        this.#down = this.#later(STALLED_MS);
        return;
      case "freeze": // nothing passes, and nobody is told, for a while
        this.#up = this.#down = this.#later(FROZEN_MS);
        void this.#up.then(() => this.#cut());
        return;
      default:
        return fault satisfies never;
    }
  }

  #later(durationMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, durationMs);
    this.#timers.add(timer);
    this.#wakers.push(resolve);
    return promise;
  }

  #cut(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const conn of [this.#near, this.#far]) {
      try {
        conn?.close();
      } catch (error) {
        if (!(error instanceof Deno.errors.BadResource)) throw error; // closed before
      }
    }
    for (const wake of this.#wakers.splice(0)) wake();
  }
}

async function copy(
  from: Deno.TcpConn,
  to: Deno.TcpConn,
  mayPass: () => Promise<void>,
): Promise<void> {
  const chunk = new Uint8Array(CHUNK_BYTES);
  for (;;) {
    const count = await from.read(chunk);
    if (count === null) return;
    await mayPass();
    for (let at = 0; at < count;) at += await to.write(chunk.subarray(at, count));
  }
}
