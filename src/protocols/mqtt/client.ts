/** The dialling side of MQTT: mqtt.js, one connection, its own reconnects off. */

import { Buffer } from "node:buffer";
import { Readable } from "node:stream";
import { type IClientOptions, type MqttClient, Store } from "mqtt";
import {
  decodeServerMessage,
  encodeClientMessage,
  readServerMessage,
} from "../../contract/codec.ts";
import { type Connection, ConnectionLost, type DialOptions } from "../../contract/connection.ts";
import type { ClientMessage, ServerMessage } from "../../contract/federation_pb.ts";
import { shownUrl } from "../../contract/shown_url.ts";
import { Backlog } from "./backlog.ts";
import { connectBy, socketOf, type Transport, transportOf } from "./transport.ts";
import { type Level, ReasonCode, type Topics, topicsOf } from "./wire.ts";

/** Where a URL leads. */
interface Destination {
  readonly transport: Transport;
  readonly hostname: string;
  readonly port: number;
  readonly federation: string;
  readonly level: Level;
  readonly username: string;
  readonly password: string;
}

const KEEP_ALIVE_S = 30;
const CONNECT_TIMEOUT_MS = 20_000;
const UNKNOWN_USER =
  "a broker wants a user and a password that it knows, as in mqtt://user:password@host/default";
/** What a broker leaves to be guessed. */
const UNTOLD: ReadonlyMap<number, string> = new Map([
  [ReasonCode.BAD_USER_NAME_OR_PASSWORD, UNKNOWN_USER],
  [ReasonCode.NOT_AUTHORISED, UNKNOWN_USER],
]);
/** How long DISCONNECT and what precedes it may need to leave. */
const FAREWELL_MS = 1000;

/**
 * Connects by `mqtt://host:port/federation`, `mqtts://` for TLS, or through a WebSocket by
 * `mqtt+ws://` and `mqtt+wss://`, to the server's own endpoint or to a broker; with `?v=4` in MQTT
 * 3.1.1 instead of MQTT 5, with `user:password@` as the user that a broker wants.
 * @throws {TypeError} for a URL that is none of these.
 * @throws {ConnectionLost} when nobody answers, or the endpoint refuses.
 */
export async function dial(url: URL, options: DialOptions): Promise<Connection> {
  const destination = destinationOf(url);
  const { clientId, will, signal, ca, sealed = false } = options;
  const topics = topicsOf(destination.federation, clientId);
  if (signal.aborted) throw new ConnectionLost(`Cannot connect to ${url.host}: it was called off`);
  const lastWill = encodeClientMessage(will);
  const own: IClientOptions = {
    ...optionsOf(destination),
    clientId,
    will: { topic: topics.up, payload: bufferOf(lastWill), qos: 1, retain: false },
  };
  const client = connectBy(destination.transport, { ...destination, ca }, own);
  const connection = new MqttConnection(client, { topics, lastWill, sealed });
  const callOff = () => client.end(true);
  signal.addEventListener("abort", callOff);
  try {
    await connection.open();
    return connection;
  } catch (error) {
    await connection[Symbol.asyncDispose]();
    const reason = signal.aborted ? "it was called off" : reasonOf(error);
    throw new ConnectionLost(`Cannot connect to ${url.host}: ${reason}`);
  } finally {
    signal.removeEventListener("abort", callOff);
  }
}

function destinationOf(url: URL): Destination {
  const cannot = `Cannot read ${shownUrl(url)} as an MQTT address`;
  const transport = transportOf(url.protocol);
  if (transport === undefined) {
    throw new TypeError(
      `${cannot}: it must begin with mqtt://, mqtts://, mqtt+ws:// or mqtt+wss://`,
    );
  }
  if (url.hostname === "") throw new TypeError(`${cannot}: it names no host`);
  const [, name = "", ...rest] = url.pathname.split("/");
  const federation = decoded(name);
  if (federation === "" || rest.length > 0) {
    throw new TypeError(`${cannot}: its path must be a federation name, as in /default`);
  }
  const version = url.searchParams.get("v") ?? "5";
  if (version !== "4" && version !== "5") {
    throw new TypeError(`${cannot}: v must be 4 (MQTT 3.1.1) or 5`);
  }
  return {
    transport,
    hostname: url.hostname.replace(/^\[(.*)\]$/, "$1"), // an IPv6 address
    port: url.port === "" ? transport.defaultPort : Number(url.port),
    federation,
    level: version === "4" ? 4 : 5,
    username: decoded(url.username),
    password: decoded(url.password),
  };
}

