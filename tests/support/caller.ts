/** A TCP connection for tests, on which any bytes may be said. */

export class Caller implements Disposable {
  readonly #conn: Deno.TcpConn;
  #closed = false;

  private constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  /** Connects to the host and port of a URL, and says these bytes. */
  static async call(url: string, ...words: readonly Uint8Array[]): Promise<Caller> {
    const { hostname, port } = new URL(url);
    const caller = new Caller(await Deno.connect({ hostname, port: Number(port) }));
    for (const word of words) {
      for (let at = 0; at < word.length;) at += await caller.#conn.write(word.subarray(at));
    }
    return caller;
  }

  /** All that is answered until the server closes the connection. */
  async answer(): Promise<Uint8Array<ArrayBuffer>> {
    const answer: number[] = [];
    const chunk = new Uint8Array(4096);
    for (;;) {
      const count = await this.#conn.read(chunk).catch(() => null); // reset is an end, too
      if (count === null) return Uint8Array.from(answer);
      answer.push(...chunk.subarray(0, count));
    }
  }

  [Symbol.dispose](): void {
    if (!this.#closed) this.#conn.close();
    this.#closed = true;
  }
}
