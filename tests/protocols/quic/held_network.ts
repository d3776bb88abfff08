/** A UDP address before a server, from which nothing is passed on until the test says so. */

export class HeldNetwork implements AsyncDisposable {
  readonly #near = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  readonly #far = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  readonly #server: Deno.NetAddr;
  readonly #released = Promise.withResolvers<void>();
  readonly #reached = Promise.withResolvers<void>();
  readonly #work: Promise<unknown>;
  #client: Deno.Addr | undefined;
  #leftUp: number;

  /** @param options.mostUp After so many packets of the client's the others are lost. */
  constructor(server: URL, { mostUp = Infinity } = {}) {
    this.#leftUp = mostUp;
    const { hostname, port } = server;
    this.#server = { transport: "udp", hostname, port: Number(port) };
    this.#work = Promise.all([this.#up(), this.#down()]);
  }

  /** The server's address, by way of this network. */
  from(server: URL): URL {
    const url = new URL(server);
    url.port = String((this.#near.addr as Deno.NetAddr).port);
    return url;
  }

  /** Resolves once a client has sent something. */
  get reached(): Promise<void> {
    return this.#reached.promise;
  }

  release(): void {
    this.#released.resolve();
  }

  async #up(): Promise<void> {
    for await (const [packet, client] of this.#near) {
      this.#client = client;
      this.#reached.resolve();
      await this.#released.promise;
      if (this.#leftUp-- > 0) await this.#far.send(packet, this.#server);
    }
  }

  async #down(): Promise<void> {
    for await (const [packet] of this.#far) {
      if (this.#client !== undefined) await this.#near.send(packet, this.#client);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
    this.#near.close();
    this.#far.close();
    await this.#work.catch(() => {}); // what was under way has lost its socket
  }
}
