/** One connection to an AMQP broker: amqplib, its own recovery switched off. */

import { Socket } from "node:net";
import { type ChannelModel, connect } from "amqplib";
import { type Broker, schemeOf } from "./broker_options.ts";

export interface BrokerConnectionOptions {
  readonly broker: Broker;
  /** PEM of the authority that vouches for it; undefined for the public ones. */
  readonly ca: string | undefined;
  /** For the operator of the broker, who sees it in the list of connections. */
  readonly name: string;
  readonly heartbeatS: number;
  readonly connectTimeoutMs: number;
  readonly signal: AbortSignal;
}

/** How long the broker has to answer when the connection is closed. */
const FAREWELL_MS = 1000;

export class BrokerConnection {
  readonly model: ChannelModel;
  /** Destroys the socket. */
  readonly #abort: AbortController;
  readonly #closed = Promise.withResolvers<string>();
  #reason: string | undefined;
  #ending: Promise<void> | undefined;

  private constructor(model: ChannelModel, abort: AbortController) {
    this.model = model;
    this.#abort = abort;
    model.on("error", (error) => this.#reason ??= error.message);
    model.on("close", (error) => {
      this.#reason ??= error?.message ?? "the connection was closed";
      this.#closed.resolve(this.#reason);
    });
  }

  /** @throws {Error} when there is no broker, or it does not let this user in. */
  static async open(options: BrokerConnectionOptions): Promise<BrokerConnection> {
    const { broker, ca, name, heartbeatS, connectTimeoutMs, signal } = options;
    const { hostname, port, vhost, username, password } = broker;
    signal.throwIfAborted();
    const abort = new AbortController();
    const giveUp = () => abort.abort();
    signal.addEventListener("abort", giveUp);
    // The library decodes the virtual host.
    const where = { protocol: schemeOf(broker), hostname, port, vhost: encodeURIComponent(vhost) };
    const as = { username, password, heartbeat: heartbeatS };
    const socketOptions = {
      noDelay: true,
      timeout: connectTimeoutMs,
      signal: abort.signal, // the socket's, not the library's
      ...(ca !== undefined && { ca }),
      clientProperties: { connection_name: name },
    };
    try {
      const model = await connect({ ...where, ...as }, socketOptions);
      return new BrokerConnection(model, abort);
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  /** Why the connection is over; resolves once. */
  get closed(): Promise<string> {
    return this.#closed.promise;
  }

  traffic(): { up: number; down: number } {
    const { connection } = this.model;
    const stream = "stream" in connection ? connection.stream : undefined;
    if (!(stream instanceof Socket)) return { up: 0, down: 0 };
    return { up: stream.bytesRead, down: stream.bytesWritten };
  }

  end(): Promise<void> {
    return this.#ending ??= this.#end();
  }

  async #end(): Promise<void> {
    this.#reason ??= "it was closed here";
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, FAREWELL_MS);
    const closed = this.model.close().catch(() => {}); // closed before
    await Promise.race([closed, late.promise]);
    clearTimeout(timer);
    this.#abort.abort();
    this.#closed.resolve(this.#reason);
  }
}
