import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { ClosingReason } from "../../../src/contract/federation_pb.ts";
import { decodeServerMessage } from "../../../src/contract/codec.ts";
import { options } from "../../../src/protocols/mqtt/options.ts";
import { MqttServer } from "../../../src/protocols/mqtt/server.ts";
import type { Level } from "../../../src/protocols/mqtt/wire.ts";
import { ScriptedCoordinator } from "../../support/scripted_coordinator.ts";
import { serverOptions } from "../subject.ts";
import { EndpointBench, heartbeatBytes, task, willBytes } from "./endpoint_bench.ts";
import { type Of, RawClient, receiptOf } from "./raw_client.ts";
import { recorded } from "./recording.ts";

const UP = "fl/default/up/client-1";
const LEVELS: Level[] = [4, 5];

/** The CONNACK that a CONNECT gets. */
async function connackOf(
  url: string,
  connect: Partial<Of<"connect">>,
): Promise<Of<"connack">> {
  const level = connect.protocolVersion === 4 ? 4 : 5;
  await using client = await RawClient.open(url, level);
  await client.send({ cmd: "connect", clientId: "client-1", protocolVersion: level, ...connect });
  return await client.next("connack");
}

for (const level of LEVELS) {
  for (const library of ["mqttjs", "paho", "mosquitto_pub", "mosquitto_sub"]) {
    Deno.test(`MqttServer answers what ${library} said at level ${level}`, async () => {
      await using bench = await EndpointBench.open();
      await using client = await RawClient.open(bench.url, level);
      for (const bytes of recorded(`${library}-${level}`)) await client.write(bytes);
      await client.closed(); // each ends with DISCONNECT
      const [connack] = client.heard.all;
      assert.equal(connack?.cmd, "connack");
      const messages = bench.coordinator.arrivals.all.filter(({ kind }) => kind === "message");
      const expected = { mqttjs: 3, paho: 3, mosquitto_pub: 1, mosquitto_sub: 0 }[library];
      assert.equal(messages.length, expected);
      // DISCONNECT takes the will back.
      assert.equal(bench.coordinator.arrivals.all.at(-1)?.kind, "detached");
    });
  }

  Deno.test(`MqttServer has no session to resume at level ${level}`, async () => {
    await using bench = await EndpointBench.open();
    for (let turn = 0; turn < 2; turn++) {
      const connack = await connackOf(bench.url, { protocolVersion: level, clean: false });
      assert.equal(connack.sessionPresent, false);
      assert.equal(connack.properties?.sessionExpiryInterval, level === 5 ? 0 : undefined);
    }
  });

  Deno.test(`MqttServer gives Receipt before acknowledgement at level ${level}`, async () => {
    await using bench = await EndpointBench.open();
    await using client = await RawClient.join(bench.url, "client-1", { level });
    await client.publish("client-1", heartbeatBytes("client-1", 1), { messageId: 11 });
    assert.equal(receiptOf(await client.next("publish")), 1);
    assert.equal((await client.next("puback")).messageId, 11);
    await client.publish("client-1", heartbeatBytes("client-1", 2), { messageId: 12, qos: 2 });
    assert.equal(receiptOf(await client.next("publish")), 2);
    assert.equal((await client.next("pubrec")).messageId, 12);
    await client.send({ cmd: "pubrel", messageId: 12, reasonCode: 0 });
    assert.equal((await client.next("pubcomp")).messageId, 12);
    await client.publish("client-1", heartbeatBytes("client-1", 3), { qos: 0 });
    assert.equal(receiptOf(await client.next("publish")), 3);
  });

  Deno.test(`MqttServer retains the state topic at level ${level}`, async () => {
    await using bench = await EndpointBench.open();
    await using client = await RawClient.join(bench.url, "client-1", { level });
    const subscriptions = [{ topic: "fl/default/state", qos: 1 as const }];
    await client.send({ cmd: "subscribe", messageId: 2, subscriptions });
    assert.deepEqual((await client.next("suback")).granted, [1]);
    const state = await client.next("publish");
    assert.ok(state.retain);
    assert.deepEqual(JSON.parse(state.payload.toString()), {
      federation: "default",
      contract_version: 1,
      largest_message_bytes: serverOptions("mqtt").maxMessageBytes,
    });
  });

  Deno.test(`MqttServer refuses foreign subscriptions, one by one, at level ${level}`, async () => {
    await using bench = await EndpointBench.open();
    await using client = await RawClient.join(bench.url, "client-1", { level });
    const topics = ["fl/default/down/client-2", "fl/default/down/client-1", "$SYS/uptime"];
    const subscriptions = topics.map((topic) => ({ topic, qos: 2 as const }));
    await client.send({ cmd: "subscribe", messageId: 2, subscriptions });
    const refused = level === 5 ? 0x87 : 0x80;
    assert.deepEqual((await client.next("suback")).granted, [refused, 1, refused]);
  });

  Deno.test(`MqttServer refuses wildcards at level ${level}`, async () => {
    await using bench = await EndpointBench.open();
    await using client = await RawClient.join(bench.url, "client-1", { level });
    const subscriptions = [{ topic: "fl/default/#", qos: 1 as const }];
    await client.send({ cmd: "subscribe", messageId: 2, subscriptions });
    if (level === 4) assert.deepEqual((await client.next("suback")).granted, [0x80]);
    else assert.equal((await client.next("disconnect")).reasonCode, 0xa2);
  });

  Deno.test(`MqttServer sends to a subscribed client only, at level ${level}`, async () => {
    await using bench = await EndpointBench.open();
    await using client = await RawClient.join(bench.url, "client-1", { level, subscribes: false });
    await client.publish("client-1", heartbeatBytes("client-1", 1));
    await client.next("puback"); // the Receipt has nowhere to go
    const route = await bench.route("client-1");
    assert.equal(await bench.send(route, task(1)), "gone");
    const topic = "fl/default/down/client-1";
    await client.send({ cmd: "subscribe", messageId: 2, subscriptions: [{ topic, qos: 0 }] });
    assert.deepEqual((await client.next("suback")).granted, [0]);
    assert.equal(await bench.send(route, task(2)), "taken");
    assert.equal((await client.next("publish")).qos, 0);
    await client.send({ cmd: "unsubscribe", messageId: 3, unsubscriptions: [topic, "x"] });
    const unsuback = await client.next("unsuback");
    if (level === 5) assert.deepEqual(unsuback.granted, [0, 0x11]);
    assert.equal(await bench.send(route, task(3)), "gone");
  });

  Deno.test(`MqttServer refuses a large packet by its header at level ${level}`, async () => {
    await using bench = await EndpointBench.open();
    await using client = await RawClient.join(bench.url, "client-1", { level });
    await client.write(Uint8Array.of(0x32, 0xff, 0xff, 0xff, 0x7f)); // 256 MiB that never come
    if (level === 5) assert.equal((await client.next("disconnect")).reasonCode, 0x95);
    await client.closed();
    assert.match(await bench.refusal(), /268435460 bytes is too large/);
  });

  Deno.test(`MqttServer lets a client take over from itself at level ${level}`, async () => {
    await using bench = await EndpointBench.open({ server: { maxConnections: 1 } });
    const will = { topic: UP, payload: Buffer.from(willBytes("client-1")), qos: 1 as const };
    await using older = await RawClient.join(bench.url, "client-1", { level, will });
    await older.publish("client-1", heartbeatBytes("client-1", 1));
    const route = await bench.route("client-1");
    await using newer = await RawClient.join(bench.url, "client-1", { level });
    await older.next("publish");
    await older.next("puback");
    const { body } = decodeServerMessage((await older.next("publish")).payload as Uint8Array);
    assert.ok(body.case === "closing");
    assert.equal(body.value.reason, ClosingReason.REPLACED);
    if (level === 5) assert.equal((await older.next("disconnect")).reasonCode, 0x8e);
    await older.closed();
    await bench.detached(route);
    assert.equal(await bench.send(route, task(1)), "gone");
    await newer.publish("client-1", heartbeatBytes("client-1", 2));
    await bench.coordinator.message("client-1", ({ sequence }) => sequence === 2);
    const kinds = bench.coordinator.arrivals.all.map(({ kind }) => kind);
    assert.deepEqual(kinds, ["message", "detached", "message"]); // no will: the client is there
  });

  Deno.test(`MqttServer delivers the will of a lost client at level ${level}`, async () => {
    await using bench = await EndpointBench.open();
    const will = { topic: UP, payload: Buffer.from(willBytes("client-1")), qos: 1 as const };
    await using client = await RawClient.join(bench.url, "client-1", { level, will });
    client.vanish();
    const { route } = await bench.coordinator.message(
      "client-1",
      ({ body }) => body.case === "leave",
    );
    await bench.detached(route);
    assert.deepEqual(
      bench.coordinator.arrivals.all.map(({ kind }) => kind),
      ["message", "detached"],
    );
  });

  Deno.test(`MqttServer refuses more than maxConnections at level ${level}`, async () => {
    await using bench = await EndpointBench.open({ server: { maxConnections: 1 } });
    await using _client = await RawClient.join(bench.url, "client-1", { level });
    const connack = await connackOf(bench.url, { clientId: "client-2", protocolVersion: level });
    if (level === 5) assert.equal(connack.reasonCode, 0x97);
    else assert.equal(connack.returnCode, 3);
  });
}

