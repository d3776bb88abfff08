/** MQTT over WebSocket, frame by frame (MQTT 5 and 3.1.1 §6). */

import assert from "node:assert/strict";
import { generate, type Packet, parser } from "mqtt-packet";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { MqttServer } from "../../../src/protocols/mqtt/server.ts";
import { options } from "../../../src/protocols/mqtt/options.ts";
import { MqttWebSocket } from "../../../src/protocols/mqtt/websocket.ts";
import type { Options } from "../../../src/protocols/mqtt/options.ts";
import type { Level } from "../../../src/protocols/mqtt/wire.ts";
import { opcodes } from "../../../src/websocket/frames.ts";
import { ManualTimers } from "../../support/manual_timers.ts";
import { ScriptedCoordinator } from "../../support/scripted_coordinator.ts";
import { WebSocketStranger } from "../../support/websocket_stranger.ts";
import { serverOptions } from "../subject.ts";
import { heartbeatBytes, willBytes } from "./endpoint_bench.ts";

const MQTT = { "sec-websocket-protocol": "mqtt" };
const UP = "fl/default/up/client-1";

/** An endpoint whose WebSocket the tests are clients of. */
class Bench implements AsyncDisposable {
  readonly coordinator = new ScriptedCoordinator();
  readonly #server: MqttServer;
  url = "";

  private constructor(server: MqttServer) {
    this.#server = server;
  }

  static async open(own: Partial<Options> = {}): Promise<Bench> {
    const given = options.parse({ port: 0, websocketPort: 0, ...own });
    const bench = new Bench(new MqttServer(serverOptions("mqtt"), given));
    const addresses = await bench.#server.listen(bench.coordinator);
    assert.deepEqual(addresses.map(({ url }) => new URL(url).protocol), ["mqtt:", "mqtt+ws:"]);
    bench.url = addresses[1]?.url ?? "";
    return bench;
  }

  async refusal(): Promise<string> {
    const event = await this.coordinator.events.find(({ kind }) => kind === "refused");
    return event.kind === "refused" ? event.reason : "";
  }

