/** One connection to an MQTT broker: mqtt.js, its own reconnects off. */

import "./environment.ts";
import { Buffer } from "node:buffer";
import { Socket } from "node:net";
import type { IClientOptions, MqttClient } from "mqtt";
import type { Broker } from "./broker_options.ts";
import { connectBy, TCP, TLS } from "./transport.ts";
import { type Level, ReasonCode } from "./wire.ts";

/** A message from the broker. `taken` lets the broker send one more in its place. */
export interface Delivery {
  readonly topic: string;
  /** A part of the library's buffer: to be copied by whoever keeps it. */
  readonly payload: Uint8Array;
  readonly retain: boolean;
  readonly taken: () => void;
}

export interface BrokerConnectionOptions {
  readonly broker: Broker;
  /** PEM of the authority that vouches for it; undefined for the public ones. */
  readonly ca: string | undefined;
  readonly level: Level;
  readonly clientId: string;
  /** Where the broker leaves an empty retained message when this connection is lost, if anywhere. */
  readonly cleared?: string;
  readonly keepAliveS: number;
  readonly connectTimeoutMs: number;
  /** A larger packet never comes, as MQTT 5 brokers keep to it. */
  readonly maxPacketBytes: number;
  readonly hear: (delivery: Delivery) => void;
  readonly signal: AbortSignal;
}

/** The broker's CONNACK or SUBACK said no. */
export class BrokerRefusal extends Error {
  override readonly name = "BrokerRefusal";
  /**
   * Of MQTT 5 §2.4, or in CONNACK the return code of MQTT 3.1.1 §3.2.2.3; undefined where the broker
   * closed the connection without a word, as some do with a level that they do not know.
   */
  readonly code: number | undefined;

  constructor(message: string, code?: number) {
    super(message);
    this.code = code;
  }
}

/** The Receive Maximum and Maximum Packet Size of a broker that sets none: MQTT 5 §3.2.2.3. */
const NO_RECEIVE_MAXIMUM = 65_535;
const CLOSED = "the broker closed the connection";
/** What is left to say in the end is written in this time, or not at all. */
const FAREWELL_MS = 1000;

export class BrokerConnection {
  readonly #client: MqttClient;
  readonly #closed = Promise.withResolvers<string>();
  readonly #unacknowledged = new Map<number, PromiseWithResolvers<number>>();
  #receiveMaximum = NO_RECEIVE_MAXIMUM;
  #maximumPacketBytes = Infinity;
  #refusal: BrokerRefusal | undefined;
  #reason: string | undefined;
  #over = false;

