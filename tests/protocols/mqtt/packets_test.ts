import assert from "node:assert/strict";
import fc from "fast-check";
import {
  askedLevel,
  encode,
  encodePublish,
  join,
  type Packet,
  PacketReader,
} from "../../../src/protocols/mqtt/packets.ts";
import { HELLO } from "./frames/hello.ts";
import { packetsOf, recorded } from "./recording.ts";

const UP = "fl/default/up/client-1";
const DOWN = "fl/default/down/client-1";
const STATE = "fl/default/state";

for (const level of [4, 5]) {
  for (const library of ["mqttjs", "paho"]) {
    Deno.test(`PacketReader.read() reads what ${library} says at level ${level}`, () => {
      const packets = packetsOf(recorded(`${library}-${level}`));
      const [connect, subscribe, ...rest] = packets;
      assert.ok(connect?.cmd === "connect");
      assert.equal(connect.clientId, "client-1");
      assert.equal(connect.protocolVersion, level);
      assert.equal(connect.keepalive, 60);
      assert.equal(connect.will?.topic, UP);
      assert.deepEqual(new Uint8Array(connect.will.payload as Uint8Array), HELLO);
      assert.ok(subscribe?.cmd === "subscribe");
      assert.deepEqual(
        subscribe.subscriptions.map(({ topic, qos }) => ({ topic, qos })),
        [{ topic: DOWN, qos: 1 }, { topic: STATE, qos: 1 }],
      );
      const published = rest.filter((packet) => packet.cmd === "publish");
      assert.deepEqual(published.map(({ qos }) => qos), [0, 1, 2]);
      for (const { topic, payload } of published) {
        assert.equal(topic, UP);
        assert.deepEqual(new Uint8Array(payload as Uint8Array), HELLO);
      }
      assert.deepEqual(
        packets.slice(-2).map(({ cmd }) => cmd),
        ["unsubscribe", "disconnect"],
      );
    });
  }

  Deno.test(`PacketReader.read() reads what mosquitto_pub says at level ${level}`, () => {
    const packets = packetsOf(recorded(`mosquitto_pub-${level}`));
    assert.deepEqual(
      packets.map(({ cmd }) => cmd),
      ["connect", "publish", "pubrel", "disconnect"],
    );
    const [, publish] = packets;
    assert.ok(publish?.cmd === "publish");
    assert.equal(publish.qos, 2);
    assert.deepEqual(new Uint8Array(publish.payload as Uint8Array), HELLO);
  });

  Deno.test(`PacketReader.read() reads what mosquitto_sub says at level ${level}`, () => {
    const packets = packetsOf(recorded(`mosquitto_sub-${level}`));
    assert.deepEqual(packets.map(({ cmd }) => cmd), ["connect", "subscribe", "disconnect"]);
    const [connect] = packets;
    assert.ok(connect?.cmd === "connect");
    assert.equal(connect.properties?.receiveMaximum, level === 5 ? 1 : undefined);
  });
}

Deno.test("PacketReader.read() gives a packet or a reason for any bytes, and never throws", () => {
  const frames = fc.uint8Array({ minLength: 2, maxLength: 300 });
  fc.assert(
    fc.property(fc.array(frames, { minLength: 1, maxLength: 5 }), (list) => {
      const packets = new PacketReader();
      for (const bytes of list) {
        const frame = new Uint8Array(bytes);
        frame[1] = Math.min(frame.length - 2, 127);
        const packet = packets.read(frame.slice(0, 2 + frame[1]));
        assert.ok("malformed" in packet || typeof packet.cmd === "string");
      }
    }),
  );
});

Deno.test("PacketReader.read() reads on after a malformed packet", () => {
  const packets = new PacketReader();
  assert.ok("malformed" in packets.read(Uint8Array.of(0x32, 1, 0)));
  assert.deepEqual((packets.read(Uint8Array.of(0xc0, 0)) as Packet).cmd, "pingreq");
});

Deno.test("PacketReader.read() finds PINGREQ and DISCONNECT with content malformed", () => {
  const packets = new PacketReader();
  assert.ok("malformed" in packets.read(Uint8Array.of(0xc0, 1, 0))); // §3.12
  assert.ok("malformed" in packets.read(Uint8Array.of(0xe0, 1, 0))); // 3.1.1 §3.14
});

Deno.test("askedLevel() reads the protocol level of any CONNECT", () => {
  const connect = (name: string, level: number) =>
    Uint8Array.of(0x10, 3 + name.length, 0, name.length, ...new TextEncoder().encode(name), level);
  assert.equal(askedLevel(connect("MQTT", 4)), 4);
  assert.equal(askedLevel(connect("MQTT", 5)), 5);
  assert.equal(askedLevel(connect("MQTT", 6)), 6);
  assert.equal(askedLevel(connect("MQIsdp", 3)), 3);
  assert.equal(askedLevel(connect("HTTP", 4)), undefined);
  assert.equal(askedLevel(Uint8Array.of(0x10, 0)), undefined);
});

Deno.test("encodePublish() does not copy a large message", () => {
  const message = new Uint8Array(100_000).fill(1);
  const publish = { cmd: "publish", topic: DOWN, qos: 1, messageId: 7, dup: false } as const;
  const pieces = encodePublish({ ...publish, retain: false }, message, 5);
  assert.equal(pieces[1], message);
  const reader = new PacketReader();
  reader.read(encode({ cmd: "connect", clientId: "a", protocolVersion: 5 }, 5));
  const packet = reader.read(join(pieces));
  assert.ok("cmd" in packet && packet.cmd === "publish");
  assert.equal(packet.messageId, 7);
  assert.deepEqual(new Uint8Array(packet.payload as Uint8Array), message);
});

Deno.test("encodePublish() keeps a small message in one piece", () => {
  const publish = { cmd: "publish", topic: DOWN, qos: 0, dup: false, retain: false } as const;
  assert.equal(encodePublish(publish, new Uint8Array(0), 4).length, 1);
});
