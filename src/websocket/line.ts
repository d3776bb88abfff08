/**
 * The server's side of a WebSocket (RFC 6455). Deno's own WebSockets read on while nobody takes
 * what they have read, and do not tell when what was sent has left: here the socket is read and
 * written only as far as the other side goes along.
 */

import {
  closeBytes,
  type FrameHead,
  headBytes,
  LEAST_HEAD_BYTES,
  type Opcode,
  opcodes,
  readHead,
  unmask,
  writeHead,
} from "./frames.ts";
import type { Tcp } from "./tcp.ts";

/** Why no frame follows. */
export type LineEnd =
  /** The client has said Close. */
  | { readonly kind: "end" }
  | { readonly kind: "lost" }
  /** The client broke the protocol, as one sentence says; `code` is what to close with (§7.4.1). */
  | { readonly kind: "broken"; readonly code: number; readonly detail: string };

/** A frame of a binary message, up to its bytes: those are taken from the TCP connection. */
export interface BinaryFrame extends FrameHead {
  readonly kind: "frame";
}

/** §7.4.1 */
const PROTOCOL_ERROR = 1002;
const UNSUPPORTED_DATA = 1003;
/** Up to here, copying a message behind its head is cheaper than a second write. */
const SMALL_BYTES = 8 * 1024;

export class WebSocketLine {
  readonly #tcp: Tcp;
  /** A message has begun and not ended. */
  #midMessage = false;
  #closeHeard = false;
  #closeSaid: Promise<unknown> | undefined;

  constructor(tcp: Tcp) {
    this.#tcp = tcp;
  }

  /** The client has said Close. */
  get closeHeard(): boolean {
    return this.#closeHeard;
  }

  /** The next frame of a binary message; answers pings on the way. After an end: nothing more. */
  async next(): Promise<BinaryFrame | LineEnd> {
    for (;;) {
      const head = await this.#head();
      if ("kind" in head) return head;
      const { opcode, final } = head;
      if (opcode >= opcodes.close) {
        const end = await this.#steer(head);
        if (end !== undefined) return end;
        continue;
      }
      if (opcode === opcodes.text) {
        return broken("Messages are binary WebSocket frames, not text", UNSUPPORTED_DATA);
      }
      if ((opcode === opcodes.continuation) !== this.#midMessage) {
        return broken(
          "A WebSocket message begins within another, or goes on without a beginning",
        );
      }
      this.#midMessage = !final;
      return { kind: "frame", ...head };
    }
  }

  /**
   * One frame, in the order of the calls; resolves with its length when the system has taken it.
   * @throws {Error} when the connection is over, or Close was said.
   */
  async write(opcode: Opcode, bytes: Uint8Array): Promise<number> {
    if (this.#closeSaid !== undefined) throw new Error("The WebSocket is closing");
    return await this.#write(opcode, bytes);
  }

  /**
   * Says Close, once. When both sides have, the server closes the connection (§7.1.1).
   * @throws {Error} when the connection is over.
   */
  async sayClose(code: number, reason: string): Promise<void> {
    this.#closeSaid ??= this.#write(opcodes.close, closeBytes(code, reason));
    await this.#closeSaid;
  }

  async #head(): Promise<FrameHead | LineEnd> {
    const begin = await this.#tcp.take(LEAST_HEAD_BYTES);
    const rest = begin && await this.#tcp.take(headBytes(begin) - LEAST_HEAD_BYTES);
    if (begin === undefined || rest === undefined) return { kind: "lost" };
    const head = readHead(rest.length === 0 ? begin : new Uint8Array([...begin, ...rest]));
    return typeof head === "string" ? broken(head) : head;
  }

  /** Takes a Close, Ping or Pong; gives back what it ends with, if it does. */
  async #steer({ opcode, lengthBytes, mask }: FrameHead): Promise<LineEnd | undefined> {
    const bytes = await this.#tcp.take(lengthBytes);
    if (bytes === undefined) return { kind: "lost" };
    if (opcode === opcodes.close) {
      this.#closeHeard = true;
      return { kind: "end" };
    }
    if (opcode !== opcodes.ping) return undefined;
    unmask(bytes, mask);
    // Not read on before it has left: else a client that only asks would fill the memory.
    await this.write(opcodes.pong, bytes).catch(() => {}); // over, or closing
    return undefined;
  }

  async #write(opcode: Opcode, bytes: Uint8Array): Promise<number> {
    const head = writeHead(opcode, bytes.length);
    if (bytes.length > SMALL_BYTES) return await this.#tcp.write(head, bytes);
    const frame = new Uint8Array(head.length + bytes.length);
    frame.set(head);
    frame.set(bytes, head.length);
    return await this.#tcp.write(frame);
  }
}

function broken(detail: string, code = PROTOCOL_ERROR): LineEnd {
  return { kind: "broken", code, detail };
}
