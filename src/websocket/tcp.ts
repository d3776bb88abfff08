/** A TCP or TLS connection, read and written in exact lengths. */

import type { StreamConn } from "../contract/tls.ts";

const CHUNK_BYTES = 4096;

export class Tcp {
  readonly #conn: StreamConn;
  readonly #over = Promise.withResolvers<string>();
  /** Read, and not yet asked for. */
  #ahead: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #written: Promise<void> = Promise.resolve();
  #loss: string | undefined;
  #reading = false;
  #lastHeardMs = performance.now();
  /** Told of all bytes that come in. */
  count: (bytes: number) => void = () => {};

  constructor(conn: StreamConn) {
    this.#conn = conn;
    try {
      conn.setNoDelay(true);
    } catch {
      // The peer is gone already, as the first read will tell.
    }
  }

  /** Resolves with the reason, for people, once the connection is over. */
  get over(): Promise<string> {
    return this.#over.promise;
  }

  /** Why it is over, for people; undefined while it stands. */
  get loss(): string | undefined {
    return this.#loss;
  }

  /** How long the peer has been silent while it was listened to. */
  get silentMs(): number {
    return this.#reading ? performance.now() - this.#lastHeardMs : 0;
  }

  /** Exactly so many bytes, in a buffer of their own. Undefined when the connection ends before. */
  async take(length: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const whole = new Uint8Array(length);
    return await this.fill(whole) ? whole : undefined;
  }

  /** Fills `whole`; false when the connection ends before. */
  async fill(whole: Uint8Array<ArrayBuffer>): Promise<boolean> {
    const ahead = this.#ahead.subarray(0, whole.length);
    whole.set(ahead);
    this.#ahead = this.#ahead.subarray(ahead.length);
    for (let filled = ahead.length; filled < whole.length;) {
      const count = await this.#read(whole.subarray(filled));
      if (count === undefined) return false;
      filled += count;
    }
    return true;
  }

  /** Some bytes, as many as have come; undefined when the connection has ended. */
  async takeSome(into: Uint8Array<ArrayBuffer>): Promise<number | undefined> {
    if (this.#ahead.length === 0) return await this.#read(into);
    const ahead = this.#ahead.subarray(0, into.length);
    into.set(ahead);
    this.#ahead = this.#ahead.subarray(ahead.length);
    return ahead.length;
  }

  /**
   * The text from `begin` up to `end`, which is taken too. Undefined when the connection begins
   * otherwise, or when it, or `maxBytes`, end before. Only as the first that is taken.
   */
  async takeText(
    { begin, end, maxBytes }: {
      readonly begin: string;
      readonly end: string;
      readonly maxBytes: number;
    },
  ): Promise<string | undefined> {
    const held = new Uint8Array(maxBytes);
    for (let length = 0; length < maxBytes;) {
      const room = held.subarray(length, length + CHUNK_BYTES);
      const count = await this.#read(room);
      if (count === undefined) return undefined;
      length += count;
      const text = new TextDecoder("latin1").decode(held.subarray(0, length));
      if (!text.startsWith(begin.slice(0, length))) return undefined;
      const at = text.indexOf(end);
      if (at < 0) continue;
      this.#ahead = held.slice(at + end.length, length);
      return text.slice(0, at);
    }
    return undefined;
  }

  /** Reads on without keeping anything, until the connection ends. */
  async drain(): Promise<void> {
    const chunk = new Uint8Array(CHUNK_BYTES);
    while (await this.#read(chunk) !== undefined);
  }

  /**
   * In the order of the calls; resolves with their length when the system has taken all of them.
   * @throws {Error} when the connection is over.
   */
  async write(...pieces: readonly Uint8Array[]): Promise<number> {
    const written = this.#written.then(() => this.#writeAll(pieces));
    this.#written = written.then(() => {}, () => {});
    return await written;
  }

  /** Tells the peer that nothing more comes, once what was written has left. */
  async closeWrite(): Promise<void> {
    await this.#written;
    await this.#conn.closeWrite();
  }

  /** What was not written by then is lost. */
  close(reason: string): void {
    if (this.#loss !== undefined) return;
    this.#loss = reason;
    this.#conn.close();
    this.#over.resolve(reason);
  }

  async #read(room: Uint8Array<ArrayBuffer>): Promise<number | undefined> {
    this.#reading = true;
    this.#lastHeardMs = performance.now();
    try {
      const count = await this.#conn.read(room);
      if (count === null) return this.#lost("it was closed without a word");
      this.count(count);
      return count;
    } catch (error) {
      return this.#lost(error);
    } finally {
      this.#reading = false;
    }
  }

  async #writeAll(pieces: readonly Uint8Array[]): Promise<number> {
    let length = 0;
    try {
      for (const piece of pieces) {
        for (let at = 0; at < piece.length;) at += await this.#conn.write(piece.subarray(at));
        length += piece.length;
      }
      return length;
    } catch (error) {
      // Not closed by this: what the peer said before it went is still to be read, up to its end.
      const reason = this.#loss ?? lossOf(error);
      // Not the system's own error: that may share its name with the reset of a stream.
      throw new Error(reason, { cause: error });
    }
  }

  #lost(error: unknown): undefined {
    this.close(lossOf(error));
  }
}

function lossOf(error: unknown): string {
  return `The connection is lost: ${error instanceof Error ? error.message : error}`;
}
