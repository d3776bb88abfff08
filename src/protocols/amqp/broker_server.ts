/**
 * The federated-learning server over an AMQP broker of the operator's: two connections that dial
 * out, one that consumes and one that publishes, so that a broker which stops publishers, as it is
 * short of memory, does not stop what comes in.
 */

import { type Channel, type ConsumeMessage, IllegalOperationError } from "amqplib";
import type { ServerMessage } from "../../contract/federation_pb.ts";
import {
  type Address,
  ListenError,
  type ModelOffset,
  type ProtocolServer,
  type Route,
  type SendOutcome,
  type Traffic,
  type Upcalls,
} from "../../contract/protocol_server.ts";
import { placeOf } from "../../contract/broker_place.ts";
import { brokerAdvice } from "../../contract/broker_advice.ts";
import { Relay } from "../../contract/relay.ts";
import type { ServerOptions } from "../../contract/server_options.ts";
import type { Revocations } from "../../contract/token.ts";
import { BrokerConnection } from "./broker_connection.ts";
import { addressAt, type Broker, type Options, readBroker, schemeOf } from "./broker_options.ts";
import { BrokerPublisher } from "./broker_publisher.ts";
import {
  addressOf,
  clientOf,
  DOWN,
  everyKey,
  LONGEST_FEDERATION_BYTES,
  serverQueue,
  UP,
} from "./wire.ts";

/** More messages on their way out than these make nothing faster. */
const MOST_UNCONFIRMED = 256;
/** How long what was taken may need to leave. */
const FAREWELL_MS = 1000;

interface Connections {
  readonly intake: BrokerConnection;
  readonly outlet: BrokerConnection;
}

export class BrokeredAmqpServer implements ProtocolServer {
  readonly closed: Promise<void>;
  readonly #closed = Promise.withResolvers<void>();
  readonly #server: ServerOptions;
  readonly #own: Options;
  readonly #abort = new AbortController();
  #connections: Connections | undefined;
  #relay: Relay | undefined;
  #isUp = false;
  #lostReason: string | undefined;

  constructor(server: ServerOptions, own: Options) {
    this.#server = server;
    this.#own = own;
    this.closed = this.#closed.promise;
    this.closed.catch(() => {}); // whoever wants to know awaits it
  }

  /**
   * @throws {ListenError} for a URL that is none, a user whom the broker does not let do it, or a
   *   federation that has a server there.
   * @throws {Error} when there is no broker; later there may be one.
   */
  async listen(upcalls: Upcalls): Promise<readonly Address[]> {
    const { url } = this.#own;
    const { wire, federation } = this.#server;
    if (url === undefined) throw new ListenError("Set --amqp-broker to the URL of a broker");
    if (new TextEncoder().encode(federation).length > LONGEST_FEDERATION_BYTES) {
      throw new ListenError(
        `Cannot serve AMQP: a federation name has at most ${LONGEST_FEDERATION_BYTES} bytes there`,
      );
    }
    const broker = brokerOf(url);
    try {
      const connections = await this.#connect(broker);
      this.#connections = connections;
      await this.#settle(connections, upcalls);
      if (this.#lostReason !== undefined) throw new Error(this.#lostReason);
      this.#isUp = true;
      return [{ wire, url: addressAt(broker, federation) }];
    } catch (error) {
      this.#relay?.abandon();
      await this.#end();
      throw told(error, { broker, federation });
    }
  }

  async #connect(broker: Broker): Promise<Connections> {
    const { heartbeatS, connectTimeoutMs } = this.#own;
    const open = (purpose: string) =>
      BrokerConnection.open({
        broker,
        ca: this.#own.ca,
        name: `tributary ${this.#server.federation}, ${purpose}`,
        heartbeatS,
        connectTimeoutMs,
        signal: this.#abort.signal,
      });
    const intake = await open("consumes");
    try {
      return { intake, outlet: await open("publishes") };
    } catch (error) {
      await intake.end();
      throw error;
    }
  }

