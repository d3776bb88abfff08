/**
 * What raw QUIC, WebTransport and WebSocket have in common once a connection has named its
 * federation.
 */

import { Verdict } from "../../contract/federation_pb.ts";
import { endOf } from "./ending.ts";
import { FrameReader, FrameWriter, type MessageReader, type MessageWriter } from "./frames.ts";
import { CLOSE_CODES, MAX_NAME_BYTES } from "./wire.ts";

export type StreamWriter = WritableStreamDefaultWriter<Uint8Array>;

export interface Carrier {
  /** The client's first bidirectional stream, or all there is. */
  readonly control: {
    readonly frames: Pick<MessageReader, "next">;
    readonly writer: Pick<MessageWriter, "write">;
    /** Tells the client that nothing more comes from us. */
    end(parting: Parting): Promise<void>;
  };
  /** Resolves when the client has ended its session, though the connection may still stand. */
  readonly left: Promise<void>;
  /** Resolves with the reason, for people, once the connection is over. */
  readonly over: Promise<string>;
  /** Hands over every further stream of the client, at its first message, until the connection is over. */
  eachUpdate(take: (frames: MessageReader) => void): Promise<void>;
  /** Opens a stream for a model; waits until the client allows one more. */
  openModel(): Promise<MessageWriter>;
  /** Closes the connection so that the client hears why. */
  close(parting: Parting): Promise<void>;
}

/** How the server takes its leave. UNSPECIFIED is nobody's mistake. */
export interface Parting {
  readonly verdict: Verdict;
  readonly reason: string;
}

/** What a carrier is accepted with. */
export interface Admittance {
  readonly federation: string;
  /** Of web pages that may join beside those that always may. */
  readonly origins: readonly string[];
  readonly count: Count;
}

/** Why a connection is not taken. */
export type Refusal = Parting;

export type Count = (bytes: number) => void;

/** Takes a raw connection: its control stream begins with the federation's name. */
export async function acceptRaw(
  conn: Deno.QuicConn,
  { federation, count }: Admittance,
): Promise<Carrier | Refusal> {
  const bidirectional = conn.incomingBidirectionalStreams.getReader();
  const control = await nextStream(bidirectional);
  if (control === undefined) return malformed("The connection ended before its control stream");
  const frames = new FrameReader(control.readable, count);
  const name = await frames.next({ maxBytes: MAX_NAME_BYTES });
  if (name.kind !== "message") {
    return malformed("A control stream begins with the length and the name of the federation");
  }
  if (new TextDecoder().decode(name.bytes) !== federation) return otherFederation(federation);
  const writer = new FrameWriter(control.writable.getWriter());
  return {
    control: { frames, writer, end: () => writer.close() },
    left: new Promise(() => {}), // a raw client leaves with its connection
    over: endOf(conn),
    eachUpdate: async (take) => {
      await Promise.all([
        eachStream(bidirectional, ({ readable, writable }) => {
          void endUnused(writable);
          take(new FrameReader(readable, count));
        }),
        eachStream(
          conn.incomingUnidirectionalStreams.getReader(),
          (stream) => take(new FrameReader(stream, count)),
        ),
      ]);
    },
    openModel: async () => new FrameWriter(await openStream(conn)),
    close: (parting) => Promise.resolve(conn.close(closeInfo(parting))),
  };
}

/** CONNECTION_CLOSE, or CLOSE_WEBTRANSPORT_SESSION. */
export function closeInfo({ verdict, reason }: Parting): Deno.QuicCloseInfo {
  return { closeCode: CLOSE_CODES[verdict], reason };
}

export async function openStream(conn: Deno.QuicConn): Promise<StreamWriter> {
  const stream = await conn.createUnidirectionalStream({ waitUntilAvailable: true });
  return stream.getWriter();
}

/** Our half of a bidirectional stream that asked for no answer. */
export async function endUnused(writable: WritableStream<Uint8Array>): Promise<void> {
  await writable.close().catch(() => {}); // stopped or lost: it has ended
}

export function malformed(reason: string): Refusal {
  return { verdict: Verdict.MALFORMED, reason };
}

export function unwelcome(origin: string): Refusal {
  const reason = `Pages of ${origin} may not join; allow them by --quic-origins`;
  return { verdict: Verdict.UNAUTHORISED, reason };
}

export function otherFederation(federation: string): Refusal {
  const reason = `This is the federation ${federation}, with which its addresses end`;
  return { verdict: Verdict.UNSUPPORTED, reason };
}

/** The next stream the client opens, or undefined when the connection is over. */
export async function nextStream<S>(
  incoming: ReadableStreamDefaultReader<S>,
): Promise<S | undefined> {
  try {
    return (await incoming.read()).value;
  } catch {
    return undefined;
  }
}

export async function eachStream<S>(
  incoming: ReadableStreamDefaultReader<S>,
  take: (stream: S) => void,
): Promise<void> {
  let stream = await nextStream(incoming);
  while (stream !== undefined) {
    take(stream);
    stream = await nextStream(incoming);
  }
}
