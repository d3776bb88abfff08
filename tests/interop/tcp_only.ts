/** A network that lets TCP pass and swallows UDP, between a browser and a server. */

import type { Address, Link, Upcalls } from "../../src/contract/protocol_server.ts";

export class TcpOnly implements AsyncDisposable {
  readonly #listener: Deno.TcpListener;
  readonly #udp: Deno.DatagramConn;
  readonly #work = new Set<Promise<unknown>>();
  readonly #conns = new Set<Deno.TcpConn>();
  #server: Deno.NetAddr | undefined;

  private constructor(listener: Deno.TcpListener, udp: Deno.DatagramConn) {
    this.#listener = listener;
    this.#udp = udp;
    this.#track(this.#swallow());
    this.#track(this.#accept());
  }

  static open(): TcpOnly {
    for (;;) {
      const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const { hostname, port } = listener.addr;
      try {
        return new TcpOnly(listener, Deno.listenDatagram({ transport: "udp", hostname, port }));
      } catch (error) {
        listener.close();
        if (!(error instanceof Deno.errors.AddrInUse)) throw error;
      }
    }
  }

  /** The same server, as clients beyond this network know it. */
  before(link: Link): Link {
    const listen = async (upcalls: Upcalls): Promise<readonly Address[]> => {
      const addresses = await link.listen(upcalls);
      return addresses.map(({ wire, url }) => ({ wire, url: this.#relay(new URL(url)) }));
    };
    return new Proxy(link, {
      get: (target, name) => {
        if (name === "listen") return listen;
        const member: unknown = Reflect.get(target, name, target);
        return typeof member === "function" ? member.bind(target) : member;
      },
    });
  }

  #relay(url: URL): string {
    this.#server = { transport: "tcp", hostname: url.hostname, port: Number(url.port) };
    url.port = String(this.#listener.addr.port);
    return url.href;
  }

  #track(work: Promise<unknown>): void {
    const tracked = work.catch(() => {}).finally(() => this.#work.delete(tracked));
    this.#work.add(tracked);
  }

  async #swallow(): Promise<void> {
    for await (const _packet of this.#udp);
  }

  async #accept(): Promise<void> {
    for await (const near of this.#listener) {
      if (this.#server === undefined) throw new Error("The server does not listen yet");
      const far = await Deno.connect({ ...this.#server, transport: "tcp" });
      for (const conn of [near, far]) this.#conns.add(conn);
      this.#track(near.readable.pipeTo(far.writable));
      this.#track(far.readable.pipeTo(near.writable));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.#udp.close();
    for (const conn of this.#conns) {
      try {
        conn.close();
      } catch (error) {
        if (!(error instanceof Deno.errors.BadResource)) throw error; // it has ended
      }
    }
    await Promise.all(this.#work);
  }
}
