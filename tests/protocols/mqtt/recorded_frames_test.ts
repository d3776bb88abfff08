/** What stock MQTT clients say in one round of a federation, by TCP and by WebSocket. */

import assert from "node:assert/strict";
import type { Packet } from "../../../src/protocols/mqtt/packets.ts";
import { MqttWebSocket } from "../../../src/protocols/mqtt/websocket.ts";
import { assertSession, messageIn } from "../recorded_session.ts";
import { HELLO } from "./frames/hello.ts";
import { packetsOf, recorded } from "./recording.ts";

const UP = "fl/default/up/client-1";

/** Checks a whole session, packet by packet. */
function assertPackets(packets: readonly Packet[], level: number): void {
  const [connect, subscribe, ...rest] = packets;
  assert.ok(connect?.cmd === "connect");
  assert.equal(connect.clientId, "client-1");
  assert.equal(connect.protocolVersion, level);
  assert.equal(connect.will?.topic, UP);
  const will = messageIn(new Uint8Array(connect.will.payload as Uint8Array));
  assert.equal(will.body.case, "leave");
  assert.ok(subscribe?.cmd === "subscribe");
  assert.deepEqual(
    subscribe.subscriptions.map(({ topic, qos }) => [topic, qos]),
    [["fl/default/down/client-1", 1]],
  );
  const after = rest.slice(rest.findIndex(({ cmd }) => cmd === "disconnect") + 1);
  assert.ok(after.length < rest.length, "there is no DISCONNECT");
  assertSession(rest.flatMap((packet) => {
    if (packet.cmd !== "publish") return [];
    assert.deepEqual([packet.topic, packet.qos, packet.retain], [UP, 1, false]);
    return [messageIn(new Uint8Array(packet.payload as Uint8Array))];
  }));
  const kinds = new Set([...rest, ...after].map(({ cmd }) => cmd));
  assert.deepEqual(
    kinds.difference(new Set(["pingreq"])),
    new Set(["publish", "puback", "disconnect"]),
  );
}

/** What is in the WebSocket of a recording, read as the endpoint reads it. */
async function inside(name: string): Promise<Uint8Array[]> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const client = await Deno.connect({ port: listener.addr.port });
  const socket = new MqttWebSocket(await listener.accept(), { origins: [], count: () => {} });
  const writing = (async () => {
    const writer = client.writable.getWriter();
    for (const bytes of recorded(name)) await writer.write(bytes);
    await writer.close();
  })();
  const chunks: Uint8Array[] = [];
  try {
    for (;;) {
      const into = new Uint8Array(1000);
      const count = await socket.read(into);
      if (count === null) break;
      chunks.push(into.subarray(0, count));
    }
  } catch (error) {
    // Not every client says Close.
    assert.match(String(error), /closed without a word/);
  }
  await writing;
  socket.close();
  return chunks;
}

for (const [name, level] of [["rumqttc", 4], ["paho.golang", 5]] as const) {
  Deno.test(`PacketReader.read() reads what ${name} says, from CONNECT to DISCONNECT`, () => {
    assertPackets(packetsOf(recorded(`${name}-${level}`)), level);
  });
}

for (const level of [4, 5]) {
  for (const client of ["paho", "chromium"]) {
    Deno.test(`MqttWebSocket reads what ${client} says at level ${level}`, async () => {
      assertPackets(packetsOf(await inside(`${client}-ws-${level}`)), level);
    });
  }

  // Its packets come in frames of a byte or two.
  Deno.test(`MqttWebSocket reads what mqtt.js says at level ${level}`, async () => {
    const packets = packetsOf(await inside(`mqttjs-ws-${level}`));
    const [connect, subscribe, ...rest] = packets;
    assert.ok(connect?.cmd === "connect" && subscribe?.cmd === "subscribe");
    assert.equal(connect.protocolVersion, level);
    const published = rest.flatMap((packet) => packet.cmd === "publish" ? [packet] : []);
    assert.deepEqual(published.map(({ topic, qos }) => [topic, qos]), [[UP, 0], [UP, 1], [UP, 2]]);
    for (const { payload } of published) {
      assert.deepEqual(new Uint8Array(payload as Uint8Array), HELLO);
    }
    assert.equal(rest.at(-1)?.cmd, "disconnect");
  });
}
