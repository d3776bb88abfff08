/** The dialling side of AMQP, on the stock client library amqplib, its own recovery switched off. */

import { Buffer } from "node:buffer";
import { Socket } from "node:net";
import { type Channel, type ChannelModel, type ConfirmChannel, connect } from "amqplib";
import {
  decodeServerMessage,
  encodeClientMessage,
  readServerMessage,
} from "../../contract/codec.ts";
import { type Connection, ConnectionLost, type Dial } from "../../contract/connection.ts";
import type { ClientMessage } from "../../contract/federation_pb.ts";
import { shownUrl } from "../../contract/shown_url.ts";
import { Inbox } from "./inbox.ts";
import { DOWN, PRODUCT, returnKey, routingKey, UP } from "./wire.ts";

/** Messages the server may send ahead of what has been looked at. */
const PREFETCH = 16;
/** Frames the library may hold before `send` has to wait; its own 1024 would be 128 MiB. */
const HIGH_WATER_FRAMES = 8;
/** How long the server has to answer when the connection is closed. */
const GRACE_MS = 1000;

/**
 * Connects by `amqp://host:port/federation`, or `amqps://` for TLS, to the server's own endpoint or to a broker; with
 * `user:password@` as the user that a broker knows (at the endpoint the client id is the user), and
 * with `?vhost=` where the federation is in another virtual host than `/`.
 */
export const dial: Dial = async (url, { clientId, will, signal, ca, sealed = false }) => {
  const { federation, ...destination } = readUrl(url);
  signal.throwIfAborted();
  const abort = new AbortController();
  const giveUp = () => abort.abort(signal.reason);
  signal.addEventListener("abort", giveUp);
  try {
    // The signal is the socket's, not the library's: it destroys the socket, now or later.
    const socketOptions = {
      noDelay: true,
      signal: abort.signal,
      ...(ca !== undefined && { ca }),
    };
    const model = await connect(
      { ...destination, username: destination.username || clientId },
      socketOptions,
    );
    const connection = new AmqpClient(model, { abort, will, sealed });
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
    const advice = url.username === "" && /\b403\b/.test(reason)
      ? `; a broker wants a user it knows, as in amqp://user:password@${url.host}${url.pathname}`
      : "";
    throw new ConnectionLost(`Cannot connect to ${url.host} over AMQP: ${reason}${advice}`, {
      cause: error,
    });
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
};

/** Where a URL leads, as the library takes it. */
interface Destination {
  readonly protocol: "amqp" | "amqps";
  readonly hostname: string;
  readonly port: number;
  readonly vhost: string;
  readonly username: string;
  readonly password: string;
}

function readUrl(url: URL): Destination & { readonly federation: string } {
  const isTls = url.protocol === "amqps:";
  if (!isTls && url.protocol !== "amqp:") {
    throw new TypeError(
      `Cannot dial ${shownUrl(url)}: an AMQP address begins with amqp:// or amqps://`,
    );
  }
  const federation = decoded(url.pathname.slice(1));
  if (url.hostname === "" || federation === "") {
    throw new TypeError(
      `Cannot dial ${
        shownUrl(url)
      }: give host and federation name, as in amqp://127.0.0.1:5672/default`,
    );
  }
  const hostname = url.hostname.replace(/^\[|\]$/g, "");
  return {
    hostname,
    protocol: isTls ? "amqps" : "amqp",
    port: url.port === "" ? (isTls ? 5671 : 5672) : Number(url.port),
    vhost: encodeURIComponent(url.searchParams.get("vhost") ?? "/"), // the library decodes it
    username: decoded(url.username),
    password: decoded(url.password),
    federation,
  };
}

/** As it stands where it is not percent-encoded text. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

class AmqpClient implements Connection {
  readonly wire = "amqp";
  readonly #model: ChannelModel;
  /** Destroys the socket. */
  readonly #abort: AbortController;
  readonly #inbox = new Inbox();
  readonly #lost = Promise.withResolvers<string>();
  /** A Leave that names Hello's nonce. */
  readonly #will: ClientMessage;
  readonly #sealed: boolean;
  #key = "";
  /** At a broker, which alone sees this connection: where answers come to it, and no other one. */
  #replyTo: string | undefined;
  #up: ConfirmChannel | undefined;
  #drained: PromiseWithResolvers<void> | undefined;
  #reason: string | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    model: ChannelModel,
    { abort, will, sealed }: { abort: AbortController; will: ClientMessage; sealed: boolean },
  ) {
    this.#model = model;
    this.#abort = abort;
    this.#will = will;
    this.#sealed = sealed;
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
    const { connection } = this.#model;
    if (connection.serverProperties.product !== PRODUCT) {
      this.#replyTo = returnKey(key, crypto.getRandomValues(new Uint8Array(8)).toHex());
    }
    const up = await this.#model.createConfirmChannel({ highWaterMark: HIGH_WATER_FRAMES });
    this.#watch(up);
    up.on("drain", () => this.#drained?.resolve());
    up.on("return", () => this.#lose("no server serves this federation through the broker"));
    this.#up = up;
    const down = await this.#model.createChannel();
    this.#watch(down);
    await down.prefetch(PREFETCH);
    const { queue } = await down.assertQueue("", { exclusive: true, durable: false });
    await down.bindQueue(queue, DOWN, this.#replyTo ?? key);
    await down.consume(queue, (delivery) => {
      if (delivery === null) return this.#lose("the server deleted the client's queue");
      try {
        // Owned: the library's buffers are parts of larger ones.
        const read = this.#sealed ? readServerMessage : decodeServerMessage;
        const message = read(new Uint8Array(delivery.content));
        if (message === undefined) return this.#acknowledge(down, delivery);
        this.#inbox.push({ message, acknowledge: () => this.#acknowledge(down, delivery) });
        // The server speaks no more on this route; behind a broker it cannot end the connection.
        if (message.body.case === "closing" && !this.#sealed) {
          this.#lose(message.body.value.detail);
        }
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
    while (this.#drained !== undefined) await this.#drained.promise;
    if (this.#reason !== undefined || this.#up === undefined) {
      throw new ConnectionLost(`Cannot send: ${this.#reason ?? "the connection is not open"}`);
    }
    const isTaken = this.#publish(this.#up, message);
    if (isTaken) return;
    this.#drained = Promise.withResolvers<void>();
    await this.#drained.promise;
    this.#drained = undefined;
  }

  #publish(up: ConfirmChannel, message: ClientMessage): boolean {
    const bytes = encodeClientMessage(message);
    const content = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const options = { contentType: "application/x-protobuf", deliveryMode: 1 };
    if (this.#replyTo === undefined) return up.publish(UP, this.#key, content, options);
    // Mandatory: a broker that has nobody to give it to gives it back.
    return up.publish(UP, this.#key, content, {
      ...options,
      replyTo: this.#replyTo,
      mandatory: true,
    });
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
    this.#leaveWill();
    await this.#up?.close().catch(() => {}); // closed before
    await this.#model.close().catch(() => {}); // closed before
  }

  /** AMQP has no last will, and a broker does not tell the server that a client has gone. */
  #leaveWill(): void {
    if (this.#replyTo === undefined || this.#up === undefined) return;
    try {
      this.#publish(this.#up, this.#will);
    } catch {
      // The connection is gone already: the client's queue with it, as the server will notice.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#lose("closed by this side");
    await this.#close();
  }
}
