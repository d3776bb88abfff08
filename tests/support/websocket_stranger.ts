/** A WebSocket client made by hand from RFC 6455: what tests use to do what `dial` never would. */

import assert from "node:assert/strict";
import {
  clientMessage,
  decodeServerMessage,
  encodeClientMessage,
} from "../../src/contract/codec.ts";
import type { ClientMessage, ServerMessage } from "../../src/contract/federation_pb.ts";
import { Tcp } from "../../src/websocket/tcp.ts";
import { opcodes } from "../../src/websocket/frames.ts";

const MASK = Uint8Array.of(0x12, 0x34, 0x56, 0x78);

export interface StrangerFrame {
  readonly opcode: number;
  readonly bytes: Uint8Array;
}

export class WebSocketStranger implements AsyncDisposable {
  readonly tcp: Tcp;
  /** The head of the server's answer. */
  readonly answer: string;

  private constructor(tcp: Tcp, answer: string) {
    this.tcp = tcp;
    this.answer = answer;
  }

  /** Asks the server at an address for a WebSocket; beside the path come fields of the request. */
  static async connect(
    url: string,
    { path, ...fields }: Readonly<Record<string, string>> = {},
  ): Promise<WebSocketStranger> {
    const { hostname, port, host, pathname } = new URL(url);
    const tcp = new Tcp(await Deno.connect({ hostname, port: Number(port) }));
    const lines = [
      `GET ${path ?? pathname} HTTP/1.1`,
      `host: ${host}`,
      "upgrade: websocket",
      "connection: upgrade",
      "sec-websocket-version: 13",
      "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
      ...Object.entries(fields).map(([name, value]) => `${name}: ${value}`),
    ];
    await tcp.write(new TextEncoder().encode(lines.join("\r\n") + "\r\n\r\n"));
    return new WebSocketStranger(
      tcp,
      await tcp.takeText({ begin: "HTTP/", end: "\r\n\r\n", maxBytes: 8192 }) ?? "",
    );
  }

  /** One frame of at most 65,535 bytes. */
  async say(
    opcode: number,
    bytes: Uint8Array,
    { final = true }: { readonly final?: boolean } = {},
  ): Promise<void> {
    const begin = (final ? 0x80 : 0) | opcode;
    const head = bytes.length < 126
      ? [begin, 0x80 | bytes.length]
      : [begin, 0xfe, bytes.length >> 8, bytes.length & 0xff];
    const masked = bytes.map((byte, index) => byte ^ (MASK[index % 4] as number));
    await this.tcp.write(new Uint8Array([...head, ...MASK, ...masked]));
  }

  async tell(clientId: string, sequence: number, body: ClientMessage["body"]): Promise<void> {
    await this.say(
      opcodes.binary,
      encodeClientMessage(clientMessage({ clientId, sequence, body })),
    );
  }

  /** The next frame, of whatever kind; undefined when the connection is over. */
  async hearFrame(): Promise<StrangerFrame | undefined> {
    const head = await this.tcp.take(2);
    if (head === undefined) return undefined;
    const [first = 0, second = 0] = head;
    assert.equal(second & 0x80, 0, "a server's frame is not masked");
    assert.equal(first & 0x80, 0x80, "a server's message is one frame");
    const more = await this.tcp.take(second === 127 ? 8 : second === 126 ? 2 : 0);
    assert.ok(more);
    const length = more.length === 0 ? second : Number(BigInt(`0x${more.toHex()}`));
    const bytes = await this.tcp.take(length);
    return bytes && { opcode: first & 0x0f, bytes };
  }

  /** The next message. */
  async hear(): Promise<ServerMessage> {
    const frame = await this.hearFrame();
    assert.equal(frame?.opcode, opcodes.binary);
    return decodeServerMessage(frame.bytes);
  }

  /** The code and reason of the Close that comes next. */
  async hearClose(): Promise<{ code: number; reason: string }> {
    const frame = await this.hearFrame();
    assert.equal(frame?.opcode, opcodes.close);
    const { bytes } = frame;
    return {
      code: new DataView(bytes.buffer).getUint16(0),
      reason: new TextDecoder().decode(bytes.subarray(2)),
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.tcp.close("The test is over");
    return Promise.resolve();
  }
}
