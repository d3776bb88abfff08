/** The dialling side of raw QUIC. */

import { isIP } from "node:net";
import { decodeServerMessage, encodeClientMessage } from "../../contract/codec.ts";
import { type Connection, ConnectionLost, type Dial } from "../../contract/connection.ts";
import {
  type ClientMessage,
  type ServerMessage,
  type UpdatePart,
  Verdict,
} from "../../contract/federation_pb.ts";
import { addressOf, type QuicAddress } from "./address.ts";
import { eachStream, type StreamWriter } from "./carrier.ts";
import { endOf, within } from "./ending.ts";
import { FrameReader, isStreamError, type Meter, writeFrame } from "./frames.ts";
import { Inbox } from "./inbox.ts";
import { Socket } from "./sockets.ts";
import { CLOSE_CODES, CLOSE_NO_ERROR, isLast, RAW_ALPN } from "./wire.ts";

/** UDP tells nobody that nobody listens. */
const HANDSHAKE_MS = 10_000;
/** How long the server's silence is borne; its keep-alives are more frequent. */
const IDLE_MS = 30_000;
const KEEP_ALIVE_MS = 7500;
/** How long a closing connection may take to let what was sent leave. */
const FAREWELL_MS = 1000;
/** What is not iterated is read up to here, and one message per open stream beyond. */
const INBOX_BYTES = 1024 * 1024;
/** Far above what servers send: parts are 256 KiB unless configured otherwise. */
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
/** Open at once; beyond it the oldest, which was given up, ends. */
const MAX_UPLOADS = 8;
const MAX_MODELS = 16;

/** A server on every address is on the loopback ones: what connect(2) does for TCP. */
const LOCAL = new Map([["0.0.0.0", "127.0.0.1"], ["::", "::1"]]);

/** In the runtime, though not in its types, connectQuic trusts a hash as WebTransport does. */
type ConnectOptions = Deno.ConnectQuicOptions<false> & {
  serverCertificateHashes?: WebTransportHash[];
};

