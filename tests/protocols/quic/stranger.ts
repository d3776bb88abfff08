/** QUIC peers made by hand from wire.md alone: what tests use to do what `dial` never would. */

import assert from "node:assert/strict";
import { addressOf } from "../../../src/protocols/quic/address.ts";
import type { ClientMessage, ServerMessage } from "../../../src/contract/federation_pb.ts";
import {
  clientMessage,
  decodeServerMessage,
  encodeClientMessage,
} from "../../../src/contract/codec.ts";

type ConnectOptions = Deno.ConnectQuicOptions<false> & {
  serverCertificateHashes: WebTransportHash[];
};

/** Soon, but no sooner than a busy machine has done what comes before the silence. */
export const SHORT_IDLE_MS = 3000;

/** A connection that the scope's end closes. */
export class Stranger implements AsyncDisposable {
  readonly conn: Deno.QuicConn;

  constructor(conn: Deno.QuicConn) {
    this.conn = conn;
  }

  static async connect(
    url: string,
    { alpnProtocol = "tributary/1", ...transport }:
      & { alpnProtocol?: string }
      & Deno.QuicTransportOptions = {},
  ): Promise<Stranger> {
    const { hostname, port, hash } = addressOf(new URL(url));
    assert.ok(hash);
    const options: ConnectOptions = {
      ...transport,
      hostname,
      port,
      alpnProtocols: [alpnProtocol],
      serverCertificateHashes: [{ algorithm: "sha-256", value: hash }],
    };
    return new Stranger(await Deno.connectQuic(options));
  }

  /** Opens a bidirectional stream and says these bytes on it. */
  async bidirectional(...chunks: Uint8Array[]): Promise<Told> {
    return await Told.say(await this.conn.createBidirectionalStream(), chunks);
  }

  /** Opens a unidirectional stream, says these bytes on it, and ends it. */
  async upload(...chunks: Uint8Array[]): Promise<void> {
    const stream = await this.conn.createUnidirectionalStream({ waitUntilAvailable: true });
    const writer = stream.getWriter();
    for (const chunk of chunks) await writer.write(chunk);
    await writer.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.conn.close();
    await this.conn.closed.catch(() => {});
  }
}

/** A bidirectional stream with both ends in hand. */
export class Told {
  readonly writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamBYOBReader;

  constructor({ readable, writable }: Deno.QuicBidirectionalStream) {
    this.#reader = readable.getReader({ mode: "byob" });
    this.writer = writable.getWriter();
  }

  static async say(stream: Deno.QuicBidirectionalStream, chunks: Uint8Array[]): Promise<Told> {
    const told = new Told(stream);
    for (const chunk of chunks) await told.writer.write(chunk);
    return told;
  }

  /** Exactly so many bytes. */
  async take(length: number): Promise<Uint8Array> {
    const { value } = await this.#reader.read(new Uint8Array(length), { min: length });
    assert.equal(value?.length, length);
    return value;
  }

  /** The next message of the server; undefined at the stream's end. */
  async hear(): Promise<ServerMessage | undefined> {
    const prefix = await this.#reader.read(new Uint8Array(4), { min: 4 });
    if (prefix.value?.length !== 4) return undefined;
    const length = new DataView(prefix.value.buffer).getUint32(0);
    return decodeServerMessage(await this.take(length));
  }
}

/** A message behind its length. */
export function framed(message: Uint8Array | string): Uint8Array<ArrayBuffer> {
  const bytes = typeof message === "string" ? new TextEncoder().encode(message) : message;
  const frame = new Uint8Array(4 + bytes.length);
  new DataView(frame.buffer).setUint32(0, bytes.length);
  frame.set(bytes, 4);
  return frame;
}

export function said(
  clientId: string,
  sequence: number,
  body: ClientMessage["body"],
): Uint8Array<ArrayBuffer> {
  return framed(encodeClientMessage(clientMessage({ clientId, sequence, body })));
}

/** An update of one part. */
export function update(taskId: number, bytes: Uint8Array): ClientMessage["body"] {
  const { body } = clientMessage({
    body: {
      case: "updatePart",
      value: {
        taskId,
        uploadId: new Uint8Array(16).fill(taskId),
        samples: 1,
        totalBytes: BigInt(bytes.length),
        bytes,
      },
    },
  });
  return body;
}
