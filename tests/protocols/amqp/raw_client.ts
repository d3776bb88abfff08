/** An AMQP client for tests that says exactly what it is told, right or wrong. */

import assert from "node:assert/strict";
import { AmqpException } from "../../../src/protocols/amqp/exceptions.ts";
import {
  encodeFrame,
  FrameBuffer,
  FrameType,
  methodFrame,
  PROTOCOL_HEADER,
} from "../../../src/protocols/amqp/frames.ts";
import {
  decodeMethod,
  type Method,
  type MethodFields,
  type MethodName,
} from "../../../src/protocols/amqp/methods.ts";
import { encodeContentHeader, encodeProperties } from "../../../src/protocols/amqp/properties.ts";

export interface RawFrame {
  readonly type: number;
  readonly channel: number;
  readonly payload: Uint8Array;
}

const NOTHING = new Uint8Array();
export const PLAIN = new TextEncoder().encode("\0client-1\0");

export class RawClient implements AsyncDisposable {
  readonly #socket: Deno.TcpConn;
  readonly #frames = new FrameBuffer(1024 * 1024);

  private constructor(socket: Deno.TcpConn) {
    this.#socket = socket;
  }

  /** A socket on which nothing was said yet. */
  static async connect(url: string): Promise<RawClient> {
    const { hostname, port } = new URL(url);
    const socket = await Deno.connect({ hostname, port: Number(port) });
    socket.setNoDelay(true);
    return new RawClient(socket);
  }

  /** A connection up to connection.open-ok, with channel 1 open. */
  static async open(
    url: string,
    { clientId = "client-1", frameMax = 4096, heartbeat = 0 } = {},
  ): Promise<RawClient> {
    const client = await RawClient.connect(url);
    await client.greet();
    await client.say(0, "connection.start-ok", {
      clientProperties: new Map(),
      mechanism: "PLAIN",
      response: new TextEncoder().encode(`\0${clientId}\0`),
      locale: "en_US",
    });
    await client.expect("connection.tune");
    await client.say(0, "connection.tune-ok", { channelMax: 0, frameMax, heartbeat });
    await client.openHost("/");
    await client.expect("connection.open-ok");
    await client.openChannel(1);
    return client;
  }

  /** Sends the protocol header and takes connection.start. */
  async greet(): Promise<MethodFields<"connection.start">> {
    await this.write(PROTOCOL_HEADER);
    return await this.expect("connection.start");
  }

  openHost(virtualHost: string): Promise<void> {
    return this.say(0, "connection.open", { virtualHost, reserved1: "", reserved2: false });
  }

  async openChannel(channel: number): Promise<void> {
    await this.say(channel, "channel.open", { reserved1: "" });
    await this.expect("channel.open-ok");
  }

  async write(octets: Uint8Array): Promise<void> {
    for (let at = 0; at < octets.length;) at += await this.#socket.write(octets.subarray(at));
  }

  say<N extends MethodName>(channel: number, name: N, fields: MethodFields<N>): Promise<void> {
    return this.write(methodFrame(channel, name, fields));
  }

  /** basic.publish without its content. */
  announce(channel: number, exchange: string, routingKey: string): Promise<void> {
    const flags = { mandatory: false, immediate: false };
    return this.say(channel, "basic.publish", { reserved1: 0, exchange, routingKey, ...flags });
  }

  header(channel: number, bodyBytes: number): Promise<void> {
    const payload = encodeContentHeader(bodyBytes, encodeProperties({}));
    return this.write(encodeFrame(FrameType.HEADER, channel, payload));
  }

  body(channel: number, octets: Uint8Array): Promise<void> {
    return this.write(encodeFrame(FrameType.BODY, channel, octets));
  }

  /** The next frame; undefined when the server has closed the socket. */
  async frame(): Promise<RawFrame | undefined> {
    for (;;) {
      const frame = this.#frames.next();
      if (frame !== undefined) {
        assert.ok(!(frame instanceof AmqpException) && !("fatal" in frame), "no frame came");
        return { ...frame, payload: frame.payload.slice() };
      }
      const count = await this.#socket.read(this.#frames.space()).catch(() => null);
      if (count === null) return undefined;
      this.#frames.filled(count);
    }
  }

  /** The next method, whichever it is. */
  async method(): Promise<Method> {
    const frame = await this.frame();
    assert.equal(frame?.type, FrameType.METHOD);
    const method = decodeMethod(frame?.payload ?? NOTHING);
    assert.ok(!(method instanceof AmqpException));
    return method;
  }

  /** The next method, which must be this one. */
  async expect<N extends MethodName>(name: N): Promise<MethodFields<N>> {
    const method = await this.method();
    assert.equal(method.name, name, JSON.stringify(method, (_, value) => String(value)));
    return method.fields as MethodFields<N>;
  }

  /** The connection exception the server ends the connection with; answers it as a client must. */
  async exception(): Promise<number> {
    const { replyCode } = await this.expect("connection.close");
    await this.say(0, "connection.close-ok", {});
    assert.equal(await this.frame(), undefined);
    return replyCode;
  }

  /** The next octets, as they come. */
  async octets(count: number): Promise<Uint8Array> {
    const octets = new Uint8Array(count);
    for (let at = 0; at < count;) {
      const read = await this.#socket.read(octets.subarray(at));
      assert.ok(read !== null, "the server closed the socket");
      at += read;
    }
    return octets;
  }

  /** The octets until the server closes the socket. */
  async rest(): Promise<Uint8Array> {
    const octets: number[] = [];
    const into = new Uint8Array(4096);
    for (;;) {
      const count = await this.#socket.read(into).catch(() => null);
      if (count === null) return Uint8Array.from(octets);
      octets.push(...into.subarray(0, count));
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#socket.close();
    } catch {
      // the server was first
    }
    return Promise.resolve();
  }
}