Deno.test("MqttServer announces its limits to MQTT 5", async () => {
  await using bench = await EndpointBench.open({ own: { receiveMaximum: 7 } });
  const { properties } = await connackOf(bench.url, { keepalive: 0 });
  assert.deepEqual(properties, {
    sessionExpiryInterval: 0,
    receiveMaximum: 7,
    maximumPacketSize: serverOptions("mqtt").maxMessageBytes + 4096,
    topicAliasMaximum: 0,
    wildcardSubscriptionAvailable: false,
    subscriptionIdentifiersAvailable: false,
    sharedSubscriptionAvailable: false,
    serverKeepAlive: 20,
  });
});

Deno.test("MqttServer refuses other protocol levels with the code of the client's age", async () => {
  await using bench = await EndpointBench.open();
  for (const [name, level] of [["MQIsdp", 3], ["MQTT", 6]] as const) {
    await using client = await RawClient.open(bench.url, level === 3 ? 4 : 5);
    const body = [0, name.length, ...new TextEncoder().encode(name), level, 2, 0, 60, 0, 1, 97];
    await client.write(Uint8Array.of(0x10, body.length, ...body));
    const connack = await client.next("connack");
    assert.equal(level === 3 ? connack.returnCode : connack.reasonCode, level === 3 ? 1 : 0x84);
    await client.closed();
  }
});