export const dial: Dial = async (url, { signal }) => {
  const address = addressOf(url);
  let socket: Socket | undefined;
  let reason: string | undefined;
  const giveUp = (why: string) => {
    reason = why;
    socket?.close();
  };
  const abort = () => giveUp("the dialling was aborted");
  const timer = setTimeout(() => giveUp(`no answer within ${HANDSHAKE_MS} ms`), HANDSHAKE_MS);
  signal.addEventListener("abort", abort);
  try {
    // Not every machine has IPv6.
    socket = new Socket(isIP(address.hostname) === 4 ? "0.0.0.0" : "::");
    if (signal.aborted) abort();
    const conn = await Deno.connectQuic(connectOptions(address, socket.endpoint));
    const { readable, writable } = await conn.createBidirectionalStream();
    const writer = writable.getWriter();
    await writeFrame(writer, new TextEncoder().encode(address.federation));
    return new QuicConnection(conn, { readable, writer, socket });
  } catch (error) {
    await socket?.giveBack();
    reason ??= error instanceof Error ? error.message : String(error);
    throw new ConnectionLost(`Cannot reach ${url.host}: ${reason}`);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
};

function connectOptions(
  { hostname, port, hash }: QuicAddress,
  endpoint: Deno.QuicEndpoint,
): ConnectOptions {
  return {
    hostname: LOCAL.get(hostname) ?? hostname,
    port,
    endpoint,
    alpnProtocols: [RAW_ALPN],
    maxIdleTimeout: IDLE_MS,
    keepAliveInterval: KEEP_ALIVE_MS,
    maxConcurrentUnidirectionalStreams: MAX_MODELS,
    ...(hash !== undefined && { serverCertificateHashes: [{ algorithm: "sha-256", value: hash }] }),
  };
}

class QuicConnection implements Connection {
  readonly wire = "quic";
  readonly lost: Promise<string>;
  readonly #conn: Deno.QuicConn;
  readonly #socket: Socket;
  readonly #control: StreamWriter;
  readonly #uploads = new Map<string, Promise<StreamWriter>>();
  readonly #inbox = new Inbox<ServerMessage>(INBOX_BYTES);
  readonly #meter: Meter = { up: 0, down: 0 };
  readonly #models = new Set<Promise<void>>();
  readonly #controlRead: Promise<void>;
  readonly #reading: Promise<unknown>;
  #failure: string | undefined;
  #disposing: Promise<void> | undefined;

  constructor(
    conn: Deno.QuicConn,
    { readable, writer, socket }: {
      readable: ReadableStream<Uint8Array>;
      writer: StreamWriter;
      socket: Socket;
    },
  ) {
    this.#conn = conn;
    this.#socket = socket;
    this.#control = writer;
    this.#controlRead = this.#read(readable);
    const models = eachStream(conn.incomingUnidirectionalStreams.getReader(), (stream) => {
      const model = this.#read(stream).finally(() => this.#models.delete(model));
      this.#models.add(model);
    });
    this.#reading = Promise.all([this.#controlRead, models]);
    this.lost = this.#end();
    void this.#followServer();
  }

  get messages(): AsyncIterable<ServerMessage> {
    return this.#inbox;
  }

  async send(message: ClientMessage): Promise<void> {
    try {
      const bytes = encodeClientMessage(message);
      if (message.body.case === "updatePart") await this.#sendPart(message.body.value, bytes);
      else await this.#write(this.#control, bytes);
    } catch {
      this.#conn.close({ closeCode: CLOSE_NO_ERROR, reason: "" });
      throw new ConnectionLost(await this.lost);
    }
  }

  traffic(): { readonly up: number; readonly down: number } {
    return { ...this.#meter };
  }

  async #sendPart(part: UpdatePart, bytes: Uint8Array): Promise<void> {
    const id = part.uploadId.toHex();
    const upload = this.#uploads.get(id) ?? this.#openUpload(id);
    if (isLast(part)) this.#uploads.delete(id);
    try {
      const writer = await upload;
      await this.#write(writer, bytes);
      if (isLast(part)) await writer.close();
    } catch (error) {
      if (!isStreamError(error)) throw error;
      // The server stopped this stream alone. Its receipt says why; another part opens a new one.
      this.#uploads.delete(id);
    }
  }

  #openUpload(id: string): Promise<StreamWriter> {
    const [oldest] = this.#uploads;
    if (oldest !== undefined && this.#uploads.size >= MAX_UPLOADS) {
      this.#uploads.delete(oldest[0]);
      void endUpload(oldest[1]);
    }
    const upload = this.#conn.createUnidirectionalStream({ waitUntilAvailable: true })
      .then((stream) => stream.getWriter());
    this.#uploads.set(id, upload);
    return upload;
  }

  async #write(writer: StreamWriter, bytes: Uint8Array): Promise<void> {
    this.#meter.up += await writeFrame(writer, bytes);
  }

  /** Reads one stream to its end. */
  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const frames = new FrameReader(stream, (bytes) => {
      this.#meter.down += bytes;
    });
    for (;;) {
      const frame = await frames.next({ maxBytes: MAX_MESSAGE_BYTES });
      if (frame.kind === "end" || frame.kind === "lost") return;
      if (frame.kind !== "message") {
        return this.#fail(`The server sent a message that is ${frame.kind}`);
      }
      let message: ServerMessage;
      try {
        message = decodeServerMessage(frame.bytes);
      } catch (error) {
        return this.#fail(String(error));
      }
      await this.#inbox.put(message, frame.bytes.length);
    }
  }

  #fail(reason: string): void {
    this.#failure ??= reason;
    this.#conn.close({ closeCode: CLOSE_CODES[Verdict.MALFORMED], reason });
  }

  /** The server ends its control stream when it is done: ending ours tells it that all was read. */
  async #followServer(): Promise<void> {
    await this.#controlRead;
    await Promise.all(this.#models);
    if (this.#disposing !== undefined) return;
    await within(FAREWELL_MS, async () => {
      await this.#control.close();
      await this.lost;
    });
    this.#conn.close({ closeCode: CLOSE_NO_ERROR, reason: "" });
  }

  /** Resolves with the reason when the connection is over. */
  async #end(): Promise<string> {
    const reason = await endOf(this.#conn);
    await this.#socket.giveBack();
    // What was read and waits for room can still be iterated.
    void this.#reading.then(() => Promise.all(this.#models)).then(() => this.#inbox.end());
    return this.#failure ?? reason;
  }

  async #dispose(): Promise<void> {
    this.#inbox.end();
    await within(FAREWELL_MS, async () => {
      await Promise.all([...this.#uploads.values()].map(endUpload));
      await this.#control.close();
      await this.#controlRead;
    });
    this.#conn.close({ closeCode: CLOSE_NO_ERROR, reason: "The client leaves" });
    await this.lost;
    await this.#reading;
    await Promise.all(this.#models);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposing ??= this.#dispose();
    await this.#disposing;
  }
}

async function endUpload(upload: Promise<StreamWriter>): Promise<void> {
  try {
    await (await upload).close();
  } catch {
    // Stopped or lost: it has ended.
  }
}
