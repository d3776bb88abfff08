/** A socket without a network: the test is the peer. */

import { Buffer } from "node:buffer";
import { generate, type Packet, parser } from "mqtt-packet";
import type { Socket } from "../../../src/protocols/mqtt/network_connection.ts";
import { Awaitable } from "../../support/awaitable.ts";

export class MemorySocket implements Socket {
  /** What the connection wrote. */
  readonly heard = new Awaitable<Packet>();
  /** How often it has begun to read. */
  readonly reads = new Awaitable<"read">();
  readonly #packets = parser({ protocolVersion: 5 });
  readonly #unread: Uint8Array[] = [];
  #ended = false;
  #closed = false;
  #wake = Promise.withResolvers<void>();

  constructor() {
    this.#packets.on("packet", (packet) => this.heard.push(packet));
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** The peer says a packet. */
  say(packet: Packet): void {
    this.sayBytes(generate(packet, { protocolVersion: 5 }));
  }

  sayBytes(bytes: Uint8Array): void {
    this.#unread.push(bytes);
    this.#stir();
  }

  /** The peer closes its half. */
  end(): void {
    this.#ended = true;
    this.#stir();
  }

  async read(into: Uint8Array): Promise<number | null> {
    this.reads.push("read");
    while (this.#unread.length === 0) {
      if (this.#closed) throw new Error("closed here");
      if (this.#ended) return null;
      await this.#wake.promise;
    }
    const [bytes = new Uint8Array()] = this.#unread;
    const piece = bytes.subarray(0, into.length);
    into.set(piece);
    if (piece.length < bytes.length) this.#unread[0] = bytes.subarray(piece.length);
    else this.#unread.shift();
    return piece.length;
  }

  write(bytes: Uint8Array): Promise<number> {
    // As a kernel does, it takes less than it is given.
    const piece = bytes.slice(0, Math.ceil(bytes.length / 2));
    this.#packets.parse(Buffer.from(piece));
    return Promise.resolve(piece.length);
  }

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    this.#closed = true;
    this.#stir();
  }

  #stir(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }
}