  /** Declares what clients need, and takes its place. */
  async #settle({ intake, outlet }: Connections, upcalls: Upcalls): Promise<void> {
    const { federation, maxMessageBytes, maxUnjudgedBytes } = this.#server;
    const publisher = await BrokerPublisher.open(outlet, (reason) => void this.#lost(reason));
    const relay = new Relay({
      server: this.#server,
      upcalls,
      publish: (key, bytes) => publisher.publish(key, bytes),
      windowMessages: MOST_UNCONFIRMED,
      maxUnreadBytes: this.#own.maxUnreadBytes,
    });
    this.#relay = relay;
    outlet.model.on("blocked", (reason) => {
      relay.pause();
      const detail = `it takes no messages for now: ${reason}`;
      upcalls.observe({ kind: "refused", remote: "broker", reason: detail });
    });
    outlet.model.on("unblocked", () => relay.resume());
    const channel = await intake.model.createChannel();
    channel.on("error", (error) => void this.#lost(error.message));
    await channel.assertExchange(UP, "topic", { durable: true });
    await channel.assertExchange(DOWN, "direct", { durable: true });
    const exclusively = { exclusive: true, autoDelete: true, durable: false };
    const { queue } = await channel.assertQueue(serverQueue(federation), exclusively);
    await channel.bindQueue(queue, UP, everyKey(federation));
    await channel.prefetch(Math.max(1, Math.floor(maxUnjudgedBytes / maxMessageBytes)));
    await channel.consume(queue, (delivery) => {
      if (delivery === null) return void this.#lost("its queue was deleted");
      void this.#hear(relay, { channel, delivery, upcalls });
    }, { exclusive: true });
    for (const { closed } of [intake, outlet]) {
      void closed.then((reason) => this.#lost(reason));
    }
  }

  /** The acknowledgement follows the Receipt; what is no message is not given back to the queue. */
  async #hear(
    relay: Relay,
    { channel, delivery, upcalls }: {
      channel: Channel;
      delivery: ConsumeMessage;
      upcalls: Upcalls;
    },
  ): Promise<void> {
    const { fields: { routingKey }, properties, content } = delivery;
    const clientId = clientOf(this.#server.federation, routingKey);
    if (clientId === undefined) {
      const reason = "the routing key names no client";
      upcalls.observe({ kind: "refused", remote: routingKey, reason });
      return settle(() => channel.reject(delivery, false));
    }
    const address = addressOf(routingKey, properties.replyTo);
    const hearing = await relay.hear({ clientId, address }, content);
    settle(() => hearing === "judged" ? channel.ack(delivery) : channel.reject(delivery, false));
  }

  send(
    route: Route,
    message: ServerMessage,
    options: { signal: AbortSignal },
  ): Promise<SendOutcome> {
    return this.#relay?.send(route, message, options) ?? Promise.resolve("gone");
  }

  acknowledge(route: Route, held: ModelOffset): void {
    this.#relay?.acknowledge(route, held);
  }

  drop(route: Route, reason: string): void {
    this.#relay?.drop(route, reason);
  }

  revoke(revoked: Revocations): void {
    const { tokens } = this.#server;
    if (tokens !== undefined) tokens.revoked = revoked; // also where there is no relay yet
    this.#relay?.revoke(revoked);
  }

  traffic(): Promise<Traffic> {
    const both = Object.values(this.#connections ?? {}).map((each) => each.traffic());
    return Promise.resolve({
      up: both.reduce((sum, { up }) => sum + up, 0),
      down: both.reduce((sum, { down }) => sum + down, 0),
      connections: this.#relay?.connections ?? 0,
    });
  }

  /** Without the one connection the other is of no use. The supervisor alone dials again. */
  async #lost(reason: string): Promise<void> {
    this.#lostReason ??= reason;
    if (!this.#isUp) return; // whoever starts or stops it tells
    this.#isUp = false;
    this.#relay?.abandon();
    await this.#end(); // the broker gives the queue's name free
    this.#closed.reject(new Error(`The AMQP broker is lost: ${reason}`));
  }

  async #end(): Promise<void> {
    const { intake, outlet } = this.#connections ?? {};
    await Promise.all([intake?.end(), outlet?.end()]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#abort.signal.aborted) {
      this.#abort.abort();
      await this.#leave();
      this.#closed.resolve();
    }
    await this.closed.catch(() => {});
  }

  async #leave(): Promise<void> {
    if (this.#isUp && this.#relay !== undefined) {
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, FAREWELL_MS);
      await Promise.race([this.#relay.close(), late.promise]);
      clearTimeout(timer);
    }
    this.#isUp = false;
    await this.#end();
  }
}

/** Settles a delivery, unless its channel is closed, and the delivery over with it. */
function settle(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof IllegalOperationError)) throw error;
  }
}

function brokerOf(url: string): Broker {
  try {
    return readBroker(url);
  } catch (error) {
    throw new ListenError(error instanceof Error ? error.message : String(error));
  }
}

/** Why a broker was not entered: a ListenError is for the operator to mend, anything else passes. */
export function told(
  error: unknown,
  { broker, federation }: { broker: Broker; federation: string },
): Error {
  if (error instanceof ListenError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  const host = placeOf(broker);
  const flag = `--amqp-broker ${schemeOf(broker)}://user:password@${host}/vhost`;
  switch (codeOf(error)) {
    case 403: // ACCESS_REFUSED
      return new ListenError(`The AMQP broker refuses the server (${reason}); see to ${flag}`);
    case 405: // RESOURCE_LOCKED
      return new ListenError(
        `Federation ${federation} has a server at this AMQP broker already; stop that one (if it ` +
          "died, the broker soon notices) or choose another --name",
      );
    case 406: // PRECONDITION_FAILED
      return new ListenError(
        `The AMQP broker has exchanges of another kind (${reason}); delete them, or use another ` +
          `virtual host in ${flag}`,
      );
    case 530: // NOT_ALLOWED
      return new ListenError(
        `The AMQP broker has no such virtual host, or it is closed to this user; see to ${flag}`,
      );
    default:
      return new Error(
        `Cannot reach the AMQP broker at ${host}: ${reason}` +
          brokerAdvice(reason, broker, { flag: "--amqp-broker", scheme: "amqps" }),
      );
  }
}

/** A reply code of AMQP 0-9-1 §1.1; of a handshake the library tells in words alone. */
function codeOf(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  if ("code" in error && typeof error.code === "number") return error.code;
  if (/^Handshake terminated by server: 403/.test(error.message)) return 403;
  return /^Expected ConnectionOpenOk; got <ConnectionClose/.test(error.message) ? 530 : undefined;
}
