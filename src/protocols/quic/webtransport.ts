/** WebTransport over HTTP/3 (draft-ietf-webtrans-http3) on the same port as raw QUIC. */

import { decoded } from "./address.ts";
import {
  type Carrier,
  type Count,
  eachStream,
  malformed,
  nextStream,
  type Refusal,
  type StreamWriter,
} from "./carrier.ts";
import { FrameReader } from "./frames.ts";
import { varint, WEBTRANSPORT_BIDIRECTIONAL, WEBTRANSPORT_UNIDIRECTIONAL } from "./wire.ts";

/** A session's id is the id of its CONNECT stream: the first that a client opens (RFC 9000 §2.1). */
const SESSION_ID = 0n;

/**
 * Takes a WebTransport session: the path of its URL is the federation's name. Deno makes the
 * session; its streams are read and written as plain QUIC streams, because those that Deno's
 * session hands out neither end nor give back their credit (denoland/deno #36822).
 */
export async function acceptWebTransport(
  conn: Deno.QuicConn,
  count: Count,
): Promise<Carrier | Refusal> {
  let session: WebTransport & { url: string };
  try {
    session = await Deno.upgradeWebTransport(conn);
  } catch (error) {
    return malformed(`Not a WebTransport session: ${String(error)}`);
  }
  session.closed.catch(() => {}); // rejects for a vanished peer; the connection says so as well
  const federation = decoded(new URL(session.url).pathname.slice(1)) ?? "";
  const bidirectional = conn.incomingBidirectionalStreams.getReader();
  const control = await nextStream(bidirectional);
  const frames = control &&
    await sessionFrames(control.readable, WEBTRANSPORT_BIDIRECTIONAL, count);
  if (control === undefined || frames === undefined) {
    return malformed("The session ended before its control stream");
  }
  return new SessionCarrier(conn, session, {
    federation,
    control: { frames, writer: control.writable.getWriter() },
    bidirectional,
    count,
  });
}

class SessionCarrier implements Carrier {
  readonly federation: string;
  readonly control: Carrier["control"];
  readonly #conn: Deno.QuicConn;
  readonly #bidirectional: ReadableStreamDefaultReader<Deno.QuicBidirectionalStream>;
  readonly #count: Count;
  /** Kept: were it collected, its CONNECT and settings streams would end, and with them the session. */
  readonly session: WebTransport;

  constructor(
    conn: Deno.QuicConn,
    session: WebTransport,
    { federation, control, bidirectional, count }: Pick<Carrier, "federation" | "control"> & {
      bidirectional: ReadableStreamDefaultReader<Deno.QuicBidirectionalStream>;
      count: Count;
    },
  ) {
    this.federation = federation;
    this.control = control;
    this.#conn = conn;
    this.#bidirectional = bidirectional;
    this.#count = count;
    this.session = session;
  }

  async eachUpdate(take: (frames: FrameReader) => void): Promise<void> {
    const unidirectional = this.#conn.incomingUnidirectionalStreams.getReader();
    const takeBidirectional = async (stream: Deno.QuicBidirectionalStream) => {
      stream.writable.close().catch(() => {}); // the client asked for no answer there
      const frames = await sessionFrames(stream.readable, WEBTRANSPORT_BIDIRECTIONAL, this.#count);
      if (frames !== undefined) take(frames);
    };
    const takeUnidirectional = async (stream: Deno.QuicReceiveStream) => {
      const frames = await sessionFrames(stream, WEBTRANSPORT_UNIDIRECTIONAL, this.#count);
      if (frames !== undefined) take(frames);
    };
    await Promise.all([
      eachStream(this.#bidirectional, (stream) => void takeBidirectional(stream)),
      eachStream(unidirectional, (stream) => void takeUnidirectional(stream)),
    ]);
  }

  async openModel(): Promise<StreamWriter> {
    const stream = await this.#conn.createUnidirectionalStream({ waitUntilAvailable: true });
    const writer = stream.getWriter();
    await writer.write(
      new Uint8Array([...varint(BigInt(WEBTRANSPORT_UNIDIRECTIONAL)), ...varint(SESSION_ID)]),
    );
    return writer;
  }
}

/** A stream of the session, past its prefix. Any other stream is HTTP/3's own: it is read and forgotten. */
async function sessionFrames(
  stream: Deno.QuicReceiveStream,
  kind: number,
  count: Count,
): Promise<FrameReader | undefined> {
  const frames = new FrameReader(stream, count);
  if (await frames.varint() === BigInt(kind) && await frames.varint() === SESSION_ID) return frames;
  // Stopping a QPACK stream would be an HTTP/3 connection error (RFC 9204 §4.2).
  await frames.drain();
  return undefined;
}
