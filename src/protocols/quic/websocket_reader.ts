/** Puts a client's messages together from the frames of a WebSocket. */

import { unmask } from "../../websocket/frames.ts";
import type { WebSocketLine } from "../../websocket/line.ts";
import type { Tcp } from "../../websocket/tcp.ts";
import type { Frame, FrameLimits, MessageReader } from "./frames.ts";

export class WebSocketReader implements Pick<MessageReader, "next"> {
  readonly #tcp: Tcp;
  readonly #line: WebSocketLine;
  #ended = false;

  constructor(tcp: Tcp, line: WebSocketLine) {
    this.#tcp = tcp;
    this.#line = line;
  }

  /** Nothing is read here any more. */
  get ended(): boolean {
    return this.#ended;
  }

  async next(limits: FrameLimits): Promise<Frame> {
    const frame = await this.#next(limits);
    if (frame.kind !== "message") this.#ended = true;
    return frame;
  }

  async #next({ maxBytes, admit }: FrameLimits): Promise<Frame> {
    let message: Fragments | undefined;
    for (;;) {
      const frame = await this.#line.next();
      if (frame.kind !== "frame") return frame;
      const { final, lengthBytes, mask } = frame;
      const length = (message?.length ?? 0) + lengthBytes;
      if (length > maxBytes) return { kind: "oversized", lengthBytes: length };
      if (message === undefined) {
        // How long a message in several frames will be is told by none of them.
        await admit?.(final ? lengthBytes : maxBytes);
        message = new Fragments(final ? lengthBytes : Math.min(2 * lengthBytes, maxBytes));
      }
      const fragment = message.grow(lengthBytes, maxBytes);
      if (!await this.#tcp.fill(fragment)) return { kind: "lost" };
      unmask(fragment, mask);
      if (final) return { kind: "message", bytes: message.whole() };
    }
  }
}

/** A message that comes in one frame or in several. */
class Fragments {
  #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;

  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  /** Room for the next frame. */
  grow(lengthBytes: number, maxBytes: number): Uint8Array<ArrayBuffer> {
    const end = this.#length + lengthBytes;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.min(2 * end, maxBytes));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    const room = this.#bytes.subarray(this.#length, end);
    this.#length = end;
    return room;
  }

  whole(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }
}
