/** A client that says exactly what a test tells it to, byte by byte if need be. */

import { Buffer } from "node:buffer";
import { generate, type IConnectPacket, type Packet, parser } from "mqtt-packet";
import { decodeServerMessage } from "../../../src/contract/codec.ts";
import type { Level } from "../../../src/protocols/mqtt/wire.ts";
import { Awaitable } from "../../support/awaitable.ts";

/** A packet of a kind. */
export type Of<Kind extends Packet["cmd"]> = Extract<Packet, { cmd: Kind }>;

export class RawClient implements AsyncDisposable {
  readonly heard = new Awaitable<Packet>();
  readonly #socket: Deno.TcpConn;
  readonly #level: Level;
  readonly #reading: Promise<void>;
  #next = 0;

  private constructor(socket: Deno.TcpConn, level: Level) {
    this.#socket = socket;
    this.#level = level;
    this.#reading = this.#read();
  }

  static async open(url: string, level: Level = 5): Promise<RawClient> {
    const { hostname, port } = new URL(url);
    return new RawClient(await Deno.connect({ hostname, port: Number(port) }), level);
  }

  /** Connects as `clientId`, and subscribes to its down topic unless told otherwise. */
  static async join(
    url: string,
    clientId: string,
    options: Partial<IConnectPacket> & { level?: Level; subscribes?: boolean } = {},
  ): Promise<RawClient> {
    const { level = 5, subscribes = true, ...connect } = options;
    const client = await RawClient.open(url, level);
    await client.send({ cmd: "connect", clientId, protocolVersion: level, ...connect });
    const connack = await client.next("connack");
    if ((connack.reasonCode ?? connack.returnCode) !== 0) throw new Error("It was refused");
    if (subscribes) {
      const topic = `fl/default/down/${clientId}`;
      await client.send({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic, qos: 1 }] });
      await client.next("suback");
    }
    return client;
  }

  async send(packet: Packet): Promise<void> {
    await this.write(generate(packet, { protocolVersion: this.#level }));
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await this.#socket.write(rest));
  }

  /** Publishes to the up topic of `clientId`, at QoS 1 unless told otherwise. */
  async publish(
    clientId: string,
    payload: Uint8Array,
    more: Partial<Of<"publish">> = {},
  ): Promise<void> {
    await this.send({
      cmd: "publish",
      topic: `fl/default/up/${clientId}`,
      payload: Buffer.from(payload),
      qos: 1,
      dup: false,
      retain: false,
      messageId: 10,
      ...more,
    });
  }

  /** The next packet, which must be of this kind. */
  async next<Kind extends Packet["cmd"]>(kind: Kind): Promise<Of<Kind>> {
    const packet = await this.heard.find(() => true, this.#next++);
    if (packet.cmd !== kind) throw new Error(`Expected ${kind}, heard ${JSON.stringify(packet)}`);
    return packet as Of<Kind>;
  }

  /** Resolves when the server has closed the connection. */
  async closed(): Promise<void> {
    await this.#reading;
  }

  /** Ends the connection without a word. */
  vanish(): void {
    this.#socket.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#socket.close();
    } catch {
      // It is closed already.
    }
    await this.#reading;
  }

  async #read(): Promise<void> {
    const packets = parser({ protocolVersion: this.#level });
    packets.on("packet", (packet) => this.heard.push(packet));
    try {
      const bytes = new Uint8Array(64 * 1024);
      for (let count; (count = await this.#socket.read(bytes)) !== null;) {
        packets.parse(Buffer.from(bytes.slice(0, count)));
      }
    } catch {
      // Closed here, or reset there.
    }
    this.heard.end("the connection is closed");
  }
}

/** The sequence number of the Receipt in a PUBLISH. */
export function receiptOf(packet: Of<"publish">): number {
  const { body } = decodeServerMessage(new Uint8Array(packet.payload as Uint8Array));
  if (body.case !== "receipt") throw new Error(`Expected a Receipt, heard ${body.case}`);
  return body.value.sequence;
}
