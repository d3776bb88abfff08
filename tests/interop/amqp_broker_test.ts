/** AMQP through RabbitMQ: all that an endpoint of our own must do, and what only a broker can. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { connect } from "amqplib";
import { clientMessage, encodeClientMessage, serverMessage } from "../../src/contract/codec.ts";
import { ConnectionLost } from "../../src/contract/connection.ts";
import { ListenError } from "../../src/contract/protocol_server.ts";
import { type Options, options, permissions } from "../../src/protocols/amqp/broker_options.ts";
import { BrokeredAmqpServer } from "../../src/protocols/amqp/broker_server.ts";
import { dial } from "../../src/protocols/amqp/client.ts";
import { sealed } from "../support/tokens.ts";
import { conformance } from "../protocols/conformance.ts";
import { serverOptions, type Subject } from "../protocols/subject.ts";
import { heartbeat, hello, Peer } from "../support/peer.ts";
import { RUN_ID, ScriptedCoordinator } from "../support/scripted_coordinator.ts";
import { AmqpStranger } from "./brokers/amqp_stranger.ts";
import { BrokerBench } from "./brokers/bench.ts";
import { spoil } from "./brokers/garbage.ts";
import { withPrograms } from "./brokers/installed.ts";
import { Rabbitmq } from "./brokers/rabbitmq.ts";

const WIRE = "amqp@broker";
const { signal } = new AbortController();

function serverAt(url: string): BrokeredAmqpServer {
  return new BrokeredAmqpServer(serverOptions(WIRE), options.parse({ url }));
}

function task() {
  return serverMessage({ runId: RUN_ID, body: { case: "task", value: { round: 1 } } });
}

function beat(clientId: string, sequence: number): Buffer {
  return Buffer.from(encodeClientMessage(clientMessage({ clientId, sequence, body: heartbeat() })));
}

await withPrograms(["rabbitmq-server", "epmd"], async () => {
  const broker = await Rabbitmq.start();
  globalThis.addEventListener("unload", () => broker.disposeNow());
  const open = () => BrokerBench.open(serverAt(broker.url), dial);

  /** How a listen is refused, as an operator reads it. */
  async function refusal(url: string): Promise<string> {
    await using server = serverAt(url);
    const error = await server.listen(new ScriptedCoordinator()).catch((reason) => reason);
    assert.ok(error instanceof ListenError, String(error));
    assert.ok(!error.message.includes("\n"));
    return error.message;
  }

  const subject: Subject<Options> = {
    behindBroker: true,
    wire: WIRE,
    own: (port = broker.port) => options.parse({ url: `amqp://127.0.0.1:${port}` }),
    make: (server, own) => new BrokeredAmqpServer(server, own),
    spawn: (own) =>
      new Worker(new URL("../../src/protocols/amqp/broker_worker.ts", import.meta.url), {
        type: "module",
        deno: { permissions: permissions(own) },
      }),
    dial,
    garbage: spoil,
  };
  conformance(subject);
  conformance({ ...subject, ...sealed(dial) });

  Deno.test("a stock client that knows no reply-to is served by its key", async () => {
    await using bench = await open();
    await using client = await AmqpStranger.join(broker.url, "client-1");
    await client.publish("default.client-1", beat("client-1", 7));
    const receipt = await client.heard.find(({ body }) => body.case === "receipt");
    assert.equal(receipt.body.case === "receipt" && receipt.body.value.sequence, 7);
    const { route } = await bench.coordinator.message("client-1");
    assert.equal(await bench.server.send(route, task(), { signal }), "taken");
    await client.heard.find(({ body }) => body.case === "task");
  });

  Deno.test("a client may declare both exchanges, before the server or after it", async () => {
    await broker.control("add_vhost", "early");
    await broker.control("set_permissions", "-p", "early", "guest", ".*", ".*", ".*");
    const url = `${broker.url}/early`;
    await using client = await AmqpStranger.join(url, "client-1", { declares: true });
    await using bench = await BrokerBench.open(serverAt(url), dial);
    await using late = await AmqpStranger.join(url, "client-2", { declares: true });
    for (const [clientId, each] of [["client-1", client], ["client-2", late]] as const) {
      await each.publish(`default.${clientId}`, beat(clientId, 1));
      await each.heard.find(({ body }) => body.case === "receipt");
    }
    assert.equal((await bench.server.traffic()).connections, 2);
  });

  Deno.test("a client that goes without a word is detached by the first message that comes back", async () => {
    await using bench = await open();
    const client = await AmqpStranger.join(broker.url, "client-1");
    await client.publish("default.client-1", beat("client-1", 1));
    await client.heard.find(({ body }) => body.case === "receipt");
    const { route } = await bench.coordinator.message("client-1");
    await client[Symbol.asyncDispose]();
    assert.equal(await bench.server.send(route, task(), { signal }), "taken");
    assert.match(await bench.detached(route), /nobody/);
    assert.equal(await bench.server.send(route, task(), { signal }), "gone");
  });

  Deno.test("two connections of one client have their own answers", async () => {
    await using bench = await open();
    await using first = await bench.join("client-1");
    await using second = await bench.join("client-1");
    await first.ask(hello());
    await second.send(hello());
    await second.ask(heartbeat());
    const routes = new Set(bench.coordinator.arrivals.all.map(({ route }) => route.id));
    assert.equal(routes.size, 2);
    const receipts = first.heard.all.filter(({ body }) => body.case === "receipt");
    assert.equal(receipts.length, 1);
  });

  Deno.test("a poison message is rejected once, counted, and comes back no more", async () => {
    await using bench = await open();
    await using client = await AmqpStranger.join(broker.url, "client-1");
    await client.publish("default.client-1", Buffer.from("poison"));
    await client.publish("default.no client", beat("client-1", 1));
    await client.publish("default.client-1", beat("client-2", 1));
    await bench.refused(/names no client/);
    await bench.refused(/of client "client-2"/);
    await client.publish("default.client-1", beat("client-1", 2));
    const { arrivals } = bench.coordinator;
    await bench.coordinator.message("client-1", ({ sequence }) => sequence === 2);
    assert.deepEqual(arrivals.all.map(({ kind }) => kind), ["unreadable", "message"]);
    await client.heard.find(({ body }) => body.case === "receipt" && body.value.sequence === 2);
    await bench.server[Symbol.asyncDispose]();
    assert.doesNotMatch(await broker.control("list_queues", "name"), /fl\.up/);
  });

  Deno.test("what was published before the server came is not heard", async () => {
    await using client = await AmqpStranger.join(broker.url, "client-1");
    await client.publish("default.client-1", beat("client-1", 1));
    await using bench = await open();
    await client.publish("default.client-1", beat("client-1", 2));
    const { message } = await bench.coordinator.message("client-1");
    assert.equal(message.sequence, 2);
  });

  Deno.test("a client notices that no server is behind the broker", async () => {
    const bench = await open();
    await using peer = await bench.join("client-1");
    await bench[Symbol.asyncDispose]();
    await peer.send(hello());
    assert.match(await peer.connection.lost, /no server/);
  });

  Deno.test("a broker that is short of memory stops what is sent, and nothing else", async () => {
    await using short = await Rabbitmq.start();
    await using bench = await BrokerBench.open(serverAt(short.url), dial);
    await using peer = await bench.join("client-1");
    await peer.ask(hello());
    const { route } = await bench.coordinator.message("client-1");
    await short.control("set_vm_memory_high_watermark", "absolute", "1MB");
    // A broker says that a connection is blocked when it publishes next.
    const outcomes = [];
    const abort = new AbortController();
    const blocked = bench.refused(/takes no messages for now: low on memory/);
    outcomes.push(bench.server.send(route, task(), abort));
    await blocked;
    const late = Array.from({ length: 3 }, () => bench.server.send(route, task(), abort));
    const stalled = bench.server.send(route, task(), { signal: AbortSignal.abort() });
    assert.equal(await stalled, "stalled");
    await short.control("set_vm_memory_high_watermark", "0.8");
    assert.deepEqual(await Promise.all([...outcomes, ...late]), Array(4).fill("taken"));
    await peer.heard.some(4, ({ body }) => body.case === "task");
  });

  Deno.test("a server in another virtual host says so in its address", async () => {
    await broker.control("add_vhost", "a/b");
    await broker.control("add_user", "operator", "s@crET");
    await broker.control("set_permissions", "-p", "a/b", "operator", ".*", ".*", ".*");
    const { port } = broker;
    const server = serverAt(`amqp://operator:s%40crET@127.0.0.1:${port}/a%2Fb`);
    await using bench = await BrokerBench.open(server, dial);
    assert.equal(bench.url, `amqp://127.0.0.1:${port}/default?vhost=a%2Fb`);
    const refused = await bench.join("client-1").catch((error) => error);
    assert.ok(refused instanceof ConnectionLost);
    assert.match(refused.message, /as in amqp:\/\/user:password@127\.0\.0\.1:\d+\/default/);
    const url = new URL(bench.url);
    url.username = "operator";
    url.password = "s@crET";
    const options = { clientId: "client-1", will: clientMessage({ clientId: "client-1" }), signal };
    await using connection = await dial(url, options);
    await connection.send(clientMessage({ clientId: "client-1", sequence: 1, body: heartbeat() }));
    await bench.coordinator.message("client-1");
  });

  Deno.test("the permissions that wire.md names let everybody do what they must", async () => {
    await broker.control("add_vhost", "guarded");
    const permissions = {
      server: ["^fl\\.", "^fl\\.", "^fl\\."],
      client: ["^amq\\.gen", "^(amq\\.gen.*|fl\\.up)$", "^(amq\\.gen.*|fl\\.down)$"],
    };
    for (const [user, configureWriteRead] of Object.entries(permissions)) {
      await broker.control("add_user", user, "word");
      await broker.control("set_permissions", "-p", "guarded", user, ...configureWriteRead);
    }
    const server = serverAt(`amqp://server:word@127.0.0.1:${broker.port}/guarded`);
    await using bench = await BrokerBench.open(server, dial);
    const client = new URL(bench.url);
    client.username = "client";
    client.password = "word";
    await using peer = await Peer.dial(dial, client.href, "client-1");
    await peer.ask(hello());
    const { route } = await bench.coordinator.message("client-1");
    assert.equal(await bench.server.send(route, task(), { signal }), "taken");
    await peer.heard.find(({ body }) => body.case === "task");
    await peer[Symbol.asyncDispose]();
    await bench.detached(route);
  });

  Deno.test("what the operator must change at a broker is said in one sentence", async () => {
    const { port } = broker;
    assert.match(await refusal(`amqp://nobody:here@127.0.0.1:${port}`), /403.*user:password@/);
    assert.match(await refusal(`amqp://127.0.0.1:${port}/elsewhere`), /virtual host/);
    await broker.control("add_vhost", "taken");
    await broker.control("set_permissions", "-p", "taken", "guest", ".*", ".*", ".*");
    const model = await connect(`${broker.url}/taken`);
    const channel = await model.createChannel();
    await channel.assertExchange("fl.up", "fanout");
    await model.close();
    assert.match(await refusal(`${broker.url}/taken`), /exchanges of another kind/);
    await using bench = await open();
    assert.ok(bench);
    assert.match(await refusal(broker.url), /has a server at this AMQP broker already/);
  });

  Deno.test("a broker that dies is the server's end, and a client's", async () => {
    await using mortal = await Rabbitmq.start();
    await using bench = await BrokerBench.open(serverAt(mortal.url), dial);
    await using peer = await bench.join("client-1");
    await peer.ask(hello());
    const { route } = await bench.coordinator.message("client-1");
    await mortal.kill();
    await assert.rejects(bench.server.closed, /The AMQP broker is lost/);
    await peer.connection.lost;
    assert.equal(await bench.server.send(route, task(), { signal }), "gone");
    await using later = serverAt(mortal.url);
    await assert.rejects(
      later.listen(new ScriptedCoordinator()),
      (error: Error) => !(error instanceof ListenError) && /Cannot reach/.test(error.message),
    );
  });

  Deno.test("a server that the broker's operator cuts off takes neither connection along", async () => {
    await using bench = await open();
    await broker.control("close_all_connections", "for the test");
    await assert.rejects(bench.server.closed, /The AMQP broker is lost: .*320.*for the test/);
    await using again = await open();
    assert.ok(again.url);
  });
});
