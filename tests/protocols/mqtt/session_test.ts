import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Verdict } from "../../../src/contract/federation_pb.ts";
import { answer } from "../../support/scripted_coordinator.ts";
import { serverOptions } from "../subject.ts";
import { EndpointBench, heartbeatBytes, task, willBytes } from "./endpoint_bench.ts";
import { type Of, RawClient, receiptOf } from "./raw_client.ts";

const UP = "fl/default/up/client-1";

Deno.test("Session acknowledges in the order of arrival, whatever the judge's", async () => {
  await using bench = await EndpointBench.open();
  const first = Promise.withResolvers<void>();
  bench.coordinator.judge = async ({ sequence }) => {
    if (sequence === 1) await first.promise;
    return answer(sequence, Verdict.ACCEPTED);
  };
  await using client = await RawClient.join(bench.url, "client-1", { subscribes: false });
  for (const id of [1, 2, 3]) {
    const qos = id === 2 ? 2 : 1;
    await client.publish("client-1", heartbeatBytes("client-1", id), { messageId: id, qos });
  }
  await bench.coordinator.message("client-1", ({ sequence }) => sequence === 3);
  first.resolve();
  assert.equal((await client.next("puback")).messageId, 1);
  assert.equal((await client.next("pubrec")).messageId, 2);
  assert.equal((await client.next("puback")).messageId, 3);
});

Deno.test("Session repeats the verdict in the acknowledgement of MQTT 5", async () => {
  await using bench = await EndpointBench.open();
  bench.coordinator.judge = ({ sequence }) => answer(sequence, Verdict.BUSY);
  await using client = await RawClient.join(bench.url, "client-1");
  await client.publish("client-1", heartbeatBytes("client-1", 1));
  await client.next("publish");
  assert.equal((await client.next("puback")).reasonCode, 0x97);
});

Deno.test("Session refuses a PUBLISH elsewhere, and the connection goes on", async () => {
  await using bench = await EndpointBench.open();
  await using client = await RawClient.join(bench.url, "client-1");
  const topics = ["fl/default/up/client-2", "fl/other/up/client-1", "fl/default/state", "$SYS/x"];
  for (const [index, topic] of topics.entries()) {
    const messageId = 20 + index;
    await client.publish("client-1", heartbeatBytes("client-1", 1), { topic, messageId });
    const puback = await client.next("puback");
    assert.deepEqual([puback.messageId, puback.reasonCode], [messageId, 0x87]);
  }
  const retained = { retain: true, qos: 2 as const };
  await client.publish("client-1", heartbeatBytes("client-1", 1), retained);
  assert.equal((await client.next("pubrec")).reasonCode, 0x87);
  await client.publish("client-1", heartbeatBytes("client-1", 2));
  assert.equal(receiptOf(await client.next("publish")), 2);
  assert.equal(bench.coordinator.arrivals.all.length, 1);
  const refusals = bench.coordinator.events.all.filter(({ kind }) => kind === "refused");
  assert.equal(refusals.length, 1); // told once a connection
});

Deno.test("Session ends MQTT 3.1.1 and QoS 0 that publish elsewhere", async () => {
  await using bench = await EndpointBench.open();
  const topic = "fl/default/up/client-2";
  await using legacy = await RawClient.join(bench.url, "client-1", { level: 4 });
  await legacy.publish("client-1", heartbeatBytes("client-1", 1), { topic });
  await legacy.closed();
  await using client = await RawClient.join(bench.url, "client-1");
  await client.publish("client-1", heartbeatBytes("client-1", 1), { topic, qos: 0 });
  assert.equal((await client.next("disconnect")).reasonCode, 0x87);
  await client.closed();
});

