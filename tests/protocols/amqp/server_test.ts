import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  clientMessage,
  decodeServerMessage,
  encodeClientMessage,
  serverMessage,
} from "../../../src/contract/codec.ts";
import { dial } from "../../../src/protocols/amqp/client.ts";
import { type Options, options, permissions } from "../../../src/protocols/amqp/options.ts";
import { AmqpServer } from "../../../src/protocols/amqp/server.ts";
import { heartbeat, hello, Peer } from "../../support/peer.ts";
import { RUN_ID, ScriptedCoordinator } from "../../support/scripted_coordinator.ts";
import { conformance } from "../conformance.ts";
import { serverOptions } from "../subject.ts";
import { AmqpBench } from "./bench.ts";
import { RawClient } from "./raw_client.ts";
import { bytes, consume, StockClient, textOf } from "./stock_client.ts";

conformance<Options>({
  wire: "amqp",
  own: (port = 0) => options.parse({ port }),
  make: (server, own) => new AmqpServer(server, own),
  spawn: (own) =>
    new Worker(new URL("../../../src/protocols/amqp/worker.ts", import.meta.url), {
      type: "module",
      deno: { permissions: permissions(own) },
    }),
  dial,
  async garbage(url) {
    await using client = await RawClient.connect(url.href);
    await client.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: here\r\n\r\n"));
    await client.rest();
  },
});

const signal = new AbortController().signal;

function task(round: number) {
  return serverMessage({ runId: RUN_ID, body: { case: "task", value: { round } } });
}

function beat(clientId: string, sequence: number): Buffer {
  const body = { case: "heartbeat", value: {} } as const;
  return Buffer.from(encodeClientMessage(clientMessage({ clientId, sequence, body })));
}

Deno.test("AMQP many sends on one channel", async () => {
  await using bench = await AmqpBench.open();
  await using client = await StockClient.connect(bench.url);
  const channel = await client.confirmChannel();
  const { queue } = await channel.assertQueue("", { exclusive: true });
  await channel.bindQueue(queue, "fl.down", "default.client-1");
  const { heard } = await consume(channel, queue, { noAck: true });
  const count = 5000;
  const confirmed: number[] = [];
  for (let sequence = 1; sequence <= count; sequence++) {
    channel.publish("fl.up", "default.client-1", beat("client-1", sequence), {}, (error) => {
      assert.equal(error, null);
      confirmed.push(sequence);
    });
  }
  await channel.waitForConfirms();
  const order = Array.from({ length: count }, (_, index) => index + 1);
  const receipts = (await heard.some(count, () => true)).map((delivery) => {
    const { body } = decodeServerMessage(delivery?.content ?? Buffer.alloc(0));
    return body.case === "receipt" ? body.value.sequence : 0;
  });
  assert.deepEqual(receipts, order);
  assert.deepEqual(confirmed, order);
  assert.equal(bench.coordinator.arrivals.all.length, count);
  assert.equal(client.errors.all.length, 0);
});

Deno.test('AMQP no "stream connection lost"', async () => {
  // Every connection publishes and consumes on several channels at once, through one shared queue,
  // while it uploads and gets receipts: nothing may be lost, doubled, or end a connection.
  await using bench = await AmqpBench.open();
  await using stack = new AsyncDisposableStack();
  const [connections, channels, messages] = [4, 4, 250];
  const total = connections * channels * messages;
  const heard: string[] = [];
  const all = Promise.withResolvers<void>();
  const uploads: Promise<unknown>[] = [];
  for (let index = 0; index < connections; index++) {
    const clientId = `client-${index}`;
    const client = stack.use(await StockClient.connect(bench.url, { clientId }));
    client.errors.find(() => true).then(all.reject);
    for (let number = 0; number < channels; number++) {
      const channel = await client.confirmChannel();
      await channel.assertQueue("shared");
      await channel.prefetch(10);
      await channel.consume("shared", (message) => {
        assert.ok(message !== null);
        heard.push(textOf(message));
        channel.ack(message);
        if (heard.length === total) all.resolve();
      });
      for (let each = 0; each < messages; each++) {
        const text = `${index}/${number}/${each}`;
        channel.sendToQueue("shared", bytes(text + " ".repeat(each % 7 * 1000)));
        channel.publish("fl.up", `default.${clientId}`, beat(clientId, each + 1));
      }
      uploads.push(channel.waitForConfirms());
    }
  }
  await Promise.all(uploads);
  await all.promise;
  const texts = heard.map((text) => text.trim());
  assert.equal(texts.length, total);
  assert.equal(new Set(texts).size, total);
  const arrived = bench.coordinator.arrivals.all.filter(({ kind }) => kind === "message");
  assert.equal(arrived.length, total);
  assert.ok(bench.coordinator.events.all.every(({ kind }) => kind === "connected"));
});

Deno.test("AmqpServer keeps two connections of one client apart", async () => {
  await using bench = await AmqpBench.open();
  await using first = await Peer.dial(dial, bench.url, "client-1");
  await first.ask(hello());
  const { route: older } = await bench.coordinator.message("client-1");
  await using second = await Peer.dial(dial, bench.url, "client-1");
  await second.ask(hello());
  const newer = bench.coordinator.arrivals.all.at(-1)?.route;
  assert.ok(newer !== undefined && newer.id !== older.id);
  assert.equal(await bench.server.send(older, task(1), { signal }), "taken");
  assert.equal(await bench.server.send(newer, task(2), { signal }), "taken");
  const round = async (peer: Peer) => {
    const { body } = await peer.heard.find((message) => message.body.case === "task");
    return body.case === "task" && body.value.round;
  };
  assert.deepEqual([await round(first), await round(second)], [1, 2]);
});

