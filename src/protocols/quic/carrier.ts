/** What raw QUIC and WebTransport have in common once a connection has named its federation. */

import { Verdict } from "../../contract/federation_pb.ts";
import { FrameReader } from "./frames.ts";
import { MAX_NAME_BYTES } from "./wire.ts";

export type StreamWriter = WritableStreamDefaultWriter<Uint8Array>;

export interface Carrier {
  /** The federation the client asked for. */
  readonly federation: string;
  /** The client's first bidirectional stream. */
  readonly control: { readonly frames: FrameReader; readonly writer: StreamWriter };
  /** Hands over every further stream of the client, at its first message, until the connection is over. */
  eachUpdate(take: (frames: FrameReader) => void): Promise<void>;
  /** Opens a stream for a model; waits until the client allows one more. */
  openModel(): Promise<StreamWriter>;
}

/** Why a connection is not taken: the verdict gives the close code. */
export interface Refusal {
  readonly verdict: Verdict;
  readonly reason: string;
}

export type Count = (bytes: number) => void;

/** Takes a raw connection: its control stream begins with the federation's name. */
export async function acceptRaw(conn: Deno.QuicConn, count: Count): Promise<Carrier | Refusal> {
  const bidirectional = conn.incomingBidirectionalStreams.getReader();
  const control = await nextStream(bidirectional);
  if (control === undefined) return malformed("The connection ended before its control stream");
  const frames = new FrameReader(control.readable, count);
  const name = await frames.next({ maxBytes: MAX_NAME_BYTES });
  if (name.kind !== "message") {
    return malformed("A control stream begins with the length and the name of the federation");
  }
  return {
    federation: new TextDecoder().decode(name.bytes),
    control: { frames, writer: control.writable.getWriter() },
    eachUpdate: async (take) => {
      await Promise.all([
        eachStream(bidirectional, (stream) => take(upward(stream, count))),
        eachStream(
          conn.incomingUnidirectionalStreams.getReader(),
          (stream) => take(new FrameReader(stream, count)),
        ),
      ]);
    },
    openModel: async () => {
      const stream = await conn.createUnidirectionalStream({ waitUntilAvailable: true });
      return stream.getWriter();
    },
  };
}

export function malformed(reason: string): Refusal {
  return { verdict: Verdict.MALFORMED, reason };
}

/** The client's half of a bidirectional stream; ours says nothing, and ends. */
export function upward(stream: Deno.QuicBidirectionalStream, count: Count): FrameReader {
  stream.writable.close().catch(() => {}); // the client asked for no answer there
  return new FrameReader(stream.readable, count);
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
