/** Length-delimited messages on one QUIC stream. Streams end by FIN, messages by their length. */

import { LENGTH_BYTES, lengthPrefix, readLength, readVarint, varintBytes } from "./wire.ts";

/** Bytes so far, both ways, seen from the server. */
export interface Meter {
  up: number;
  down: number;
}

/** What came next on a stream. Reading never throws: how a stream ends is an outcome as well. */
export type Frame =
  | { readonly kind: "message"; readonly bytes: Uint8Array<ArrayBuffer> }
  /** FIN between two messages. */
  | { readonly kind: "end" }
  /** FIN inside a message. */
  | { readonly kind: "cut" }
  /** The peer reset the stream. */
  | { readonly kind: "reset" }
  /** The connection is over. */
  | { readonly kind: "lost" }
  /** What came breaks the protocol, and nothing after it can be understood. */
  | { readonly kind: "broken"; readonly detail: string }
  | { readonly kind: "oversized"; readonly lengthBytes: number };

/** How the next bytes of a stream could not be had. */
type Ending = Extract<Frame, { kind: "end" | "cut" | "reset" | "lost" }>;

export interface FrameLimits {
  readonly maxBytes: number;
  /** Waited for between a message's length and its bytes: nothing is allocated before. */
  readonly admit?: (lengthBytes: number) => Promise<void>;
}

/** Where messages come from, each in a buffer of its own. */
export interface MessageReader {
  next(limits: FrameLimits): Promise<Frame>;
  /** Asks the peer to send no more. */
  stop(): Promise<void>;
}

/** Where messages go. */
export interface MessageWriter {
  /** Resolves with its bytes on the wire once flow control has taken all of it. */
  write(message: Uint8Array): Promise<number>;
  /** Nothing more comes from us here. */
  close(): Promise<void>;
}

const DRAIN_BYTES = 4096;

/** Reads a stream message by message. */
export class FrameReader implements MessageReader {
  readonly #reader: ReadableStreamBYOBReader;
  readonly #count: (bytes: number) => void;

  constructor(stream: ReadableStream<Uint8Array>, count: (bytes: number) => void = () => {}) {
    this.#reader = stream.getReader({ mode: "byob" });
    this.#count = count;
  }

  async next({ maxBytes, admit }: FrameLimits): Promise<Frame> {
    const prefix = await this.#read(LENGTH_BYTES);
    if (!(prefix instanceof Uint8Array)) return prefix;
    const lengthBytes = readLength(prefix);
    if (lengthBytes > maxBytes) return { kind: "oversized", lengthBytes };
    await admit?.(lengthBytes);
    const bytes = await this.#read(lengthBytes);
    if (bytes instanceof Uint8Array) return { kind: "message", bytes };
    return bytes.kind === "end" ? { kind: "cut" } : bytes;
  }

  /** Exactly so many bytes; undefined when the stream ends before. */
  async take(length: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const bytes = await this.#read(length);
    return bytes instanceof Uint8Array ? bytes : undefined;
  }

  /** A variable-length integer, as HTTP/3 puts before everything. */
  async varint(): Promise<bigint | undefined> {
    const first = await this.take(1);
    const rest = first && await this.take(varintBytes(first[0] ?? 0) - 1);
    return first && rest && readVarint(new Uint8Array([...first, ...rest]));
  }

  /** Reads on without keeping anything, until the stream ends. */
  async drain(): Promise<"end" | "reset" | "lost"> {
    try {
      for (;;) {
        const { value, done } = await this.#reader.read(new Uint8Array(DRAIN_BYTES));
        this.#count(value?.length ?? 0);
        if (done) return "end";
      }
    } catch (error) {
      return isStreamError(error) ? "reset" : "lost";
    }
  }

  /** Asks the peer to send no more (STOP_SENDING). */
  async stop(): Promise<void> {
    await this.#reader.cancel().catch(() => {}); // the connection is over anyway
  }

  /** Exactly `length` bytes. */
  async #read(length: number): Promise<Uint8Array<ArrayBuffer> | Ending> {
    let whole = new Uint8Array(length);
    let filled = 0;
    try {
      // Not every browser knows `min`: then a read may give less.
      while (filled < length) {
        const rest = new Uint8Array(whole.buffer, filled);
        const { value } = await this.#reader.read(rest, { min: rest.length });
        if (value === undefined || value.length === 0) {
          return { kind: filled === 0 ? "end" : "cut" };
        }
        this.#count(value.length);
        filled += value.length;
        whole = new Uint8Array(value.buffer);
      }
      return whole;
    } catch (error) {
      return { kind: isStreamError(error) ? "reset" : "lost" };
    }
  }
}

/** The peer ended this one stream (RESET_STREAM, STOP_SENDING); the connection goes on. */
export function isStreamError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  // Deno's name for it; and WebTransportError's (W3C WebTransport §12), in browsers.
  return error.name === "ConnectionReset" || "source" in error && error.source === "stream";
}

/** Writes messages behind their length to a stream. */
export class FrameWriter implements MessageWriter {
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;

  constructor(writer: WritableStreamDefaultWriter<Uint8Array>) {
    this.#writer = writer;
  }

  write(message: Uint8Array): Promise<number> {
    return writeFrame(this.#writer, message);
  }

  async close(): Promise<void> {
    await this.#writer.close();
  }
}

/** Up to here, copying a message behind its length is cheaper than a second write. */
const SMALL_BYTES = 8 * 1024;

/** Writes one message; resolves once flow control has taken all of it. */
export async function writeFrame(
  writer: WritableStreamDefaultWriter<Uint8Array>,
  message: Uint8Array,
): Promise<number> {
  const prefix = lengthPrefix(message.length);
  if (message.length <= SMALL_BYTES) {
    const frame = new Uint8Array(prefix.length + message.length);
    frame.set(prefix);
    frame.set(message, prefix.length);
    await writer.write(frame);
  } else {
    await Promise.all([writer.write(prefix), writer.write(message)]);
  }
  return prefix.length + message.length;
}