Deno.test("AmqpServer delivers what a client publishes without listening, and sends it nothing", async () => {
  await using bench = await AmqpBench.open();
  await using client = await StockClient.connect(bench.url);
  const channel = await client.confirmChannel();
  channel.publish("fl.up", "default.client-1", beat("client-1", 1));
  await channel.waitForConfirms();
  const { route } = await bench.coordinator.message("client-1");
  assert.equal(await bench.server.send(route, task(1), { signal }), "gone");
});

Deno.test("AmqpServer sends to a client that polls, one message for each basic.get", async () => {
  await using bench = await AmqpBench.open();
  await using client = await StockClient.connect(bench.url);
  const channel = await client.confirmChannel();
  const { queue } = await channel.assertQueue("", { exclusive: true });
  await channel.bindQueue(queue, "fl.down", "default.client-1");
  channel.publish("fl.up", "default.client-1", beat("client-1", 1));
  await channel.waitForConfirms();
  const { route } = await bench.coordinator.message("client-1");
  const sent = [1, 2].map((round) => bench.server.send(route, task(round), { signal }));
  const cases: unknown[] = [];
  for (let count = 0; count < 3; count++) {
    const message = await channel.get(queue, { noAck: true });
    assert.ok(message !== false);
    cases.push(decodeServerMessage(message.content).body.case);
  }
  assert.deepEqual(cases, ["receipt", "task", "task"]);
  assert.deepEqual(await Promise.all(sent), ["taken", "taken"]);
  assert.equal(await channel.get(queue), false);
});

Deno.test("AmqpServer.drop lets what was taken leave, then forces the connection with 320", async () => {
  await using bench = await AmqpBench.open();
  await using client = await StockClient.connect(bench.url);
  const channel = await client.confirmChannel();
  const { queue } = await channel.assertQueue("", { exclusive: true });
  await channel.bindQueue(queue, "fl.down", "default.client-1");
  const { heard } = await consume(channel, queue, { noAck: true });
  channel.publish("fl.up", "default.client-1", beat("client-1", 0));
  const { route } = await bench.coordinator.message("client-1");
  const sent = Array.from(
    { length: 50 },
    (_, round) => bench.server.send(route, task(round), { signal }),
  );
  assert.ok((await Promise.all(sent)).every((outcome) => outcome === "taken"));
  bench.server.drop(route, "for the test");
  await client.closed;
  assert.equal(heard.all.length, 50);
  await bench.coordinator.events.find(({ kind }) => kind === "disconnected");
  assert.ok(bench.coordinator.arrivals.all.every(({ kind }) => kind !== "detached"));
});

Deno.test("AmqpServer ends a client that never takes its receipts, and detaches it", async () => {
  await using bench = await AmqpBench.open({}, { maxQueueMessages: 10 });
  await using client = await StockClient.connect(bench.url);
  const channel = await client.channel();
  const { queue } = await channel.assertQueue("", { exclusive: true });
  await channel.bindQueue(queue, "fl.down", "default.client-1");
  for (let sequence = 1; sequence <= 11; sequence++) {
    channel.publish("fl.up", "default.client-1", beat("client-1", sequence));
  }
  assert.equal((await client.errors.find(() => true)).code, 506);
  await bench.coordinator.arrivals.find(({ kind }) => kind === "detached");
});

Deno.test("AmqpServer detaches once when both the client and the server are done", async () => {
  await using bench = await AmqpBench.open();
  const peer = await Peer.dial(dial, bench.url, "client-1");
  await peer.ask(heartbeat());
  await Promise.all([peer[Symbol.asyncDispose](), bench.server[Symbol.asyncDispose]()]);
  const detached = bench.coordinator.arrivals.all.filter(({ kind }) => kind === "detached");
  assert.ok(detached.length <= 1);
});

Deno.test("AmqpServer turns away at once what comes far beyond the limit of connections", async () => {
  await using bench = await AmqpBench.open({ maxConnections: 1 });
  await using stack = new AsyncDisposableStack();
  for (let count = 0; count < 65; count++) {
    await stack.use(await RawClient.connect(bench.url)).greet();
  }
  await using late = await RawClient.connect(bench.url);
  assert.equal((await late.rest()).length, 0);
  assert.ok(bench.coordinator.events.all.some(({ kind }) => kind === "refused"));
});

Deno.test("AmqpServer.listen names the operator's mistake", async () => {
  const mistakes = [
    new AmqpServer(serverOptions("amqp"), options.parse({ hostname: "192.0.2.1", port: 0 })),
    new AmqpServer(
      { ...serverOptions("amqp"), federation: "x".repeat(191) },
      options.parse({ port: 0 }),
    ),
  ];
  for (const server of mistakes) {
    await assert.rejects(server.listen(new ScriptedCoordinator()), { name: "ListenError" });
    await server[Symbol.asyncDispose]();
  }
});

Deno.test("AmqpServer.traffic keeps what ended connections carried", async () => {
  await using bench = await AmqpBench.open();
  const peer = await Peer.dial(dial, bench.url, "client-1");
  await peer.ask(heartbeat());
  const { up, down } = peer.connection.traffic();
  await peer[Symbol.asyncDispose]();
  await bench.coordinator.arrivals.find(({ kind }) => kind === "detached");
  const traffic = await bench.server.traffic();
  assert.ok(traffic.up >= up && traffic.down >= down);
  assert.equal(traffic.connections, 0);
});
