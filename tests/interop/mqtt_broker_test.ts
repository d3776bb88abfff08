/** MQTT through Mosquitto: all that an endpoint of our own must do, and what only a broker can. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { clientMessage, serverMessage } from "../../src/contract/codec.ts";
import { ConnectionLost, type Dial } from "../../src/contract/connection.ts";
import { ListenError } from "../../src/contract/protocol_server.ts";
import { type Options, options, permissions } from "../../src/protocols/mqtt/broker_options.ts";
import { BrokeredMqttServer } from "../../src/protocols/mqtt/broker_server.ts";
import { dial } from "../../src/protocols/mqtt/client.ts";
import { heartbeatBytes, willBytes } from "../protocols/mqtt/endpoint_bench.ts";
import { RawClient, receiptOf } from "../protocols/mqtt/raw_client.ts";
import { conformance } from "../protocols/conformance.ts";
import { federationConformance } from "../protocols/federation_conformance.ts";
import { serverOptions, type Subject } from "../protocols/subject.ts";
import { hello, Peer } from "../support/peer.ts";
import { sealed } from "../support/tokens.ts";
import { RUN_ID, ScriptedCoordinator } from "../support/scripted_coordinator.ts";
import { BrokerBench } from "./brokers/bench.ts";
import { spoil } from "./brokers/garbage.ts";
import { lastingPort } from "../support/lasting_port.ts";
import { withPrograms } from "./brokers/installed.ts";
import { Mosquitto } from "./brokers/mosquitto.ts";
import { Rabbitmq } from "./brokers/rabbitmq.ts";

const WIRE = "mqtt@broker";
const STATE = "fl/default/state";
const { signal } = new AbortController();

function spawn(own: Options): Worker {
  return new Worker(new URL("../../src/protocols/mqtt/broker_worker.ts", import.meta.url), {
    type: "module",
    deno: { permissions: permissions(own) },
  });
}

/** Whoever joins by MQTT 3.1.1, through a broker that may know better. */
const dialOldest: Dial = (url, options) => {
  const oldest = new URL(url);
  oldest.searchParams.set("v", "4");
  return dial(oldest, options);
};

/** A broker's port, and how clients come to it. */
function subject(wire: string, brokerPort: number, by: Dial): Subject<Options> {
  return {
    behindBroker: true,
    wire,
    own: (port = brokerPort) => options.parse({ url: `mqtt://127.0.0.1:${port}` }),
    make: (server, own) => new BrokeredMqttServer(server, own),
    spawn,
    dial: by,
    garbage: spoil,
  };
}

function serverAt(url: string, more: Partial<Options> = {}): BrokeredMqttServer {
  return new BrokeredMqttServer(serverOptions(WIRE), options.parse({ url, ...more }));
}

function task() {
  return serverMessage({ runId: RUN_ID, body: { case: "task", value: { round: 1 } } });
}

/** The first Receipt that a client hears; a broker's acknowledgement may come before or after it. */
async function firstReceipt(client: RawClient): Promise<number> {
  const packet = await client.heard.find(({ cmd }) => cmd === "publish");
  assert.ok(packet.cmd === "publish");
  return receiptOf(packet);
}

/** Subscribes as somebody whom no rule holds back. */
async function listener(url: string, topic: string): Promise<RawClient> {
  const client = await RawClient.join(url, `listener-${topic.length}`, { subscribes: false });
  await client.send({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic, qos: 1 }] });
  await client.next("suback");
  return client;
}

