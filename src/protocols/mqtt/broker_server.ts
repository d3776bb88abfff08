/**
 * The federated-learning server over an MQTT broker of the operator's: one connection that dials out.
 * A route is a client id that is heard on its up topic.
 */

import { MESSAGE_OVERHEAD_BYTES } from "../../contract/codec.ts";
import type { ServerMessage } from "../../contract/federation_pb.ts";
import { Gate } from "../../contract/gate.ts";
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
import { BrokerConnection, BrokerRefusal, type Delivery } from "./broker_connection.ts";
import { addressAt, type Broker, type Options, readBroker } from "./broker_options.ts";
import {
  clientOf,
  type Level,
  maxPacketBytes,
  PUBLISH_OVERHEAD_BYTES,
  ReasonCode,
  type ServerTopics,
  serverTopicsOf,
  stateMessage,
  topicsOf,
} from "./wire.ts";

/** What this server speaks; Hello.contract_version of federation.proto. */
const CONTRACT_VERSION = 1;
/** More unacknowledged messages than these make nothing faster. */
const MOST_UNACKNOWLEDGED = 64;
/** Messages of no length count this much, so that the gate bounds their number too. */
const LEAST_BYTES = 256;
/** How long what was taken may need to leave. */
const FAREWELL_MS = 1000;

/** CONNACK codes that mean: another level, please. MQTT 5 §3.2.2.2, MQTT 3.1.1 §3.2.2.3. */
const OTHER_LEVEL: ReadonlySet<number | undefined> = new Set([
  ReasonCode.UNSUPPORTED_PROTOCOL_VERSION,
  1,
  undefined, // no CONNACK at all
]);
/** CONNACK codes that the operator must do something about: of MQTT 5, and of MQTT 3.1.1. */
const UNWANTED: ReadonlySet<number | undefined> = new Set([
  ReasonCode.CLIENT_IDENTIFIER_NOT_VALID,
  ReasonCode.BAD_USER_NAME_OR_PASSWORD,
  ReasonCode.NOT_AUTHORISED,
  ReasonCode.BANNED,
  ReasonCode.BAD_AUTHENTICATION_METHOD,
  2,
  4,
  5,
]);

/** Connects by MQTT 5, or by MQTT 3.1.1 to a broker that speaks nothing else. */
export async function atSpokenLevel(
  open: (level: Level) => Promise<BrokerConnection>,
): Promise<{ connection: BrokerConnection; level: Level }> {
  try {
    return { connection: await open(5), level: 5 };
  } catch (error) {
    if (!(error instanceof BrokerRefusal) || !OTHER_LEVEL.has(error.code)) throw error;
    return { connection: await open(4), level: 4 };
  }
}

export class BrokeredMqttServer implements ProtocolServer {
  readonly closed: Promise<void>;
  readonly #closed = Promise.withResolvers<void>();
  readonly #server: ServerOptions;
  readonly #own: Options;
  readonly #topics: ServerTopics;
  /** Tells this server from another one at the same broker. */
  readonly #instance = crypto.getRandomValues(new Uint8Array(6)).toHex();
  readonly #abort = new AbortController();
  readonly #gate: Gate;
  #connection: BrokerConnection | undefined;
  #relay: Relay | undefined;

  constructor(server: ServerOptions, own: Options) {
    this.#server = server;
    this.#own = own;
    this.#topics = serverTopicsOf(server.federation);
    this.#gate = new Gate(server.maxUnjudgedBytes);
    this.closed = this.#closed.promise;
    this.closed.catch(() => {}); // whoever wants to know awaits it
  }

