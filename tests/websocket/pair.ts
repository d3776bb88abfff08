/** The two ends of a TCP connection: the server's as `Tcp`, the client's as the system has it. */

import { Tcp } from "../../src/websocket/tcp.ts";

export class Pair implements AsyncDisposable {
  readonly tcp: Tcp;
  readonly client: Deno.TcpConn;

  private constructor(tcp: Tcp, client: Deno.TcpConn) {
    this.tcp = tcp;
    this.client = client;
  }

  static async open(): Promise<Pair> {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const client = await Deno.connect({ port: listener.addr.port });
    return new Pair(new Tcp(await listener.accept()), client);
  }

  /** Text is sent as it is, bytes are given in hex. */
  async says(said: { readonly text: string } | { readonly hex: string }): Promise<void> {
    const bytes = "text" in said
      ? new TextEncoder().encode(said.text)
      : Uint8Array.fromHex(said.hex);
    for (let at = 0; at < bytes.length;) at += await this.client.write(bytes.subarray(at));
  }

  /** What the client hears next, at most so many bytes; in hex. */
  async hears(bytes: number): Promise<string> {
    const heard = new Uint8Array(bytes);
    for (let at = 0; at < bytes;) {
      const count = await this.client.read(heard.subarray(at));
      if (count === null) return heard.subarray(0, at).toHex();
      at += count;
    }
    return heard.toHex();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.tcp.close("The test is over");
    try {
      this.client.close();
    } catch {
      // It is closed already.
    }
    return Promise.resolve();
  }
}