await withPrograms(["mosquitto"], async () => {
  const broker = await Mosquitto.start();
  globalThis.addEventListener("unload", () => broker.disposeNow());
  const open = () => BrokerBench.open(serverAt(broker.url), dial);

  conformance(subject(WIRE, broker.port, dial));
  conformance(subject(`${WIRE}, 3.1.1`, broker.port, dialOldest));
  conformance({ ...subject(WIRE, broker.port, dial), ...sealed(dial) });

  Deno.test("the address is the broker's, without anybody's password", async () => {
    const url = new URL(broker.url);
    url.username = "operator";
    url.password = "secret";
    await using bench = await BrokerBench.open(serverAt(url.href), dial);
    assert.equal(bench.url, `${broker.url}/default`);
  });

  Deno.test("a client that is killed is detached by its last will", async () => {
    await using bench = await open();
    const client = await RawClient.join(broker.url, "client-1", {
      will: {
        topic: "fl/default/up/client-1",
        payload: Buffer.from(willBytes("client-1")),
        qos: 1,
        retain: false,
      },
    });
    await client.publish("client-1", heartbeatBytes("client-1", 1));
    const { route } = await bench.coordinator.message("client-1");
    await client[Symbol.asyncDispose](); // without a DISCONNECT
    assert.match(await bench.detached(route), /last will/);
    const last = bench.coordinator.arrivals.all.at(-2);
    assert.equal(last?.kind === "message" && last.message.body.case, "leave");
    assert.equal(await bench.server.send(route, task(), { signal }), "gone");
  });

  Deno.test("a client without a will is detached by the first message that nobody gets", async () => {
    await using bench = await open();
    const client = await RawClient.join(broker.url, "client-1");
    await client.publish("client-1", heartbeatBytes("client-1", 1));
    assert.equal(await firstReceipt(client), 1);
    const { route } = await bench.coordinator.message("client-1");
    await client.send({ cmd: "disconnect", reasonCode: 0 });
    await client.closed();
    await client[Symbol.asyncDispose]();
    assert.equal(await bench.server.send(route, task(), { signal }), "taken");
    assert.match(await bench.detached(route), /nobody/);
  });

  Deno.test("the state is there as long as the server is", async () => {
    const bench = await open();
    await using early = await listener(broker.url, STATE);
    const state = await early.next("publish");
    assert.equal(JSON.parse(state.payload.toString()).federation, "default");
    await bench[Symbol.asyncDispose]();
    assert.equal((await early.next("publish")).payload.length, 0);
    await using late = await RawClient.join(broker.url, "late", { subscribes: false });
    const subscriptions = [{ topic: STATE, qos: 1 as const }, { topic: "echo", qos: 1 as const }];
    await late.send({ cmd: "subscribe", messageId: 1, subscriptions });
    await late.next("suback");
    await late.send({
      cmd: "publish",
      topic: "echo",
      payload: "",
      qos: 0,
      dup: false,
      retain: false,
    });
    assert.equal((await late.next("publish")).topic, "echo"); // and nothing retained before it
  });

  Deno.test("the state of a server that dies is taken back by its will", async () => {
    await using watch = await listener(broker.url, STATE);
    const own = options.parse({ url: broker.url });
    const worker = spawn(own);
    const listening = Promise.withResolvers<void>();
    worker.onmessage = ({ data }) => data.kind === "listening" && listening.resolve();
    const pacing = { runId: RUN_ID, partBytes: 1024, windowBytes: 4096 };
    worker.postMessage({ kind: "start", options: { server: serverOptions(WIRE), own }, pacing });
    await listening.promise;
    assert.notEqual((await watch.next("publish")).payload.length, 0);
    worker.terminate();
    assert.equal((await watch.next("publish")).payload.length, 0);
  });

  Deno.test("what somebody retained on an up topic is not heard", async () => {
    await using stranger = await RawClient.join(broker.url, "stranger");
    const retained = { cmd: "publish", topic: "fl/default/up/client-1", qos: 1 } as const;
    const payload = Buffer.from(heartbeatBytes("client-1", 1));
    await stranger.send({ ...retained, messageId: 1, payload, dup: false, retain: true });
    await stranger.next("puback");
    await using bench = await open();
    await using peer = await bench.join("client-2");
    await peer.ask(hello());
    assert.ok(
      bench.coordinator.arrivals.all.every((arrival) =>
        arrival.kind !== "message" || arrival.message.clientId === "client-2"
      ),
    );
    await stranger.send({ ...retained, messageId: 2, payload: "", dup: false, retain: true });
    await stranger.next("puback");
  });

  Deno.test("nobody speaks for another client's topic", async () => {
    await using bench = await open();
    await using client = await RawClient.join(broker.url, "client-1");
    await client.publish("client-1", heartbeatBytes("client-2", 1));
    await bench.refused(/of client "client-2"/);
    assert.equal(bench.coordinator.arrivals.all.length, 0);
  });

  Deno.test("a newer connection of a client id takes over at the broker, on a route of its own", async () => {
    await using bench = await open();
    await using first = await bench.join("client-1");
    await first.ask(hello());
    const { route } = await bench.coordinator.message("client-1");
    await using second = await bench.join("client-1");
    await bench.detached(route);
    await first.connection.lost;
    await second.ask(hello());
    const { route: newer } = await bench.coordinator.arrivals.find((arrival) =>
      arrival.kind === "message" && arrival.route.id !== route.id
    );
    assert.equal(await bench.server.send(newer, task(), { signal }), "taken");
    await second.heard.find(({ body }) => body.case === "task");
  });

  Deno.test("a client notices that no server is behind the broker", async () => {
    const bench = await open();
    await using peer = await bench.join("client-1");
    await bench[Symbol.asyncDispose]();
    await peer.send(hello());
    assert.match(await peer.connection.lost, /no server/);
  });

  Deno.test("one place too many is refused, and the client is told", async () => {
    const server = { ...serverOptions(WIRE), maxConnections: 1 };
    const brokered = new BrokeredMqttServer(server, options.parse({ url: broker.url }));
    await using bench = await BrokerBench.open(brokered, dial);
    await using peer = await bench.join("client-1");
    await peer.ask(hello());
    await using other = await bench.join("client-2");
    await other.send(hello());
    assert.match(await other.connection.lost, /all 1 places/);
    await bench.refused(/all 1 places/);
  });

  Deno.test("a server hears of another one that wants its federation", async () => {
    await using bench = await open();
    const second = serverAt(broker.url);
    await assert.rejects(second.listen(new ScriptedCoordinator()), /has a server .* already/);
    await bench.refused(/wants to serve federation default/);
    await second[Symbol.asyncDispose]();
  });

  Deno.test("a broker that dies is the server's end, and a client's", async () => {
    await using mortal = await Mosquitto.start();
    await using bench = await BrokerBench.open(serverAt(mortal.url), dial);
    await using peer = await bench.join("client-1");
    await peer.ask(hello());
    const { route } = await bench.coordinator.message("client-1");
    await mortal.kill();
    await assert.rejects(bench.server.closed, /The MQTT broker is lost/);
    await peer.connection.lost;
    assert.equal(await bench.server.send(route, task(), { signal }), "gone");
  });

  Deno.test("a broker that is not up is no mistake of the operator's", async () => {
    const mortal = await Mosquitto.start();
    await mortal[Symbol.asyncDispose]();
    await using server = serverAt(mortal.url);
    await assert.rejects(
      server.listen(new ScriptedCoordinator()),
      (error: Error) => !(error instanceof ListenError) && /Cannot reach/.test(error.message),
    );
  });

  Deno.test("a broker with users takes server and clients by name and password, and nobody else", async () => {
    await using guarded = await Mosquitto.start(["allow_anonymous false"], {
      users: ["server:one", "client:two words"],
    });
    const { port } = guarded;
    await using unnamed = serverAt(guarded.url);
    await assert.rejects(
      unnamed.listen(new ScriptedCoordinator()),
      (error: Error) =>
        error instanceof ListenError && error.message.includes("--mqtt-broker mqtt://user"),
    );
    const server = serverAt(`mqtt://server:one@127.0.0.1:${port}`);
    await using bench = await BrokerBench.open(server, dial);
    await assert.rejects(bench.join("client-1"), ConnectionLost);
    const will = clientMessage({ clientId: "client-1" });
    const url = new URL(`mqtt://client:two%20words@127.0.0.1:${port}/default`);
    await using connection = await dial(url, { clientId: "client-1", will, signal });
    assert.ok(connection);
  });

  Deno.test("a broker that does not let the server publish is told", async () => {
    await using guarded = await Mosquitto.start(["allow_anonymous true"], {
      rules: ["topic readwrite #", "topic deny fl/default/state"],
    });
    await using server = serverAt(guarded.url);
    await assert.rejects(
      server.listen(new ScriptedCoordinator()),
      (error: Error) =>
        error instanceof ListenError && /publish to fl\/default\/state/.test(error.message),
    );
  });

  Deno.test("the rules that wire.md names let everybody do what they must", async () => {
    await using guarded = await Mosquitto.start(["allow_anonymous false"], {
      users: ["server:one", "client:two"],
      rules: [
        "user server",
        "topic readwrite fl/default/#",
        "pattern write fl/default/up/%c",
        "pattern read fl/default/down/%c",
        "pattern read fl/default/state",
      ],
    });
    const server = serverAt(`mqtt://server:one@127.0.0.1:${guarded.port}`);
    await using bench = await BrokerBench.open(server, dial);
    const client = new URL(bench.url);
    client.username = "client";
    client.password = "two";
    await using peer = await Peer.dial(dial, client.href, "client-1");
    await peer.ask(hello());
    const { route } = await bench.coordinator.message("client-1");
    assert.equal(await bench.server.send(route, task(), { signal }), "taken");
    await peer.heard.find(({ body }) => body.case === "task");
    await peer[Symbol.asyncDispose]();
    await bench.detached(route);
  });

  Deno.test("a message far beyond the limit is kept back by the broker", async () => {
    await using bench = await open();
    await using client = await RawClient.join(broker.url, "client-1");
    await client.publish("client-1", new Uint8Array(4 * 1024 * 1024));
    await client.publish("client-1", heartbeatBytes("client-1", 1));
    assert.equal(await firstReceipt(client), 1);
    assert.ok(bench.coordinator.events.all.every(({ kind }) => kind !== "refused"));
  });
});

await withPrograms(["rabbitmq-server", "epmd"], async () => {
  const port = lastingPort();
  const broker = await Rabbitmq.start({
    plugins: ["rabbitmq_mqtt"],
    settings: [`mqtt.listeners.tcp.1 = 127.0.0.1:${port}`, "mqtt.allow_anonymous = true"],
  });
  globalThis.addEventListener("unload", () => broker.disposeNow());

  federationConformance(subject(`${WIRE}, 3.1.1 at both ends`, port, dial));

  Deno.test("a broker that speaks MQTT 3.1.1 only is spoken to in it, by clients too", async () => {
    await using bench = await BrokerBench.open(serverAt(`mqtt://127.0.0.1:${port}`), dial);
    assert.equal(bench.url, `mqtt://127.0.0.1:${port}/default?v=4`);
    const peer = await bench.join("client-1");
    await peer.ask(hello());
    const { route } = await bench.coordinator.message("client-1");
    assert.equal(await bench.server.send(route, task(), { signal }), "taken");
    await peer.heard.find(({ body }) => body.case === "task");
    await peer[Symbol.asyncDispose]();
    assert.match(await bench.detached(route), /last will/);
  });
});