/** Empty for what is not percent-encoded text. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

/**
 * Messages on their way to an acknowledgement, of one connection alone: there is nothing to send
 * again at its start. (The library's own stream ends with a timer, perhaps after its connection.)
 */
class FreshStore extends Store {
  override createStream(): ReturnType<Store["createStream"]> {
    // The library's types name another package's Readable, which is this one here.
    return Readable.from([]) as unknown as ReturnType<Store["createStream"]>;
  }
}

function optionsOf(destination: Destination): IClientOptions {
  const { level, username, password } = destination;
  return {
    ...(username === "" ? {} : { username }),
    ...(password === "" ? {} : { password }),
    protocolVersion: level,
    clean: true,
    keepalive: KEEP_ALIVE_S,
    connectTimeout: CONNECT_TIMEOUT_MS,
    reconnectPeriod: 0,
    resubscribe: false,
    socksProxy: "", // else the library looks for one in the environment
    writeCache: false,
    outgoingStore: new FreshStore(),
  };
}

class MqttConnection implements Connection {
  readonly wire = "mqtt";
  readonly messages: AsyncIterable<ServerMessage>;
  readonly lost: Promise<string>;
  readonly #client: MqttClient;
  readonly #topics: Topics;
  readonly #lastWill: Uint8Array<ArrayBuffer>;
  readonly #sealed: boolean;
  readonly #lost = Promise.withResolvers<string>();
  readonly #backlog = new Backlog<ServerMessage>();
  readonly #unacknowledged = new Set<number>();
  /** Resolves when the turn of the next send has come. */
  #turn: Promise<void> = Promise.resolve();
  #acknowledged: PromiseWithResolvers<void> | undefined;
  #receiveMaximum = Infinity;
  /** Behind a broker the server sees neither connections nor their ends. */
  #isBroker = true;
  #reason: string | undefined;
  #leaving = false;
  #over = false;

