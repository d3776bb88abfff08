/** The dialling side of AMQP, on the stock client library amqplib, its own recovery switched off. */

import { Buffer } from "node:buffer";
import { Socket } from "node:net";
import { type Channel, type ChannelModel, type ConfirmChannel, connect } from "amqplib";
import { decodeServerMessage, encodeClientMessage } from "../../contract/codec.ts";
import { type Connection, ConnectionLost, type Dial } from "../../contract/connection.ts";
import type { ClientMessage } from "../../contract/federation_pb.ts";
import { Inbox } from "./inbox.ts";
import { DOWN, routingKey, UP } from "./wire.ts";

/** Messages the server may send ahead of what has been looked at. */
const PREFETCH = 16;
/** Frames the library may hold before `send` has to wait; its own 1024 would be 128 MiB. */
const HIGH_WATER_FRAMES = 8;
/** How long the server has to answer when the connection is closed. */
const GRACE_MS = 1000;

export const dial: Dial = async (url, { clientId, signal }) => {
  const { hostname, port, federation } = readUrl(url);
  signal.throwIfAborted();
  const abort = new AbortController();
  const giveUp = () => abort.abort(signal.reason);
  signal.addEventListener("abort", giveUp);
  try {
    // The signal is the socket's, not the library's: it destroys the socket, now or later.
    const socketOptions = { noDelay: true, signal: abort.signal };
    const model = await connect(
      { protocol: "amqp", hostname, port, vhost: "/", username: clientId, password: url.password },
      socketOptions,
    );
    const connection = new AmqpClient(model, abort);
    try {
      await connection.open(routingKey(federation, clientId));
      signal.throwIfAborted();
      return connection;
    } catch (error) {
      await connection[Symbol.asyncDispose]();
      throw error;
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConnectionLost(`Cannot connect to ${url.host} over AMQP: ${reason}`, {
      cause: error,
    });
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
};

function readUrl(url: URL): { hostname: string; port: number; federation: string } {
  if (url.protocol !== "amqp:") {
    throw new TypeError(`Cannot dial ${url.href}: an AMQP address begins with amqp://`);
  }
  const federation = decodeURIComponent(url.pathname.slice(1));
  if (url.hostname === "" || federation === "") {
    throw new TypeError(
      `Cannot dial ${url.href}: give host and federation name, as in amqp://127.0.0.1:5672/default`,
    );
  }
  const hostname = url.hostname.replace(/^\[|\]$/g, "");
  return { hostname, port: url.port === "" ? 5672 : Number(url.port), federation };
}

class AmqpClient implements Connection {
  readonly wire = "amqp";
  readonly #model: ChannelModel;
  /** Destroys the socket. */
  readonly #abort: AbortController;
  readonly #inbox = new Inbox();
  readonly #lost = Promise.withResolvers<string>();
  #key = "";
  #up: ConfirmChannel | undefined;
  #drained: PromiseWithResolvers<void> | undefined;
  #reason: string | undefined;
  #closing: Promise<void> | undefined;

  constructor(model: ChannelModel, abort: AbortController) {
    this.#model = model;
    this.#abort = abort;
    model.on("error", (error) => this.#lose(error.message));
    model.on("close", (error) => this.#lose(error?.message ?? "the connection was closed"));
  }

  get messages(): Inbox {
    return this.#inbox;
  }

  get lost(): Promise<string> {
    return this.#lost.promise;
  }

  /** Two channels, so that acknowledgements do not queue behind uploads. */
  async open(key: string): Promise<void> {
    this.#key = key;
    const up = await this.#model.createConfirmChannel({ highWaterMark: HIGH_WATER_FRAMES });
    this.#watch(up);
    up.on("drain", () => this.#drained?.resolve());
    this.#up = up;
    const down = await this.#model.createChannel();
    this.#watch(down);
    await down.prefetch(PREFETCH);
    const { queue } = await down.assertQueue("", { exclusive: true, durable: false });
    await down.bindQueue(queue, DOWN, key);
    await down.consume(queue, (delivery) => {
      if (delivery === null) return this.#lose("the server deleted the client's queue");
      try {
        // Owned: the library's buffers are parts of larger ones.
        const message = decodeServerMessage(new Uint8Array(delivery.content));
        this.#inbox.push({ message, acknowledge: () => this.#acknowledge(down, delivery) });
      } catch (error) {
        this.#lose(error instanceof Error ? error.message : String(error));
      }
    }, { exclusive: true });
  }

  #acknowledge(down: Channel, delivery: Parameters<Channel["ack"]>[0]): void {
    if (this.#reason === undefined) down.ack(delivery);
  }

  /** A channel that the server closed is not opened again: whoever dials starts afresh. */
  #watch(channel: Channel): void {
    channel.on("error", (error) => this.#lose(error.message));
    // The library closes channels before it tells why the connection is over.
    channel.on("close", () => queueMicrotask(() => this.#lose("the channel was closed")));
  }

  #lose(reason: string): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#inbox.end();
    this.#drained?.resolve();
    this.#lost.resolve(reason);
    void this.#close();
  }

  async send(message: ClientMessage): Promise<void> {
    const bytes = encodeClientMessage(message);
    while (this.#drained !== undefined) await this.#drained.promise;
    if (this.#reason !== undefined || this.#up === undefined) {
      throw new ConnectionLost(`Cannot send: ${this.#reason ?? "the connection is not open"}`);
    }
    const content = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const options = { contentType: "application/x-protobuf", deliveryMode: 1 };
    const isTaken = this.#up.publish(UP, this.#key, content, options);
    if (isTaken) return;
    this.#drained = Promise.withResolvers<void>();
    await this.#drained.promise;
    this.#drained = undefined;
  }

  traffic(): { readonly up: number; readonly down: number } {
    const { connection } = this.#model;
    const stream = "stream" in connection ? connection.stream : undefined;
    if (!(stream instanceof Socket)) return { up: 0, down: 0 };
    return { up: stream.bytesWritten, down: stream.bytesRead };
  }

  #close(): Promise<void> {
    return this.#closing ??= this.#closeOnce();
  }

  async #closeOnce(): Promise<void> {
    await undefined; // the library may be in the midst of the event that brought us here
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, GRACE_MS);
    await Promise.race([this.#sayGoodbye(), late.promise]);
    clearTimeout(timer);
    this.#abort.abort();
  }

  /** In this order: the library writes connection.close past what its channels still hold. */
  async #sayGoodbye(): Promise<void> {
    await this.#up?.close().catch(() => {}); // closed before
    await this.#model.close().catch(() => {}); // closed before
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#lose("closed by this side");
    await this.#close();
  }
}
