/** WebTransport over HTTP/3 (draft-ietf-webtrans-http3) on the same port as raw QUIC. */

import { isWelcome } from "../../websocket/origins.ts";
import { federationOf } from "./address.ts";
import {
  type Admittance,
  type Carrier,
  closeInfo,
  type Count,
  eachStream,
  endUnused,
  malformed,
  nextStream,
  openStream,
  otherFederation,
  type Parting,
  type Refusal,
  type StreamWriter,
  unwelcome,
} from "./carrier.ts";
import { endOf, within } from "./ending.ts";
import { FrameReader, FrameWriter, type MessageWriter } from "./frames.ts";
import {
  controlStream,
  HEADERS,
  sessionAccepted,
  sessionClosed,
  sessionRefused,
  type SessionRequest,
  sessionRequest,
  WEBTRANSPORT_BIDIRECTIONAL,
  WEBTRANSPORT_UNIDIRECTIONAL,
} from "./http3.ts";
import { varint } from "./wire.ts";

/** A session's id is the id of its CONNECT stream: the first that a client opens (RFC 9000 §2.1). */
const SESSION_ID = 0n;
/** What begins a stream of ours. */
const DOWNWARD_PREFIX = new Uint8Array([
  ...varint(BigInt(WEBTRANSPORT_UNIDIRECTIONAL)),
  ...varint(SESSION_ID),
]);
const MAX_HTTP_FRAME_BYTES = 16_384n;
/** How long a client may take to hear why a session is not to be had, or is over. */
const GOODBYE_MS = 250;

/**
 * Takes a WebTransport session: the path of its URL is the federation's name. This speaks HTTP/3
 * itself: streams of Deno.upgradeWebTransport neither end nor give back their credit (denoland/deno
 * #36822), its sessions do not tell when a page closes them, and each that it refuses leaks a stream.
 */
export async function acceptWebTransport(
  conn: Deno.QuicConn,
  { federation, origins, count }: Admittance,
): Promise<Carrier | Refusal> {
  const bidirectional = conn.incomingBidirectionalStreams.getReader();
  try {
    const settings = await openStream(conn);
    await settings.write(controlStream());
    const request = await readRequest(await nextStream(bidirectional), count);
    if ("verdict" in request) return request;
    const { path, origin = "" } = request;
    const refusal = federationOf(path) !== federation
      ? otherFederation(federation)
      : isWelcome(request, origins)
      ? undefined
      : unwelcome(origin);
    if (refusal !== undefined) {
      await request.writer.write(sessionRefused(refusal.verdict));
      await request.writer.close();
      await within(GOODBYE_MS, () => request.ended);
      return refusal;
    }
    await request.writer.write(sessionAccepted());
    const control = await nextStream(bidirectional);
    const frames = control &&
      await sessionFrames(control.readable, WEBTRANSPORT_BIDIRECTIONAL, count);
    if (control === undefined || frames === undefined) {
      return malformed("The session ended before its control stream");
    }
    const writer = new FrameWriter(control.writable.getWriter());
    return new Session(conn, request, {
      control: { frames, writer, end: () => writer.close() },
      bidirectional,
      settings,
      count,
    });
  } catch (error) {
    return malformed(`No WebTransport session: ${String(error)}`);
  }
}

/** The stream that asked for the session, and lives as long as it. */
interface Request extends SessionRequest {
  readonly writer: StreamWriter;
  readonly ended: Promise<"end" | "reset" | "lost">;
}

async function readRequest(
  stream: Deno.QuicBidirectionalStream | undefined,
  count: Count,
): Promise<Request | Refusal> {
  if (stream === undefined) return malformed("The connection ended before its request");
  const frames = new FrameReader(stream.readable, count);
  for (;;) {
    const type = await frames.varint();
    const length = await frames.varint();
    if (type === undefined || length === undefined || length > MAX_HTTP_FRAME_BYTES) {
      return malformed("The first stream is no HTTP/3 request");
    }
    const section = await frames.take(Number(length));
    if (type !== HEADERS) continue; // unknown frames are to be ignored (RFC 9114 §9)
    const request = section && sessionRequest(section);
    if (request === undefined) return malformed("The request is not for a WebTransport session");
    return { ...request, writer: stream.writable.getWriter(), ended: frames.drain() };
  }
}

class Session implements Carrier {
  readonly control: Carrier["control"];
  readonly left: Promise<void>;
  readonly over: Promise<string>;
  readonly #conn: Deno.QuicConn;
  readonly #request: Request;
  readonly #bidirectional: ReadableStreamDefaultReader<Deno.QuicBidirectionalStream>;
  readonly #count: Count;
  /** Kept: were it collected, it would end, and with it the connection (RFC 9114 §6.2.1). */
  readonly settings: StreamWriter;

  constructor(
    conn: Deno.QuicConn,
    request: Request,
    { control, bidirectional, settings, count }: {
      control: Carrier["control"];
      bidirectional: ReadableStreamDefaultReader<Deno.QuicBidirectionalStream>;
      settings: StreamWriter;
      count: Count;
    },
  ) {
    this.#conn = conn;
    this.over = endOf(conn);
    this.#request = request;
    this.control = control;
    // A lost connection says itself how it was lost.
    this.left = new Promise((resolve) => {
      void request.ended.then((ending) => ending === "lost" ? undefined : resolve());
    });
    this.#bidirectional = bidirectional;
    this.settings = settings;
    this.#count = count;
  }

  async eachUpdate(take: (frames: FrameReader) => void): Promise<void> {
    const takeFrom = async (stream: Deno.QuicReceiveStream, kind: number) => {
      const frames = await sessionFrames(stream, kind, this.#count);
      if (frames !== undefined) take(frames);
    };
    const unidirectional = this.#conn.incomingUnidirectionalStreams.getReader();
    await Promise.all([
      eachStream(this.#bidirectional, (stream) => {
        void endUnused(stream.writable);
        void takeFrom(stream.readable, WEBTRANSPORT_BIDIRECTIONAL);
      }),
      eachStream(unidirectional, (stream) => void takeFrom(stream, WEBTRANSPORT_UNIDIRECTIONAL)),
    ]);
  }

  async openModel(): Promise<MessageWriter> {
    const writer = await openStream(this.#conn);
    await writer.write(DOWNWARD_PREFIX);
    return new FrameWriter(writer);
  }

  /** Scripts hear the reason of a session's end, not that of a connection's. */
  async close(parting: Parting): Promise<void> {
    const info = closeInfo(parting);
    await within(GOODBYE_MS, async () => {
      await this.#request.writer.write(sessionClosed(info));
      await this.#request.writer.close();
      await this.#request.ended;
    });
    this.#conn.close(info);
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
  // Stopping the control stream or QPACK's would be a connection error (RFC 9114 §6.2.1, RFC 9204 §4.2).
  await frames.drain();
  return undefined;
}