Deno.test("Session says DISCONNECT with the proper code to whoever breaks MQTT 5", async () => {
  await using bench = await EndpointBench.open();
  const publish: Of<"publish"> = {
    cmd: "publish",
    topic: UP,
    payload: Buffer.alloc(0),
    qos: 1,
    messageId: 1,
    dup: false,
    retain: false,
  };
  const subscriptions = [{ topic: "fl/default/down/client-1", qos: 1 as const }];
  const shared = [{ topic: `$share/g/${UP}`, qos: 1 as const }];
  const subscribe: Of<"subscribe"> = { cmd: "subscribe", messageId: 1, subscriptions };
  const cases: [number, Parameters<RawClient["send"]>[0]][] = [
    [0x82, { cmd: "connect", clientId: "client-1", protocolVersion: 5 }],
    [0x82, { cmd: "auth", reasonCode: 0x18 }],
    [0x82, { cmd: "pingresp" }],
    [0x82, { cmd: "pubrec", messageId: 1, reasonCode: 0 }],
    [0x82, { ...publish, messageId: 0 }],
    [0x82, { ...publish, properties: { subscriptionIdentifier: 1 } }],
    [0x82, { ...publish, qos: 0, dup: true }],
    [0x82, { cmd: "disconnect", reasonCode: 0, properties: { sessionExpiryInterval: 9 } }],
    [0x90, { ...publish, topic: "fl/+/up" }],
    [0x90, { ...publish, topic: "" }],
    [0x94, { ...publish, properties: { topicAlias: 1 } }],
    [0x95, { ...publish, payload: Buffer.alloc(serverOptions("mqtt").maxMessageBytes + 1) }],
    [0x9e, { ...subscribe, subscriptions: shared }],
    [0xa1, { ...subscribe, properties: { subscriptionIdentifier: 1 } }],
  ];
  for (const [code, packet] of cases) {
    await using client = await RawClient.join(bench.url, "client-1");
    await client.send(packet);
    const disconnect = await client.next("disconnect");
    assert.equal(disconnect.reasonCode, code, JSON.stringify(disconnect));
    await client.closed();
  }
  await using client = await RawClient.join(bench.url, "client-1");
  await client.write(Uint8Array.of(0x36, 0)); // QoS 3
  assert.equal((await client.next("disconnect")).reasonCode, 0x81);
});

Deno.test("Session holds MQTT 5 clients to its Receive Maximum", async () => {
  await using bench = await EndpointBench.open({ own: { receiveMaximum: 2 } });
  bench.coordinator.judge = () => new Promise(() => {});
  await using client = await RawClient.join(bench.url, "client-1");
  for (const messageId of [1, 2, 3]) {
    await client.publish("client-1", heartbeatBytes("client-1", messageId), { messageId });
  }
  assert.equal((await client.next("disconnect")).reasonCode, 0x93);
});

Deno.test("Session keeps to the client's Receive Maximum", async () => {
  await using bench = await EndpointBench.open();
  const properties = { receiveMaximum: 1 };
  await using client = await RawClient.join(bench.url, "client-1", { properties });
  await client.publish("client-1", heartbeatBytes("client-1", 1), { qos: 0 });
  const { messageId = 0 } = await client.next("publish");
  const sent = bench.send(await bench.route("client-1"), task(1));
  await client.send({ cmd: "pingreq" });
  await client.next("pingresp"); // and not the task
  await client.send({ cmd: "puback", messageId, reasonCode: 0 });
  assert.equal(await sent, "taken");
  await client.next("publish");
});

Deno.test("Session answers a repeated QoS 2 message without delivering it again", async () => {
  await using bench = await EndpointBench.open();
  await using client = await RawClient.join(bench.url, "client-1", { subscribes: false });
  const bytes = heartbeatBytes("client-1", 1);
  await client.publish("client-1", bytes, { qos: 2 });
  await client.next("pubrec");
  await client.publish("client-1", bytes, { qos: 2, dup: true });
  await client.next("pubrec");
  await client.send({ cmd: "pubrel", messageId: 10, reasonCode: 0 });
  assert.equal((await client.next("pubcomp")).reasonCode, 0);
  await client.send({ cmd: "pubrel", messageId: 10, reasonCode: 0 });
  assert.equal((await client.next("pubcomp")).reasonCode, 0x92);
  assert.equal(bench.coordinator.arrivals.all.length, 1);
});

Deno.test("Session takes the will back on DISCONNECT, and gives it on 0x04", async () => {
  await using bench = await EndpointBench.open();
  const will = { topic: UP, payload: Buffer.from(willBytes("client-1")), qos: 1 as const };
  for (const [reasonCode, expected] of [[0, ["detached"]], [4, ["message", "detached"]]] as const) {
    const from = bench.coordinator.arrivals.all.length;
    await using client = await RawClient.join(bench.url, "client-1", { will });
    await client.send({ cmd: "disconnect", reasonCode });
    await client.closed();
    assert.deepEqual(bench.coordinator.arrivals.all.slice(from).map(({ kind }) => kind), expected);
  }
});
