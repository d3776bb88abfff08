/** A TCP address that leads elsewhere, and whose connections the test can cut: a network that fails. */

export class Relay implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #sockets = new Set<Deno.Conn>();
  readonly #work = new Set<Promise<void>>();
  /** Where connections lead from now on. */
  target: URL;
  /** Connections taken so far. */
  taken = 0;

  constructor(target: string) {
    this.target = new URL(target);
    this.#track(this.#accept());
  }

  /** The target's address, by way of this relay. */
  get url(): string {
    const url = new URL(this.target);
    url.port = String(this.#listener.addr.port);
    return url.href;
  }

  async #accept(): Promise<void> {
    for await (const near of this.#listener) {
      this.taken++;
      this.#track(this.#join(near));
    }
  }

  async #join(near: Deno.TcpConn): Promise<void> {
    this.#sockets.add(near);
    const { hostname, port } = this.target;
    const far = await Deno.connect({ hostname, port: Number(port) });
    this.#sockets.add(far);
    await Promise.allSettled([
      near.readable.pipeTo(far.writable),
      far.readable.pipeTo(near.writable),
    ]);
    this.#close([near, far]);
  }

  /** Ends every connection there is, as if the cable was pulled. */
  cut(): void {
    this.#close(this.#sockets);
  }

  #close(sockets: Iterable<Deno.Conn>): void {
    for (const socket of sockets) {
      this.#sockets.delete(socket);
      try {
        socket.close();
      } catch (error) {
        if (!(error instanceof Deno.errors.BadResource)) throw error; // its streams closed it
      }
    }
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
