/** What raw QUIC and WebTransport have in common once a connection has named its federation. */

import { Verdict } from "../../contract/federation_pb.ts";
import { FrameReader } from "./frames.ts";
import { MAX_NAME_BYTES } from "./wire.ts";

export type StreamWriter = WritableStreamDefaultWriter<Uint8Array>;

export interface Carrier {
  /** The client's first bidirectional stream. */
  readonly control: { readonly frames: FrameReader; readonly writer: StreamWriter };
  /** Resolves when the client has ended its session, though the connection may still stand. */
  readonly left: Promise<void>;
  /** Hands over every further stream of the client, at its first message, until the connection is over. */
  eachUpdate(take: (frames: FrameReader) => void): Promise<void>;
  /** Opens a stream for a model; waits until the client allows one more. */
  openModel(): Promise<StreamWriter>;
  /** Closes the connection so that the client hears why. */
  close(info: Deno.QuicCloseInfo): Promise<void>;
}

/** What a carrier is accepted with. */
export interface Admittance {
  readonly federation: string;
  readonly count: Count;
}

/** Why a connection is not taken: the verdict gives the close code. */
export interface Refusal {
  readonly verdict: Verdict;
  readonly reason: string;
}

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
  return {
    control: { frames, writer: control.writable.getWriter() },
    left: new Promise(() => {}), // a raw client leaves with its connection
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
    openModel: () => openStream(conn),
    close: (info) => Promise.resolve(conn.close(info)),
  };
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

export function otherFederation(federation: string): Refusal {
  return { verdict: Verdict.UNSUPPORTED, reason: `This is the federation ${federation}` };
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
