/** Reads a client's messages off a WebSocket; answers pings on the way. */

import type { Frame, FrameLimits, MessageReader } from "./frames.ts";
import type { Tcp } from "./tcp.ts";
import {
  type FrameHead,
  headBytes,
  LEAST_HEAD_BYTES,
  opcodes,
  readHead,
  unmask,
} from "./websocket_frames.ts";

type Ending = Exclude<Frame, { kind: "message" }>;

export class WebSocketReader implements Pick<MessageReader, "next"> {
  readonly #tcp: Tcp;
  readonly #pong: (bytes: Uint8Array) => Promise<unknown>;
  #ended = false;
  #closeHeard = false;

  constructor(tcp: Tcp, pong: (bytes: Uint8Array) => Promise<unknown>) {
    this.#tcp = tcp;
    this.#pong = pong;
  }

  /** The client has said Close. */
  get closeHeard(): boolean {
    return this.#closeHeard;
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
      const head = await this.#head();
      if ("kind" in head) return head;
      const { opcode, final, lengthBytes, mask } = head;
      if (opcode >= opcodes.close) {
        const ending = await this.#steer(head);
        if (ending !== undefined) return ending;
        continue;
      }
      if (opcode === opcodes.text) return broken("Messages are binary WebSocket frames, not text");
      if ((opcode === opcodes.continuation) === (message === undefined)) {
        return broken("A WebSocket message begins within another, or goes on without a beginning");
      }
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

  async #head(): Promise<FrameHead | Ending> {
    const begin = await this.#tcp.take(LEAST_HEAD_BYTES);
    const rest = begin && await this.#tcp.take(headBytes(begin) - LEAST_HEAD_BYTES);
    if (begin === undefined || rest === undefined) return { kind: "lost" };
    const head = readHead(rest.length === 0 ? begin : new Uint8Array([...begin, ...rest]));
    return typeof head === "string" ? broken(head) : head;
  }

  /** Takes a Close, Ping or Pong; gives back what it ends with, if it does. */
  async #steer({ opcode, lengthBytes, mask }: FrameHead): Promise<Ending | undefined> {
    const bytes = await this.#tcp.take(lengthBytes);
    if (bytes === undefined) return { kind: "lost" };
    if (opcode === opcodes.close) {
      this.#closeHeard = true;
      return { kind: "end" };
    }
    if (opcode !== opcodes.ping) return undefined;
    unmask(bytes, mask);
    // Not read on before it has left: else a client that only asks would fill the memory.
    await this.#pong(bytes).catch(() => {}); // over, or closing
    return undefined;
  }
}

function broken(detail: string): Ending {
  return { kind: "broken", detail };
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