  private constructor(client: MqttClient, hear: (delivery: Delivery) => void) {
    this.#client = client;
    client.handleMessage = ({ topic, payload, retain }, taken) => {
      hear({ topic, payload: payload as Buffer, retain, taken: () => taken() });
    };
    client.on("packetreceive", (packet) => {
      if (packet.cmd === "connack") {
        const { receiveMaximum, maximumPacketSize } = packet.properties ?? {};
        this.#receiveMaximum = receiveMaximum ?? NO_RECEIVE_MAXIMUM;
        this.#maximumPacketBytes = maximumPacketSize ?? Infinity;
        const code = packet.reasonCode ?? packet.returnCode ?? 0;
        if (code > 0) {
          const reason = packet.properties?.reasonString;
          this.#refusal = new BrokerRefusal(reason ?? `CONNACK ${hex(code)}`, code);
        }
      } else if (packet.cmd === "disconnect") {
        const { reasonCode = 0, properties } = packet;
        this.#reason ??= properties?.reasonString ??
          `the broker said DISCONNECT ${hex(reasonCode)}`;
      } else if (packet.cmd === "puback" && packet.messageId !== undefined) {
        this.#unacknowledged.get(packet.messageId)?.resolve(packet.reasonCode ?? 0);
        this.#unacknowledged.delete(packet.messageId);
      }
    });
    client.on("error", (error) => this.#reason ??= reasonOf(error));
    client.on("close", () => this.#end());
  }

  /**
   * @throws {BrokerRefusal} when the broker does not let this user in.
   * @throws {Error} when there is no broker.
   */
  static async open(options: BrokerConnectionOptions): Promise<BrokerConnection> {
    const { signal, hear } = options;
    signal.throwIfAborted();
    const connection = new BrokerConnection(connectTo(options), hear);
    const callOff = () => connection.#client.end(true);
    signal.addEventListener("abort", callOff);
    const connected = Promise.withResolvers<void>();
    connection.#client.once("connect", () => connected.resolve());
    const lost = connection.closed.then((reason) => {
      if (reason === CLOSED) throw new BrokerRefusal(reason);
      throw connection.#refusal ?? new Error(reason);
    });
    try {
      await Promise.race([connected.promise, lost]);
      return connection;
    } finally {
      signal.removeEventListener("abort", callOff);
    }
  }

  /** Why the connection is over; resolves once. */
  get closed(): Promise<string> {
    return this.#closed.promise;
  }

  /** Messages at QoS 1 that the broker lets be unacknowledged at once. */
  get receiveMaximum(): number {
    return this.#receiveMaximum;
  }

  /** The largest packet that the broker takes. */
  get maximumPacketBytes(): number {
    return this.#maximumPacketBytes;
  }

  /** @throws {BrokerRefusal} when the broker grants not all of them. */
  async subscribe(
    subscriptions: Readonly<Record<string, { qos: 0 | 1; nl?: boolean; rh?: 0 | 1 | 2 }>>,
  ): Promise<void> {
    try {
      await this.#client.subscribeAsync({ ...subscriptions });
    } catch (error) {
      if (this.#over) throw new Error(this.#reason);
      throw new BrokerRefusal(reasonOf(error), ReasonCode.UNSPECIFIED_ERROR);
    }
  }

  /**
   * Publishes at QoS 1; resolves with the reason code of its PUBACK, 0 in MQTT 3.1.1.
   * @throws {Error} when the connection ends before.
   */
  publish(
    topic: string,
    bytes: Uint8Array<ArrayBuffer>,
    { retain = false }: { retain?: boolean } = {},
  ): Promise<number> {
    if (this.#over) return Promise.reject(new Error(this.#reason));
    const payload = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    // The library tells neither the reason code nor, of a lost connection, anything at all.
    this.#client.publish(topic, payload, { qos: 1, retain }, () => {});
    const acknowledged = Promise.withResolvers<number>();
    this.#unacknowledged.set(this.#client.getLastMessageId(), acknowledged);
    return acknowledged.promise;
  }

  traffic(): { up: number; down: number } {
    const { stream } = this.#client;
    if (!(stream instanceof Socket)) return { up: 0, down: 0 };
    return { up: stream.bytesRead, down: stream.bytesWritten };
  }

  /** Says DISCONNECT, which takes the will back. */
  async end(): Promise<void> {
    if (!this.#over) {
      this.#reason ??= "it was closed here";
      // The library would wait for every acknowledgement first.
      for (const id of this.#unacknowledged.keys()) this.#client.removeOutgoingMessage(id);
      const impatience = setTimeout(() => this.#client.stream.destroy(), FAREWELL_MS);
      this.#client.end(!this.#client.connected);
      await this.closed;
      clearTimeout(impatience);
    }
    await this.closed;
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#reason ??= CLOSED;
    const lost = new Error(this.#reason);
    for (const { reject } of this.#unacknowledged.values()) reject(lost);
    this.#unacknowledged.clear();
    this.#closed.resolve(this.#reason);
  }
}

function connectTo(options: BrokerConnectionOptions): MqttClient {
  const { broker: { hostname, port, isTls }, ca } = options;
  return connectBy(isTls ? TLS : TCP, { hostname, port, ca }, clientOptions(options));
}

function clientOptions(options: BrokerConnectionOptions): IClientOptions {
  const { broker: { username, password }, level, clientId, cleared, keepAliveS, connectTimeoutMs } =
    options;
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    protocolVersion: level,
    clientId,
    clean: true,
    keepalive: keepAliveS,
    connectTimeout: connectTimeoutMs,
    reconnectPeriod: 0,
    resubscribe: false,
    socksProxy: "", // else the library looks for one in the environment
    writeCache: false,
    ...(cleared === undefined
      ? {}
      : { will: { topic: cleared, payload: Buffer.alloc(0), qos: 1, retain: true } }),
    ...(level === 5 ? { properties: { maximumPacketSize: options.maxPacketBytes } } : {}),
  };
}

function hex(code: number): string {
  return `0x${code.toString(16).padStart(2, "0")}`;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message || error.name; // a refused connection has no message of its own
}
