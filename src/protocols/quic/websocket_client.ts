/** The dialling side of WebSocket. */

import { decodeServerMessage, encodeClientMessage } from "../../contract/codec.ts";
import { type Connection, ConnectionLost, type Dial } from "../../contract/connection.ts";
import type { ClientMessage, ServerMessage } from "../../contract/federation_pb.ts";
import { shownUrl } from "../../contract/shown_url.ts";
import { federationOf } from "./address.ts";
import { endOf, sentence, within } from "./ending.ts";
import type { Meter } from "./frames.ts";
import { Inbox } from "./inbox.ts";
import { type MessageStream, openWebSocket } from "./websocket_stream.ts";

/** How long a closing connection may take to let what was sent leave. */
const FAREWELL_MS = 1000;
/** What is not iterated is read up to here, and one message beyond. */
const INBOX_BYTES = 1024 * 1024;
/** RFC 6455 §7.4.1; scripts of a page may give no other of the registered codes. */
const NORMAL_CLOSURE = 1000;
/** For applications: what came breaks the contract. */
const BROKEN = 4007;

/** Dials `ws://host:port/federation`. */
export const dial: Dial = async (url, { signal, ca }) => {
  if (url.protocol !== "ws:" && url.protocol !== "wss:") {
    throw new TypeError(
      `Cannot dial ${shownUrl(url)}: a WebSocket address begins with ws:// or wss://`,
    );
  }
  if (!federationOf(url.pathname)) {
    throw new TypeError(
      `Cannot dial ${shownUrl(url)}: name the federation, as in ws://host:port/default`,
    );
  }
  try {
    signal.throwIfAborted();
    return new WebSocketConnection(await openWebSocket(url, { signal, ca }));
  } catch (error) {
    const reason = signal.aborted ? "the dialling was aborted" : sentence(error);
    throw new ConnectionLost(`Cannot reach ${url.host}: ${reason}`);
  }
};

class WebSocketConnection implements Connection {
  readonly wire = "websocket";
  readonly lost: Promise<string>;
  readonly #stream: MessageStream;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #inbox = new Inbox<ServerMessage>(INBOX_BYTES);
  readonly #meter: Meter = { up: 0, down: 0 };
  readonly #reading: Promise<void>;
  #failure: string | undefined;
  #written: Promise<unknown> = Promise.resolve();
  #disposing: Promise<void> | undefined;

  constructor(stream: MessageStream) {
    this.#stream = stream;
    this.#writer = stream.writable.getWriter();
    this.#writer.closed.catch(() => {}); // `lost` says it
    this.#reading = this.#read();
    this.lost = this.#end();
  }

  get messages(): AsyncIterable<ServerMessage> {
    return this.#inbox;
  }

  async send(message: ClientMessage): Promise<void> {
    const bytes = encodeClientMessage(message);
    const written = this.#writer.write(bytes);
    this.#written = written.catch(() => {});
    try {
      await written;
      this.#meter.up += bytes.length;
    } catch {
      throw new ConnectionLost(await this.lost);
    }
  }

  traffic(): { readonly up: number; readonly down: number } {
    return { ...this.#meter };
  }

  async #read(): Promise<void> {
    // Not iterated over: what ends an iteration closes the stream before the reason is said.
    const reader = this.#stream.readable.getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        if (typeof value === "string") return this.#fail("The server sent text");
        const bytes = value instanceof ArrayBuffer ? new Uint8Array(value) : value;
        this.#meter.down += bytes.length;
        await this.#inbox.put(decodeServerMessage(bytes), bytes.length);
      }
    } catch (error) {
      if (error instanceof SyntaxError) this.#fail(error.message);
    }
  }

  #fail(reason: string): void {
    this.#failure ??= reason;
    this.#stream.close({ closeCode: BROKEN, reason: reason.slice(0, 30) });
  }

  /** Resolves with the reason when the connection is over. */
  async #end(): Promise<string> {
    const reason = await endOf(this.#stream);
    // What was read and waits for room can still be iterated.
    void this.#reading.then(() => this.#inbox.end());
    return this.#failure ?? reason;
  }

  async #dispose(): Promise<void> {
    this.#inbox.end();
    await within(FAREWELL_MS, async () => {
      await this.#written;
      this.#stream.close({ closeCode: NORMAL_CLOSURE, reason: "The client leaves" });
      await this.lost;
    });
    await this.#reading;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposing ??= this.#dispose();
    await this.#disposing;
  }
}
