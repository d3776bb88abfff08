/** A QUIC peer made by hand from wire.md alone: what tests use to say what `dial` never would. */

import assert from "node:assert/strict";
import { addressOf } from "../../../src/protocols/quic/address.ts";

type ConnectOptions = Deno.ConnectQuicOptions<false> & {
  serverCertificateHashes: WebTransportHash[];
};

/** A connection that the scope's end closes. */
export class Stranger implements AsyncDisposable {
  readonly conn: Deno.QuicConn;

  constructor(conn: Deno.QuicConn) {
    this.conn = conn;
  }

  static async connect(url: string, alpnProtocol = "tributary/1"): Promise<Stranger> {
    const { hostname, port, hash } = addressOf(new URL(url));
    assert.ok(hash);
    const endpoint = new Deno.QuicEndpoint({ hostname: "127.0.0.1" });
    const options: ConnectOptions = {
      hostname,
      port,
      endpoint,
      alpnProtocols: [alpnProtocol],
      serverCertificateHashes: [{ algorithm: "sha-256", value: hash }],
    };
    try {
      return new Stranger(await Deno.connectQuic(options));
    } catch (error) {
      endpoint.close();
      throw error;
    }
  }

  /** Opens the control stream and says these bytes. */
  async control(...chunks: Uint8Array[]): Promise<Deno.QuicBidirectionalStream> {
    const stream = await this.conn.createBidirectionalStream();
    await say(stream.writable, ...chunks);
    return stream;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.conn.endpoint.close();
    await this.conn.closed.catch(() => {});
  }
}

export async function say(stream: WritableStream<Uint8Array>, ...chunks: Uint8Array[]) {
  const writer = stream.getWriter();
  for (const chunk of chunks) await writer.write(chunk);
  writer.releaseLock();
}

/** A message behind its length. */
export function framed(message: Uint8Array | string): Uint8Array {
  const bytes = typeof message === "string" ? new TextEncoder().encode(message) : message;
  const frame = new Uint8Array(4 + bytes.length);
  new DataView(frame.buffer).setUint32(0, bytes.length);
  frame.set(bytes, 4);
  return frame;
}