Deno.test("MqttServer refuses a CONNECT with its reason", async () => {
  await using bench = await EndpointBench.open();
  const will = { topic: "fl/default/up/client-2", payload: Buffer.from("x"), qos: 0 as const };
  const cases: [number, number | undefined, Partial<Of<"connect">>][] = [
    [0x85, 2, { clientId: "" }],
    [0x85, 2, { clientId: "not an id" }],
    [0x87, 5, { will }],
    [0x8c, undefined, { properties: { authenticationMethod: "SCRAM-SHA-1" } }],
    [0x95, undefined, { properties: { maximumPacketSize: 1000 } }],
  ];
  for (const [reasonCode, returnCode, connect] of cases) {
    const connack = await connackOf(bench.url, connect);
    assert.equal(connack.reasonCode, reasonCode);
    assert.ok(connack.properties?.reasonString);
    if (returnCode === undefined) continue;
    const legacy = await connackOf(bench.url, { ...connect, protocolVersion: 4 });
    assert.equal(legacy.returnCode, returnCode);
  }
});

Deno.test("MqttServer closes on what is no CONNECT, and observes it once", async () => {
  await using bench = await EndpointBench.open();
  await using client = await RawClient.open(bench.url);
  await client.write(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
  await client.closed();
  assert.equal(client.heard.all.length, 0);
  assert.deepEqual(bench.coordinator.events.all.map(({ kind }) => kind), ["refused"]);
});

Deno.test("MqttServer closes a connection that says nothing", async () => {
  await using bench = await EndpointBench.open({ own: { connectTimeoutMs: 100 } });
  await using client = await RawClient.open(bench.url);
  await client.closed();
  assert.match(await bench.refusal(), /no CONNECT/);
});

Deno.test("MqttServer.drop() says why, and delivers nothing of the route any more", async () => {
  await using bench = await EndpointBench.open();
  const will = { topic: UP, payload: Buffer.from(willBytes("client-1")), qos: 1 as const };
  await using client = await RawClient.join(bench.url, "client-1", { will });
  await client.publish("client-1", heartbeatBytes("client-1", 1));
  const route = await bench.route("client-1");
  await client.next("publish");
  await client.next("puback");
  bench.server.drop(route, "enough");
  bench.server.drop(route, "twice is harmless");
  const disconnect = await client.next("disconnect");
  assert.equal(disconnect.reasonCode, 0x98);
  assert.equal(disconnect.properties?.reasonString, "enough");
  await client.closed();
  assert.equal(bench.coordinator.arrivals.all.length, 1);
  assert.equal((await bench.server.traffic()).connections, 0);
});

Deno.test("MqttServer.listen() says in one sentence what to change", async () => {
  await using bench = await EndpointBench.open();
  const port = Number(new URL(bench.url).port);
  const fails = async (own: { hostname?: string; port?: number }) => {
    await using server = new MqttServer(serverOptions("mqtt"), options.parse(own));
    const error = await server.listen(new ScriptedCoordinator()).then(() => {}, (error) => error);
    assert.equal(error?.name, "ListenError");
    return error.message;
  };
  assert.equal(
    await fails({ port }),
    `Cannot listen for MQTT on 127.0.0.1:${port}: the address is in use; stop the other program ` +
      "or set --mqtt-port",
  );
  assert.match(await fails({ hostname: "192.0.2.1", port: 0 }), /set --mqtt-hostname/);
});

Deno.test("MqttServer addresses carry the federation name, percent-encoded", async () => {
  await using bench = await EndpointBench.open({ server: { federation: "a/b c" } });
  assert.equal(new URL(bench.url).pathname, "/a%2Fb%20c");
});