  async detached(): Promise<string> {
    const arrival = await this.coordinator.arrivals.find(({ kind }) => kind === "detached");
    return arrival.kind === "detached" ? arrival.reason : "";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}

async function say(stranger: WebSocketStranger, packet: Packet, level: Level): Promise<void> {
  await stranger.say(opcodes.binary, generate(packet, { protocolVersion: level }));
}

/** The packet in the next frame. */
async function hear(stranger: WebSocketStranger, level: Level): Promise<Packet | undefined> {
  const frame = await stranger.hearFrame();
  assert.equal(frame?.opcode, opcodes.binary);
  let heard: Packet | undefined;
  const packets = parser({ protocolVersion: level });
  packets.on("packet", (packet) => heard = packet);
  packets.parse(Buffer.from(frame.bytes));
  return heard;
}

/** A stranger who has been admitted. */
async function join(bench: Bench, level: Level): Promise<WebSocketStranger> {
  const stranger = await WebSocketStranger.connect(bench.url, MQTT);
  const will = { topic: UP, payload: Buffer.from(willBytes("client-1")), qos: 1, retain: false };
  const connect = { cmd: "connect", protocolVersion: level, clientId: "client-1", will } as const;
  await say(stranger, connect as Packet, level);
  assert.equal((await hear(stranger, level))?.cmd, "connack");
  return stranger;
}

Deno.test("MQTT over WebSocket agrees on the subprotocol, at any path [MQTT-6.0.0-4]", async () => {
  await using bench = await Bench.open();
  for (const path of ["/", "/mqtt", "/default?x=1"]) {
    await using stranger = await WebSocketStranger.connect(bench.url, {
      path,
      "sec-websocket-protocol": "mqttv3.1, mqtt",
    });
    assert.match(stranger.answer, /^HTTP\/1\.1 101 /);
    assert.match(stranger.answer, /\r\nSec-WebSocket-Protocol: mqtt\r\n/);
  }
});

for (
  const [what, fields, status, reason] of [
    ["no subprotocol", {}, 400, /for the subprotocol mqtt$/],
    ["another subprotocol", { "sec-websocket-protocol": "amqp" }, 400, /subprotocol mqtt$/],
    ["another version", { ...MQTT, "sec-websocket-version": "8" }, 400, /in version 13$/],
    [
      "a page of another site",
      { ...MQTT, origin: "https://example.org" },
      403,
      /Pages of https:\/\/example\.org may not join; allow them by --mqtt-origins$/,
    ],
  ] as const
) {
  Deno.test(`MQTT over WebSocket refuses ${what} with status ${status}`, async () => {
    await using bench = await Bench.open();
    await using stranger = await WebSocketStranger.connect(bench.url, fields);
    assert.ok(stranger.answer.startsWith(`HTTP/1.1 ${status} `), stranger.answer);
    assert.match(await bench.refusal(), reason);
  });
}

Deno.test("MQTT over WebSocket welcomes the pages that the operator allows", async () => {
  await using bench = await Bench.open({ origins: ["https://example.org"] });
  const fields = { ...MQTT, origin: "https://example.org" };
  await using stranger = await WebSocketStranger.connect(bench.url, fields);
  assert.match(stranger.answer, /^HTTP\/1\.1 101 /);
});

for (
  const [what, bytes] of [
    ["a CONNECT outside of a WebSocket", Uint8Array.fromHex("101000044d5154540502003c00000361")],
    ["a TLS handshake", Uint8Array.fromHex("16030100c8010000c40303")],
    ["a request of 10,000 bytes", new TextEncoder().encode(`GET /${"a".repeat(10_000)}`)],
  ] as const
) {
  Deno.test(`MQTT over WebSocket answers ${what} with status 400, at once`, async () => {
    await using bench = await Bench.open();
    const { hostname, port } = new URL(bench.url);
    const conn = await Deno.connect({ hostname, port: Number(port) });
    await conn.write(bytes);
    assert.match(
      await new Response(conn.readable).text(),
      /^HTTP\/1\.1 400 [^]*no HTTP request\n$/,
    );
    assert.match(await bench.refusal(), /^no MQTT CONNECT: The connection opens with no HTTP/);
  });
}

Deno.test("MQTT over WebSocket answers a browser that wants a page with a sentence", async () => {
  await using bench = await Bench.open();
  const answer = await fetch(bench.url.replace("mqtt+ws:", "http:"));
  assert.equal(answer.status, 400);
  assert.equal(await answer.text(), "The request is not for a WebSocket\n");
});

Deno.test("MQTT over WebSocket ends a connection that says no CONNECT in time", async () => {
  await using bench = await Bench.open({ connectTimeoutMs: 100 });
  {
    using timers = new ManualTimers();
    await using silent = await WebSocketStranger.connect(bench.url, MQTT);
    timers.pass(100);
    assert.deepEqual(await silent.hearClose(), { code: 1000, reason: "" });
  }
  assert.equal(await bench.refusal(), "no CONNECT came within 100 ms");
  const { hostname, port } = new URL(bench.url);
  const mute = await Deno.connect({ hostname, port: Number(port) });
  assert.equal(await new Response(mute.readable).text(), "");
});

for (const level of [4, 5] as const) {
  Deno.test(`MQTT over WebSocket at level ${level} takes text for an end [MQTT-6.0.0-1]`, async () => {
    await using bench = await Bench.open();
    await using stranger = await join(bench, level);
    await stranger.say(opcodes.text, new Uint8Array(3));
    if (level === 5) {
      const farewell = await hear(stranger, level);
      assert.ok(farewell?.cmd === "disconnect");
      assert.equal(farewell.reasonCode, 0x82);
    }
    assert.equal((await stranger.hearClose()).code, 1003);
    assert.match(await bench.detached(), /binary WebSocket frames, not text/);
    assert.match(await bench.refusal(), /^client-1: Messages are binary/);
    const wills = bench.coordinator.arrivals.all.filter(({ kind }) => kind === "message");
    assert.equal(wills.length, 1);
  });

  Deno.test(`MQTT over WebSocket at level ${level} answers Close with Close`, async () => {
    await using bench = await Bench.open();
    await using stranger = await join(bench, level);
    await say(stranger, { cmd: "disconnect" }, level);
    assert.deepEqual(await stranger.hearClose(), { code: 1000, reason: "" });
    await stranger.say(opcodes.close, Uint8Array.of(3, 232));
    assert.equal(await stranger.hearFrame(), undefined); // the server closes first (§7.1.1)
    assert.equal(await bench.detached(), "the client disconnected");
    assert.equal(bench.coordinator.arrivals.all.length, 1); // no will
  });

  Deno.test(`MQTT over WebSocket at level ${level} takes Close without DISCONNECT for a loss`, async () => {
    await using bench = await Bench.open();
    await using stranger = await join(bench, level);
    await stranger.say(opcodes.close, Uint8Array.of(3, 233));
    assert.deepEqual(await stranger.hearClose(), { code: 1000, reason: "" });
    assert.equal(await bench.detached(), "the client closed the connection");
    assert.equal(bench.coordinator.arrivals.all.length, 2); // the will comes first
  });
}

Deno.test("MQTT over WebSocket takes a frame that is not masked for an end", async () => {
  await using bench = await Bench.open();
  await using stranger = await join(bench, 5);
  await stranger.tcp.write(Uint8Array.fromHex("8202c0000000"));
  assert.equal((await hear(stranger, 5))?.cmd, "disconnect");
  assert.equal((await stranger.hearClose()).code, 1002);
  assert.match(await bench.detached(), /must be masked/);
});

Deno.test("MQTT over WebSocket loses a client whose TCP connection ends", async () => {
  await using bench = await Bench.open();
  const stranger = await join(bench, 5);
  await stranger[Symbol.asyncDispose]();
  assert.match(await bench.detached(), /^the connection was lost: /);
});

Deno.test("MQTT over WebSocket answers a Ping between two halves of a packet", async () => {
  await using bench = await Bench.open();
  await using stranger = await join(bench, 5);
  const payload = Buffer.from(heartbeatBytes("client-1", 1));
  const publish = { cmd: "publish", topic: UP, qos: 1, messageId: 9, dup: false, retain: false };
  const bytes = generate({ ...publish, payload } as Packet, { protocolVersion: 5 });
  await stranger.say(opcodes.binary, bytes.subarray(0, 5), { final: false });
  await stranger.say(opcodes.ping, Uint8Array.of(1, 2));
  assert.deepEqual(await stranger.hearFrame(), {
    opcode: opcodes.pong,
    bytes: Uint8Array.of(1, 2),
  });
  await stranger.say(opcodes.continuation, bytes.subarray(5, 9));
  await stranger.say(opcodes.binary, new Uint8Array(0));
  await stranger.say(opcodes.binary, bytes.subarray(9));
  assert.equal((await hear(stranger, 5))?.cmd, "puback");
});

/** How a client cuts its bytes: lengths of frames, and of messages in frames. */
const cuts = fc.array(
  fc.record({ length: fc.nat(200), final: fc.boolean(), ping: fc.boolean() }),
  { minLength: 1, maxLength: 8 },
);

Deno.test("MqttWebSocket gives the same bytes however they are framed, into any room", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${listener.addr.port}/`;
  const room = fc.integer({ min: 1, max: 90 });
  await fc.assert(
    fc.asyncProperty(cuts, room, async (frames, roomBytes) => {
      const counted = { up: 0, down: 0 };
      const connected = WebSocketStranger.connect(url, MQTT);
      const socket = new MqttWebSocket(await listener.accept(), {
        origins: [],
        count: (direction, bytes) => counted[direction] += bytes,
      });
      const read: number[] = [];
      const reading = (async () => {
        for (;;) {
          const into = new Uint8Array(roomBytes + 3).subarray(3);
          const count = await socket.read(into);
          if (count === null) return;
          assert.ok(count > 0);
          read.push(...into.subarray(0, count));
        }
      })();
      await using stranger = await connected;
      const sent: number[] = [];
      let midMessage = false;
      for (const { length, final, ping } of [...frames, { length: 1, final: true, ping: false }]) {
        const bytes = Uint8Array.from({ length }, (_, index) => sent.length + index);
        sent.push(...bytes);
        if (ping) await stranger.say(opcodes.ping, new Uint8Array(0));
        const opcode = midMessage ? opcodes.continuation : opcodes.binary;
        await stranger.say(opcode, bytes, { final });
        midMessage = !final;
      }
      await stranger.say(opcodes.close, new Uint8Array(0));
      await reading;
      socket.close();
      assert.deepEqual(read, sent);
      assert.ok(counted.up > 6 * frames.length); // heads and handshake; the bytes are MQTT's
    }),
    { numRuns: 50 },
  );
});

Deno.test("MqttWebSocket counts what MQTT does not, in either direction", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connected = WebSocketStranger.connect(`http://127.0.0.1:${listener.addr.port}/`, MQTT);
  const counted = { up: 0, down: 0 };
  const socket = new MqttWebSocket(await listener.accept(), {
    origins: [],
    count: (direction, bytes) => counted[direction] += bytes,
  });
  const into = new Uint8Array(100);
  const opened = socket.read(into);
  await using stranger = await connected;
  await stranger.say(opcodes.binary, new Uint8Array(10));
  assert.equal(await opened, 10);
  const { up } = counted;
  await stranger.say(opcodes.binary, new Uint8Array(20));
  assert.equal(await socket.read(into), 20);
  assert.equal(counted.up - up, 6);
  assert.equal(await socket.write(new Uint8Array(70_000)), 70_000);
  assert.equal(counted.down, 10);
  socket.close();
});
