/** The dialling side's connection, once its control stream is open: raw QUIC and WebTransport alike. */

import { decodeServerMessage, encodeClientMessage } from "../../contract/codec.ts";
import { type Connection, ConnectionLost } from "../../contract/connection.ts";
import {
  type ClientMessage,
  type ServerMessage,
  type UpdatePart,
  Verdict,
} from "../../contract/federation_pb.ts";
import type { WireName } from "../../contract/protocol_server.ts";
import { eachStream, type StreamWriter } from "./carrier.ts";
import { type CloseInfo, endOf, within } from "./ending.ts";
import { FrameReader, isStreamError, type Meter, writeFrame } from "./frames.ts";
import { Inbox } from "./inbox.ts";
import { CLOSE_CODES, CLOSE_NO_ERROR, isLast } from "./wire.ts";

/** How long a closing connection may take to let what was sent leave. */
const FAREWELL_MS = 1000;
/** What is not iterated is read up to here, and one message per open stream beyond. */
const INBOX_BYTES = 1024 * 1024;
/** Far above what servers send: parts are 256 KiB unless configured otherwise. */
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
/** Open at once; beyond it the oldest, which was given up, ends. */
const MAX_UPLOADS = 8;

/** What raw QUIC's connections and WebTransport's sessions have in common. */
export interface StreamSession {
  readonly incomingUnidirectionalStreams: ReadableStream<ReadableStream<Uint8Array>>;
  readonly closed: Promise<CloseInfo>;
  createUnidirectionalStream(
    options: { waitUntilAvailable: boolean },
  ): Promise<WritableStream<Uint8Array>>;
  close(info: { closeCode: number; reason: string }): void;
}

export interface StreamConnectionOptions {
  readonly wire: WireName;
  /** The control stream. */
  readonly readable: ReadableStream<Uint8Array>;
  readonly writer: StreamWriter;
  /** Called when the session is over. */
  readonly release?: () => Promise<void>;
}

/** A client's connection on which each update and each model travels on a stream of its own. */
export class StreamConnection implements Connection {
  readonly wire: WireName;
  readonly lost: Promise<string>;
  readonly #session: StreamSession;
  readonly #release: () => Promise<void>;
  readonly #control: StreamWriter;
  readonly #uploads = new Map<string, Promise<StreamWriter>>();
  readonly #inbox = new Inbox<ServerMessage>(INBOX_BYTES);
  readonly #meter: Meter = { up: 0, down: 0 };
  readonly #models = new Set<Promise<void>>();
  readonly #controlRead: Promise<void>;
  readonly #reading: Promise<unknown>;
  #failure: string | undefined;
  #disposing: Promise<void> | undefined;

  constructor(session: StreamSession, options: StreamConnectionOptions) {
    const { wire, readable, writer, release = () => Promise.resolve() } = options;
    this.wire = wire;
    this.#session = session;
    this.#release = release;
    this.#control = writer;
    this.#controlRead = this.#read(readable);
    const models = eachStream(session.incomingUnidirectionalStreams.getReader(), (stream) => {
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
      this.#session.close({ closeCode: CLOSE_NO_ERROR, reason: "" });
      throw new ConnectionLost(await this.lost);
    }
  }

  traffic(): { readonly up: number; readonly down: number } {
    return { ...this.#meter };
  }

  async #sendPart(part: UpdatePart, bytes: Uint8Array): Promise<void> {
    const id = part.uploadId.join();
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
    const upload = this.#session.createUnidirectionalStream({ waitUntilAvailable: true })
      .then((stream) => stream.getWriter());
    this.#uploads.set(id, upload);
    return upload;
  }

  async #write(writer: StreamWriter, bytes: Uint8Array): Promise<void> {
    const written = await writeFrame(writer, bytes);
    this.#meter.up += written; // not `+= await`, which would read the meter before the wait
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
    this.#session.close({ closeCode: CLOSE_CODES[Verdict.MALFORMED], reason });
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
    this.#session.close({ closeCode: CLOSE_NO_ERROR, reason: "" });
  }

  /** Resolves with the reason when the connection is over. */
  async #end(): Promise<string> {
    const reason = await endOf(this.#session);
    await this.#release();
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
    this.#session.close({ closeCode: CLOSE_NO_ERROR, reason: "The client leaves" });
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