  /**
   * @throws {ListenError} for a URL that is none, a user whom the broker does not let do it, or a
   *   federation that has a server there.
   * @throws {Error} when there is no broker; later there may be one.
   */
  async listen(upcalls: Upcalls): Promise<readonly Address[]> {
    const { url: text } = this.#own;
    if (text === undefined) throw new ListenError("Set --mqtt-broker to the URL of a broker");
    const broker = brokerOf(text);
    try {
      const { connection, level } = await this.#connect(broker, upcalls);
      this.#connection = connection;
      await this.#settle(connection, level);
      void connection.closed.then((reason) => this.#lost(reason));
      const { wire, federation } = this.#server;
      return [{ wire, url: addressAt(broker, federation, level) }];
    } catch (error) {
      this.#relay?.abandon();
      await this.#connection?.end();
      throw told(error, broker);
    }
  }

  async #connect(
    broker: Broker,
    upcalls: Upcalls,
  ): Promise<{ connection: BrokerConnection; level: Level }> {
    const open = (level: Level) =>
      BrokerConnection.open({
        broker,
        ca: this.#own.ca,
        level,
        clientId: `tributary${this.#instance}`, // [MQTT-3.1.3-5]: every broker takes up to 23 bytes
        cleared: this.#topics.state,
        keepAliveS: this.#own.keepAliveS,
        connectTimeoutMs: this.#own.connectTimeoutMs,
        // What is refused here is told to its client; what is larger yet the broker keeps back.
        maxPacketBytes: 2 * maxPacketBytes(this.#server.maxMessageBytes),
        hear: (delivery) => this.#hear(delivery, upcalls),
        signal: this.#abort.signal,
      });
    const { connection, level } = await atSpokenLevel(open);
    this.#relay = new Relay({
      server: this.#server,
      upcalls,
      publish: (clientId, bytes) => this.#publish(connection, clientId, bytes),
      windowMessages: Math.min(connection.receiveMaximum, MOST_UNACKNOWLEDGED),
      maxUnreadBytes: this.#own.maxUnreadBytes,
    });
    return { connection, level };
  }

  /** Takes its place at the broker. */
  async #settle(connection: BrokerConnection, level: Level): Promise<void> {
    const { federation, maxMessageBytes } = this.#server;
    const partBytes = maxMessageBytes - MESSAGE_OVERHEAD_BYTES;
    if (connection.maximumPacketBytes < partBytes + PUBLISH_OVERHEAD_BYTES) {
      const most = connection.maximumPacketBytes;
      throw new ListenError(
        `The MQTT broker takes packets of ${most} bytes and no larger ones; lower --part-bytes or ` +
          "raise the broker's limit",
      );
    }
    if (await this.#isTaken(connection)) {
      throw new ListenError(
        `Federation ${federation} has a server at this MQTT broker already; stop that one (if it ` +
          "died, the broker soon notices) or choose another --name",
      );
    }
    // Nothing retained is wanted: it is left over from another time (MQTT 5 §3.8.3.1).
    const fresh = level === 5 ? { rh: 2 as const } : {};
    const others = level === 5 ? { nl: true } : {};
    await subscribe(connection, {
      [this.#topics.everyUp]: { qos: 1, ...fresh },
      [this.#topics.presence]: { qos: 1, ...fresh, ...others },
    });
    const state = stateMessage({
      federation,
      contractVersion: CONTRACT_VERSION,
      largestMessageBytes: maxMessageBytes,
    });
    const code = await connection.publish(this.#topics.state, state, { retain: true });
    if (code >= ReasonCode.UNSPECIFIED_ERROR) {
      throw new ListenError(
        `The MQTT broker does not let this user publish to ${this.#topics.state} (PUBACK ` +
          `0x${code.toString(16)}); allow it there, or name another user in --mqtt-broker`,
      );
    }
  }

  /**
   * Whether somebody is subscribed where only a server is. Known where the broker says that nobody
   * is, which MQTT 5 lets it do (§3.4.2.1) and somebody who listens to everything prevents.
   */
  async #isTaken(connection: BrokerConnection): Promise<boolean> {
    const { presence } = this.#topics;
    const instance = new TextEncoder().encode(this.#instance);
    const [nobody, server] = await Promise.all([
      connection.publish(`${presence}/${this.#instance}`, instance),
      connection.publish(presence, instance),
    ]);
    return nobody === ReasonCode.NO_MATCHING_SUBSCRIBERS && server === ReasonCode.SUCCESS;
  }

  #hear({ topic, payload, retain, taken }: Delivery, upcalls: Upcalls): void {
    if (topic === this.#topics.presence) {
      this.#meet(new TextDecoder().decode(payload), upcalls);
      return taken();
    }
    const clientId = clientOf(this.#server.federation, topic);
    if (clientId === undefined || retain || this.#relay === undefined) {
      const reason = retain ? "the message was retained" : "the topic names no client";
      upcalls.observe({ kind: "refused", remote: topic, reason });
      return taken();
    }
    const hearing = this.#relay.hear({ clientId, address: clientId }, payload);
    this.#gate.hold(Math.max(payload.length, LEAST_BYTES), hearing);
    void this.#gate.enter().then(taken);
  }

  #meet(instance: string, upcalls: Upcalls): void {
    if (instance === this.#instance) return; // MQTT 3.1.1 brings everybody's own messages back
    const reason = `it wants to serve federation ${this.#server.federation} at this broker, too`;
    upcalls.observe({ kind: "refused", remote: `server ${instance}`, reason });
  }

  async #publish(
    connection: BrokerConnection,
    clientId: string,
    bytes: Uint8Array<ArrayBuffer>,
  ): Promise<boolean> {
    const { down } = topicsOf(this.#server.federation, clientId);
    const code = await connection.publish(down, bytes);
    if (code >= ReasonCode.UNSPECIFIED_ERROR) {
      throw new Error(`the broker does not take what is for it: PUBACK 0x${code.toString(16)}`);
    }
    return code !== ReasonCode.NO_MATCHING_SUBSCRIBERS;
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
    const { up = 0, down = 0 } = this.#connection?.traffic() ?? {};
    return Promise.resolve({ up, down, connections: this.#relay?.connections ?? 0 });
  }

  /** The supervisor alone dials again. */
  #lost(reason: string): void {
    this.#relay?.abandon();
    this.#closed.reject(new Error(`The MQTT broker is lost: ${reason}`));
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
    const connection = this.#connection;
    if (connection === undefined) return;
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, FAREWELL_MS);
    await Promise.race([this.#farewell(connection), connection.closed, late.promise]);
    clearTimeout(timer);
    this.#closed.resolve();
    await connection.end();
  }

  async #farewell(connection: BrokerConnection): Promise<void> {
    await this.#relay?.close();
    // An empty retained message takes the state back (MQTT 5 §3.3.1.3).
    await connection.publish(this.#topics.state, new Uint8Array(), { retain: true })
      .catch(() => {}); // the broker is gone, and the will does it
  }
}

/** @throws {ListenError} when the broker refuses one of them. */
async function subscribe(
  connection: BrokerConnection,
  subscriptions: Parameters<BrokerConnection["subscribe"]>[0],
): Promise<void> {
  try {
    await connection.subscribe(subscriptions);
  } catch (error) {
    if (!(error instanceof BrokerRefusal)) throw error;
    const filters = Object.keys(subscriptions).join(" and ");
    throw new ListenError(
      `The MQTT broker does not let this user subscribe to ${filters} (${error.message}); allow it ` +
        "there, or name another user in --mqtt-broker",
    );
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
export function told(error: unknown, broker: Broker): Error {
  const reason = error instanceof Error ? error.message : String(error);
  if (error instanceof ListenError) return error;
  const host = placeOf(broker);
  if (error instanceof BrokerRefusal && UNWANTED.has(error.code)) {
    return new ListenError(
      `The MQTT broker at ${host} does not let the server in (${reason}); set user and password in ` +
        `--mqtt-broker ${broker.isTls ? "mqtts" : "mqtt"}://user:password@${host}`,
    );
  }
  const advice = brokerAdvice(reason, broker, { flag: "--mqtt-broker", scheme: "mqtts" });
  return new Error(`Cannot reach the MQTT broker at ${host}: ${reason}${advice}`);
}
