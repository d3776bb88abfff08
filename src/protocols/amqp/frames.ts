/** Frames on the socket: the general frame format of AMQP 0-9-1 (§4.2.3) and content framing (§4.2.6). */

import { AmqpException } from "./exceptions.ts";
import { encodeMethod, type MethodFields, type MethodName } from "./methods.ts";
import { encodeContentHeader } from "./properties.ts";

/** §4.2.2: "AMQP", 0, and the version 0-9-1. */
export const PROTOCOL_HEADER: Uint8Array<ArrayBuffer> = Uint8Array.of(65, 77, 81, 80, 0, 0, 9, 1);

export const FrameType = { METHOD: 1, HEADER: 2, BODY: 3, HEARTBEAT: 8 } as const;

/** Type, channel and size before a payload, frame-end after it. */
export const FRAME_OVERHEAD_BYTES = 8;
/** Both peers take frames of this size before any other is agreed upon (1.4, frame-min-size). */
export const FRAME_MIN_BYTES = 4096;
const FRAME_HEADER_BYTES = 7;
const FRAME_END = 0xce;

export interface Frame {
  readonly type: number;
  readonly channel: number;
  /** A view of the reading buffer: valid until more is read. */
  readonly payload: Uint8Array;
}

/** §4.2.3: octets that are no frame; the connection is closed without a further word. */
export interface NoFrame {
  readonly fatal: string;
}

const KNOWN_TYPES: ReadonlySet<number> = new Set(Object.values(FrameType));

/** Collects what the socket gives and cuts it into frames. Holds at most two frames' octets. */
export class FrameBuffer {
  #octets: Uint8Array<ArrayBuffer>;
  #start = 0;
  #end = 0;
  #frameMaxBytes: number;

  constructor(frameMaxBytes: number) {
    this.#frameMaxBytes = frameMaxBytes;
    this.#octets = new Uint8Array(2 * frameMaxBytes);
  }

  /** Takes frames up to another size from now on. */
  resize(frameMaxBytes: number): void {
    const octets = new Uint8Array(2 * frameMaxBytes);
    const unread = this.#octets.subarray(this.#start, this.#end);
    // What is unread was taken under the old limit and so fits into the new buffer.
    octets.set(unread);
    this.#octets = octets;
    [this.#start, this.#end] = [0, unread.length];
    this.#frameMaxBytes = frameMaxBytes;
  }

  /** Where the socket's next octets go; never empty once `next` found nothing. */
  space(): Uint8Array<ArrayBuffer> {
    if (this.#start > 0 && this.#octets.length - this.#end < this.#frameMaxBytes) {
      this.#octets.copyWithin(0, this.#start, this.#end);
      [this.#start, this.#end] = [0, this.#end - this.#start];
    }
    return this.#octets.subarray(this.#end);
  }

  filled(octets: number): void {
    this.#end += octets;
  }

  /** The protocol header, once it is there whole; false as soon as it cannot be it (§4.2.2). */
  protocolHeader(): boolean | undefined {
    const length = Math.min(this.#end - this.#start, PROTOCOL_HEADER.length);
    for (let index = 0; index < length; index++) {
      if (this.#octets[this.#start + index] !== PROTOCOL_HEADER[index]) return false;
    }
    if (length < PROTOCOL_HEADER.length) return undefined;
    this.#start += length;
    return true;
  }

  /** The next whole frame; undefined until more octets are there. */
  next(): Frame | NoFrame | AmqpException | undefined {
    const unread = this.#end - this.#start;
    if (unread < FRAME_HEADER_BYTES) return undefined;
    const view = new DataView(this.#octets.buffer, this.#start, FRAME_HEADER_BYTES);
    const [type, channel, size] = [view.getUint8(0), view.getUint16(1), view.getUint32(3)];
    if (!KNOWN_TYPES.has(type)) return { fatal: `${type} is no type of frame` };
    if (size + FRAME_OVERHEAD_BYTES > this.#frameMaxBytes) {
      return new AmqpException(
        "FRAME_ERROR",
        `a frame of ${size + FRAME_OVERHEAD_BYTES} octets where ${this.#frameMaxBytes} were agreed`,
      );
    }
    if (unread < size + FRAME_OVERHEAD_BYTES) return undefined;
    const from = this.#start + FRAME_HEADER_BYTES;
    if (this.#octets[from + size] !== FRAME_END) return { fatal: "a frame does not end in 0xCE" };
    this.#start += size + FRAME_OVERHEAD_BYTES;
    return { type, channel, payload: this.#octets.subarray(from, from + size) };
  }
}

function putFrame(
  into: Uint8Array,
  at: number,
  frame: { type: number; channel: number; payload: Uint8Array },
): number {
  const { type, channel, payload } = frame;
  const view = new DataView(into.buffer, into.byteOffset + at, FRAME_HEADER_BYTES);
  view.setUint8(0, type);
  view.setUint16(1, channel);
  view.setUint32(3, payload.length);
  into.set(payload, at + FRAME_HEADER_BYTES);
  into[at + FRAME_HEADER_BYTES + payload.length] = FRAME_END;
  return at + payload.length + FRAME_OVERHEAD_BYTES;
}

export function encodeFrame(
  type: number,
  channel: number,
  payload: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const octets = new Uint8Array(payload.length + FRAME_OVERHEAD_BYTES);
  putFrame(octets, 0, { type, channel, payload });
  return octets;
}

export function methodFrame<N extends MethodName>(
  channel: number,
  name: N,
  fields: MethodFields<N>,
): Uint8Array<ArrayBuffer> {
  return encodeFrame(FrameType.METHOD, channel, encodeMethod(name, fields));
}

/** §4.2.7: no payload, channel 0. */
export const HEARTBEAT_FRAME: Uint8Array<ArrayBuffer> = encodeFrame(
  FrameType.HEARTBEAT,
  0,
  new Uint8Array(),
);

export interface Content {
  /** The payload of the method frame that announces it. */
  readonly method: Uint8Array;
  /** Flags and property list. */
  readonly properties: Uint8Array;
  readonly body: Uint8Array;
}

/**
 * A whole content, method, header and body frames, in one piece of octets: so nothing else of its
 * channel can come between them (§4.2.6). The body is split at frame-max.
 */
export function contentFrames(
  channel: number,
  content: Content,
  frameMaxBytes: number,
): Uint8Array<ArrayBuffer> {
  const { method, body } = content;
  const header = encodeContentHeader(body.length, content.properties);
  const mostBytes = frameMaxBytes - FRAME_OVERHEAD_BYTES;
  const bodyFrames = Math.ceil(body.length / mostBytes);
  const octets = new Uint8Array(
    method.length + header.length + body.length + FRAME_OVERHEAD_BYTES * (2 + bodyFrames),
  );
  let at = putFrame(octets, 0, { type: FrameType.METHOD, channel, payload: method });
  at = putFrame(octets, at, { type: FrameType.HEADER, channel, payload: header });
  for (let offset = 0; offset < body.length; offset += mostBytes) {
    const payload = body.subarray(offset, Math.min(offset + mostBytes, body.length));
    at = putFrame(octets, at, { type: FrameType.BODY, channel, payload });
  }
  return octets;
}