  constructor(
    client: MqttClient,
    { topics, lastWill, sealed }: {
      topics: Topics;
      lastWill: Uint8Array<ArrayBuffer>;
      sealed: boolean;
    },
  ) {
    this.#client = client;
    this.#topics = topics;
    this.#lastWill = lastWill;
    this.#sealed = sealed;
    this.messages = this.#backlog;
    this.lost = this.#lost.promise;
    client.handleMessage = ({ topic, payload }, done) => {
      // An acknowledgement behind DISCONNECT is a write after the end: a WebSocket stops there and
      // then, with all that still waits in it. What is not acknowledged is passed over.
      if (this.#leaving) done(new Error("the client leaves"));
      else if (topic === topics.down) this.#hear(payload as Buffer, done);
      else done();
    };
    client.on("packetreceive", (packet) => {
      if (packet.cmd === "connack") {
        this.#receiveMaximum = packet.properties?.receiveMaximum ?? Infinity;
        // The server's own endpoint has none. It is not said in MQTT 3.1.1.
        this.#isBroker = packet.properties?.wildcardSubscriptionAvailable !== false;
      }
      if (packet.cmd === "puback") {
        if (packet.reasonCode === ReasonCode.NO_MATCHING_SUBSCRIBERS) this.#serverless();
        return;
      }
      if (packet.cmd !== "connack" && packet.cmd !== "disconnect") return;
      const { reasonCode = 0, properties = {} } = packet;
      const code = `0x${reasonCode.toString(16).padStart(2, "0")}`;
      const reason = properties.reasonString ?? UNTOLD.get(reasonCode) ?? "no reason";
      if (reasonCode > 0) this.#reason ??= `${reason} (${code})`;
    });
    client.on("error", (error) => this.#reason ??= reasonOf(error));
    client.on("close", () => this.#end());
  }

  /** Resolves once connected and subscribed to the down topic. */
  async open(): Promise<void> {
    const connected = Promise.withResolvers<void>();
    this.#client.once("connect", () => connected.resolve());
    await this.#orLost(connected.promise);
    await this.#orLost(this.#client.subscribeAsync(this.#topics.down, { qos: 1 }));
  }

  async send(message: ClientMessage): Promise<void> {
    const before = this.#turn;
    const turn = Promise.withResolvers<void>();
    this.#turn = turn.promise;
    try {
      await before;
      await this.#room();
      this.#publish(encodeClientMessage(message));
      await this.#drained();
    } finally {
      turn.resolve();
    }
  }

  traffic(): { up: number; down: number } {
    const socket = socketOf(this.#client);
    return { up: socket?.bytesWritten ?? 0, down: socket?.bytesRead ?? 0 };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#leaving && !this.#over) {
      this.#leaving = true;
      this.#reason ??= "it was closed here";
      this.#backlog.close();
      // The library would wait for every acknowledgement before it says DISCONNECT.
      for (const id of [...this.#unacknowledged]) this.#client.removeOutgoingMessage(id);
      const impatience = setTimeout(() => this.#client.stream.destroy(), FAREWELL_MS);
      this.#client.end(!this.#client.connected, this.#goodbye()); // where somebody hears it
      void this.lost.then(() => clearTimeout(impatience));
    }
    await this.lost;
  }

  /** How to DISCONNECT: a broker must let the server know, who sees an end at its own endpoint. */
  #goodbye(): { reasonCode?: number } {
    if (!this.#isBroker || !this.#client.connected) return {};
    if (this.#client.options.protocolVersion === 5) {
      return { reasonCode: ReasonCode.DISCONNECT_WITH_WILL };
    }
    // A DISCONNECT of MQTT 3.1.1 takes the will back (§3.14.4), so it is said before.
    this.#client.publish(this.#topics.up, bufferOf(this.#lastWill), { qos: 0 });
    return {};
  }

  /** A broker that has nobody to give a message to: it is lost, and its Receipt will not come. */
  #serverless(): void {
    this.#reason ??= "no server serves this federation through the broker";
    this.#client.stream.destroy();
  }

  #hear(payload: Buffer, done: () => void): void {
    try {
      const bytes = owned(payload);
      const message = (this.#sealed ? readServerMessage : decodeServerMessage)(bytes);
      if (message === undefined) return done();
      this.#backlog.push(message, { bytes: bytes.length, taken: done });
      if (message.body.case === "closing" && !this.#sealed) this.#told(message.body.value.detail);
    } catch (error) {
      this.#reason ??= reasonOf(error);
      this.#client.stream.destroy();
      done();
    }
  }

  /** The server speaks no more on this route; behind a broker it cannot end the connection itself. */
  #told(detail: string): void {
    this.#reason ??= detail;
    void this[Symbol.asyncDispose]();
  }

  /** [MQTT-3.3.4-9]: no more at once than the endpoint's Receive Maximum. */
  async #room(): Promise<void> {
    while (!this.#over && this.#unacknowledged.size >= this.#receiveMaximum) {
      this.#acknowledged ??= Promise.withResolvers<void>();
      await this.#acknowledged.promise;
    }
    if (this.#over || this.#leaving) throw new ConnectionLost(this.#reason);
  }

  #publish(bytes: Uint8Array<ArrayBuffer>): void {
    // The verdict is in the Receipt: a reason code in the acknowledgement adds nothing.
    const acknowledged = () => {
      this.#unacknowledged.delete(id);
      this.#acknowledged?.resolve();
      this.#acknowledged = undefined;
    };
    this.#client.publish(this.#topics.up, bufferOf(bytes), { qos: 1 }, acknowledged);
    const id = this.#client.getLastMessageId();
    this.#unacknowledged.add(id);
  }

  async #drained(): Promise<void> {
    const { stream } = this.#client;
    if (!stream.writableNeedDrain) return;
    const drained = Promise.withResolvers<void>();
    stream.once("drain", drained.resolve);
    this.#client.once("close", drained.resolve);
    await drained.promise;
    stream.off("drain", drained.resolve);
    this.#client.off("close", drained.resolve);
    if (this.#over) throw new ConnectionLost(this.#reason);
  }

  async #orLost<T>(happening: Promise<T>): Promise<T> {
    const lost = this.lost.then((reason) => {
      throw new ConnectionLost(reason);
    });
    return await Promise.race([happening, lost]);
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#reason ??= "the endpoint closed the connection";
    this.#acknowledged?.resolve();
    this.#backlog.close();
    this.#lost.resolve(this.#reason);
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message || error.name; // a refused connection has no message of its own
}

/**
 * The library gives a slice of what the socket read, or for a large message a buffer that it put
 * together for it alone.
 */
function owned(payload: Buffer): Uint8Array {
  const { buffer, length } = payload;
  return buffer.byteLength === length ? new Uint8Array(buffer) : new Uint8Array(payload);
}

function bufferOf(bytes: Uint8Array<ArrayBuffer>): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
