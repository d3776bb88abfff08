import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { Channel } from "amqplib";
import { AmqpBench } from "./bench.ts";
import { bytes, consume, StockClient, textOf } from "./stock_client.ts";

const EXCLUSIVE = { exclusive: true, durable: false };

async function drain(channel: Channel, queue: string): Promise<string[]> {
  const texts: string[] = [];
  for (;;) {
    const message = await channel.get(queue, { noAck: true });
    if (message === false) return texts;
    texts.push(textOf(message));
  }
}

Deno.test("Channel routes over direct, fanout, topic, headers and default exchanges", async () => {
  await using bench = await AmqpBench.open();
  await using client = await StockClient.connect(bench.url);
  const channel = await client.confirmChannel();
  const { queue } = await channel.assertQueue("", EXCLUSIVE);
  assert.match(queue, /^amq\.gen-/);
  for (const type of ["direct", "fanout", "topic", "headers"]) {
    await channel.assertExchange(`e.${type}`, type, { durable: false });
  }
  await channel.bindQueue(queue, "e.direct", "k");
  await channel.bindQueue(queue, "e.fanout", "");
  await channel.bindQueue(queue, "e.topic", "a.*.#");
  await channel.bindQueue(queue, "e.headers", "", { "x-match": "all", colour: "red", size: 3 });
  channel.publish("e.direct", "k", bytes("direct"));
  channel.publish("e.direct", "other", bytes("no"));
  channel.publish("e.fanout", "whatever", bytes("fanout"));
  channel.publish("e.topic", "a.b.c.d", bytes("topic"));
  channel.publish("e.topic", "b.b", bytes("no"));
  channel.publish("e.headers", "", bytes("headers"), { headers: { size: 3, colour: "red" } });
  channel.publish("e.headers", "", bytes("no"), { headers: { size: 4, colour: "red" } });
  channel.sendToQueue(queue, bytes("default"));
  await channel.waitForConfirms();
  assert.deepEqual(await drain(channel, queue), [
    "direct",
    "fanout",
    "topic",
    "headers",
    "default",
  ]);
  await channel.unbindQueue(queue, "e.direct", "k");
  channel.publish("e.direct", "k", bytes("no"));
  await channel.waitForConfirms();
  assert.deepEqual(await drain(channel, queue), []);
});

Deno.test("Channel hands properties and headers on unchanged", async () => {
  await using bench = await AmqpBench.open();
  await using client = await StockClient.connect(bench.url);
  const channel = await client.channel();
  const { queue } = await channel.assertQueue("", EXCLUSIVE);
  const sent = {
    contentType: "a/b",
    headers: { text: "x", number: -5, deep: { list: [1, null, true] } },
    correlationId: "c",
    priority: 3,
    timestamp: 1700000000,
  };
  channel.sendToQueue(queue, bytes("x"), sent);
  const message = await channel.get(queue);
  assert.ok(message !== false);
  const { contentType, headers, correlationId, priority, timestamp } = message.properties;
  assert.deepEqual({ contentType, headers, correlationId, priority, timestamp }, sent);
});

Deno.test("Channel returns what a mandatory publish could not route, before the confirm", async () => {
  await using bench = await AmqpBench.open();
  await using client = await StockClient.connect(bench.url);
  const channel = await client.confirmChannel();
  const order: string[] = [];
  const { promise: returned, resolve } = Promise.withResolvers<
    { content: Buffer; fields: { replyCode?: number; routingKey?: string } }
  >();
  channel.on("return", (message) => {
    order.push("return");
    resolve(message);
  });
  channel.publish(
    "amq.topic",
    "no.where",
    bytes("x"),
    { mandatory: true },
    () => order.push("ack"),
  );
  await channel.waitForConfirms();
  const { fields, content } = await returned;
  assert.deepEqual([fields.replyCode, fields.routingKey], [312, "no.where"]);
  assert.equal(content.toString(), "x");
  assert.deepEqual(order, ["return", "ack"]);
});

Deno.test("Channel respects each consumer's prefetch, and acks of several at once", async () => {
  await using bench = await AmqpBench.open();
  await using client = await StockClient.connect(bench.url);
  const channel = await client.channel();
  const { queue } = await channel.assertQueue("", EXCLUSIVE);
  for (let index = 0; index < 10; index++) channel.sendToQueue(queue, bytes(String(index)));
  await channel.prefetch(2);
  const first = await consume(channel, queue);
  await channel.prefetch(3);
  const second = await consume(channel, queue);
  // A round trip after which everything that may be delivered has been.
  assert.equal((await channel.checkQueue(queue)).messageCount, 5);
  assert.deepEqual([first.heard.all.length, second.heard.all.length], [2, 3]);
  const last = first.heard.all.at(-1);
  if (last) channel.ack(last, true);
  assert.equal((await channel.checkQueue(queue)).messageCount, 3);
  assert.deepEqual([first.heard.all.length, second.heard.all.length], [4, 3]);
  channel.ackAll();
  assert.equal((await channel.checkQueue(queue)).messageCount, 0);
  const texts = [...first.heard.all, ...second.heard.all].map((message) =>
    textOf(message ?? false)
  );
  assert.deepEqual(texts.toSorted(), Array.from({ length: 10 }, (_, index) => String(index)));
});

Deno.test("Channel shares a global prefetch among its consumers", async () => {
  await using bench = await AmqpBench.open();
  await using client = await StockClient.connect(bench.url);
  const channel = await client.channel();
  const [one, two] = [
    await channel.assertQueue("", EXCLUSIVE),
    await channel.assertQueue("", EXCLUSIVE),
  ];
  await channel.prefetch(3, true);
  const first = await consume(channel, one.queue);
  const second = await consume(channel, two.queue);
  for (let index = 0; index < 4; index++) {
    channel.sendToQueue(one.queue, bytes("one"));
    channel.sendToQueue(two.queue, bytes("two"));
  }
  await channel.checkQueue(one.queue);
  assert.equal(first.heard.all.length + second.heard.all.length, 3);
  channel.ackAll();
  await channel.checkQueue(one.queue);
  assert.equal(first.heard.all.length + second.heard.all.length, 6);
});

Deno.test("Channel delivers without limit to a consumer that acknowledges nothing", async () => {
  await using bench = await AmqpBench.open();
  await using client = await StockClient.connect(bench.url);
  const channel = await client.channel();
  const { queue } = await channel.assertQueue("", EXCLUSIVE);
  await channel.prefetch(1);
  const { heard } = await consume(channel, queue, { noAck: true });
  for (let index = 0; index < 500; index++) channel.sendToQueue(queue, bytes(String(index)));
  const all = await heard.some(500, () => true);
  assert.deepEqual(
    all.map((message) => textOf(message ?? false)),
    all.map((_, index) => String(index)),
  );
});

Deno.test("Channel puts back what is nacked, rejected, recovered or left, marked as redelivered", async () => {
  await using bench = await AmqpBench.open();
  await using client = await StockClient.connect(bench.url);
  const channel = await client.channel();
  const { queue } = await channel.assertQueue("", EXCLUSIVE);
  const get = async (from = channel) => {
    const message = await from.get(queue);
    assert.ok(message !== false);
    return message;
  };
  channel.sendToQueue(queue, bytes("x"));
  const fresh = await get();
  assert.equal(fresh.fields.redelivered, false);
  channel.nack(fresh, false, true);
  const nacked = await get();
  assert.equal(nacked.fields.redelivered, true);
  channel.reject(nacked, true);
  await get();
  await channel.recover();
  await get();
  await channel.close();
  const other = await client.channel();
  const left = await get(other);
  assert.equal(left.fields.redelivered, true);
  other.reject(left, false);
  assert.equal(await other.get(queue), false);
});

Deno.test("Channel nacks several at once, in their order", async () => {
  await using bench = await AmqpBench.open();
  await using client = await StockClient.connect(bench.url);
  const channel = await client.channel();
  const { queue } = await channel.assertQueue("", EXCLUSIVE);
  for (const text of ["a", "b", "c", "d"]) channel.sendToQueue(queue, bytes(text));
  await channel.get(queue);
  await channel.get(queue);
  const third = await channel.get(queue);
  if (third) channel.nack(third, true, true);
  assert.deepEqual(await drain(channel, queue), ["a", "b", "c", "d"]);
});

Deno.test("Channel counts, purges and deletes queues", async () => {
  await using bench = await AmqpBench.open();
  await using client = await StockClient.connect(bench.url);
  const channel = await client.channel();
  await channel.assertQueue("q");
  for (let index = 0; index < 5; index++) channel.sendToQueue("q", bytes("x"));
  await channel.get("q");
  await consume(channel, "q", { noAck: false, consumerTag: "mine" });
  await channel.cancel("mine");
  assert.deepEqual(await channel.checkQueue("q"), {
    queue: "q",
    messageCount: 0,
    consumerCount: 0,
  });
  await channel.recover();
  assert.deepEqual(await channel.purgeQueue("q"), { messageCount: 5 });
  channel.sendToQueue("q", bytes("x"));
  assert.deepEqual(await channel.deleteQueue("q"), { messageCount: 1 });
});

Deno.test("Channel tells a consumer that its queue was deleted", async () => {
  await using bench = await AmqpBench.open();
  await using client = await StockClient.connect(bench.url);
  await using other = await StockClient.connect(bench.url, { clientId: "client-2" });
  const [channel, deleter] = [await client.channel(), await other.channel()];
  await channel.assertQueue("shared");
  const { heard } = await consume(channel, "shared");
  await deleter.deleteQueue("shared");
  assert.equal(await heard.find(() => true), null);
});

Deno.test("Channel ends exclusive queues with their connection and auto-delete ones with their consumers", async () => {
  await using bench = await AmqpBench.open();
  await using watcher = await StockClient.connect(bench.url, { clientId: "client-2" });
  const isThere = async (queue: string) => {
    const channel = await watcher.channel();
    return await channel.checkQueue(queue).then(() => true, (error) => {
      assert.equal(error.code, 404);
      return false;
    });
  };
  const client = await StockClient.connect(bench.url);
  const channel = await client.channel();
  await channel.assertQueue("own", EXCLUSIVE);
  await channel.assertQueue("kept");
  await channel.assertQueue("passing", { autoDelete: true });
  assert.ok(await isThere("passing"));
  const { consumerTag } = await consume(channel, "passing");
  await channel.cancel(consumerTag);
  assert.ok(!await isThere("passing"));
  await client[Symbol.asyncDispose]();
  assert.ok(!await isThere("own"));
  assert.ok(await isThere("kept"));
});

Deno.test("Channel gives unacknowledged messages of a lost connection to another one", async () => {
  await using bench = await AmqpBench.open();
  await using other = await StockClient.connect(bench.url, { clientId: "client-2" });
  const client = await StockClient.connect(bench.url);
  const channel = await client.channel();
  await channel.assertQueue("shared");
  const first = await consume(channel, "shared");
  channel.sendToQueue("shared", bytes("x"));
  await first.heard.find(() => true);
  const second = await consume(await other.channel(), "shared");
  await client[Symbol.asyncDispose]();
  const message = await second.heard.find(() => true);
  assert.equal(message?.fields.redelivered, true);
});

Deno.test("Channel nacks what a full queue refuses, where confirms are on", async () => {
  await using bench = await AmqpBench.open({}, { maxQueueMessages: 2 });
  await using client = await StockClient.connect(bench.url);
  const channel = await client.confirmChannel();
  const { queue } = await channel.assertQueue("", EXCLUSIVE);
  const outcomes = await Promise.all(
    ["a", "b", "c"].map((text) =>
      new Promise((resolve) =>
        channel.sendToQueue(queue, bytes(text), {}, (error) => resolve(error === null))
      )
    ),
  );
  assert.deepEqual(outcomes, [true, true, false]);
  assert.deepEqual(await drain(channel, queue), ["a", "b"]);
});

Deno.test("Channel ends a connection that overruns a queue without confirms, with 506", async () => {
  await using bench = await AmqpBench.open({}, { maxQueueMessages: 2 });
  await using client = await StockClient.connect(bench.url);
  const channel = await client.channel();
  const { queue } = await channel.assertQueue("", EXCLUSIVE);
  for (const text of ["a", "b", "c"]) channel.sendToQueue(queue, bytes(text));
  assert.equal((await client.errors.find(() => true)).code, 506);
});

Deno.test("Channel tells clients when the queues are full, and when they no longer are", async () => {
  await using bench = await AmqpBench.open({}, { maxHeldBytes: 1024 * 1024 });
  await using client = await StockClient.connect(bench.url);
  const channel = await client.confirmChannel();
  const { queue } = await channel.assertQueue("", EXCLUSIVE);
  for (let index = 0; index < 5; index++) channel.sendToQueue(queue, Buffer.alloc(300_000));
  await channel.waitForConfirms().catch(() => {});
  assert.equal(await client.blocked.find(() => true), true);
  await channel.purgeQueue(queue);
  assert.equal(await client.blocked.find((blocked) => !blocked), false);
});

type Act = (channel: Channel) => Promise<unknown>;

/** Channel exceptions: the channel is closed, the connection goes on. */
const softErrors: Record<string, [code: number, act: Act]> = {
  "a queue that is not there": [404, (channel) => channel.checkQueue("none")],
  "consuming a queue that is not there": [404, (channel) => channel.consume("none", () => {})],
  "getting from a queue that is not there": [404, (channel) => channel.get("none")],
  "deleting a queue that is not there": [404, (channel) => channel.deleteQueue("none")],
  "an exchange that is not there": [404, (channel) => channel.checkExchange("none")],
  "publishing to an exchange that is not there": [404, published("none", "k")],
  "another client's exclusive queue": [405, (channel) => channel.checkQueue("theirs")],
  "another type of an exchange": [406, (channel) => channel.assertExchange("amq.topic", "direct")],
  "another kind of a queue": [406, (channel) => channel.assertQueue("shared", { durable: false })],
  "deleting a used exchange": [
    406,
    (channel) => channel.deleteExchange("used", { ifUnused: true }),
  ],
  "deleting a filled queue": [406, (channel) => channel.deleteQueue("shared", { ifEmpty: true })],
  "deleting a queue with consumers": [
    406,
    (channel) => channel.deleteQueue("shared", { ifUnused: true }),
  ],
  "getting from a queue taken exclusively": [
    403,
    async (channel) => {
      const { queue } = await channel.assertQueue("", EXCLUSIVE);
      await channel.consume(queue, () => {}, { exclusive: true });
      await channel.get(queue);
    },
  ],
  "an acknowledgement of nothing": [
    406,
    (channel) => {
      const fields = { deliveryTag: 9, redelivered: false, exchange: "", routingKey: "" };
      channel.ack({ fields, properties: {}, content: bytes("") } as Parameters<Channel["ack"]>[0]);
      return channel.checkExchange("amq.topic");
    },
  ],
  "a reserved queue name": [403, (channel) => channel.assertQueue("amq.mine")],
  "a reserved exchange name": [403, (channel) => channel.assertExchange("amq.mine", "topic")],
  "deleting the server's exchange": [403, (channel) => channel.deleteExchange("fl.up")],
  "publishing to an internal exchange": [403, published("internal", "k")],
  "a second exclusive consumer": [
    403,
    (channel) => channel.consume("shared", () => {}, { exclusive: true }),
  ],
  "another client's key of fl.up": [403, published("fl.up", "default.client-2")],
  "another federation's key of fl.up": [404, published("fl.up", "other.client-1")],
  "publishing to fl.down": [403, published("fl.down", "default.client-1")],
  "another client's key of fl.down": [403, bound("fl.down", "default.client-2")],
  "all keys of fl.down": [403, bound("fl.down", "default.#")],
  "a queue at fl.up": [403, bound("fl.up", "#")],
  "a shared queue at fl.down": [
    403,
    (channel) => channel.bindQueue("shared", "fl.down", "default.client-1"),
  ],
};

function published(exchange: string, key: string): Act {
  return (channel) => {
    channel.publish(exchange, key, bytes("x"));
    return channel.checkExchange("amq.topic");
  };
}

function bound(exchange: string, key: string): Act {
  return async (channel) => {
    const { queue } = await channel.assertQueue("", EXCLUSIVE);
    await channel.bindQueue(queue, exchange, key);
  };
}

for (const [what, [code, act]] of Object.entries(softErrors)) {
  Deno.test(`Channel answers ${what} with ${code}`, async () => {
    await using bench = await AmqpBench.open();
    await using other = await StockClient.connect(bench.url, { clientId: "client-2" });
    const theirs = await other.channel();
    await theirs.assertQueue("theirs", EXCLUSIVE);
    await theirs.assertQueue("shared");
    await theirs.assertExchange("used", "direct");
    await theirs.bindQueue("shared", "used", "k");
    await theirs.assertExchange("internal", "direct", { internal: true });
    theirs.sendToQueue("shared", bytes("x"));
    theirs.sendToQueue("shared", bytes("y"));
    await theirs.prefetch(1);
    await consume(theirs, "shared");
    await using client = await StockClient.connect(bench.url);
    const channel = await client.channel();
    await assert.rejects(act(channel), { code });
    await (await client.channel()).checkExchange("amq.topic");
  });
}

/** Connection exceptions that a stock client can provoke. */
const hardErrors: Record<string, [code: number, act: Act]> = {
  "an exchange type unheard of": [503, (channel) => channel.assertExchange("e", "x-random")],
  "a consumer tag twice": [
    530,
    async (channel) => {
      const { queue } = await channel.assertQueue("", EXCLUSIVE);
      await channel.consume(queue, () => {}, { consumerTag: "c" });
      await channel.consume(queue, () => {}, { consumerTag: "c" });
    },
  ],
  "more consumers than the limit": [
    506,
    async (channel) => {
      const { queue } = await channel.assertQueue("", EXCLUSIVE);
      for (let index = 0; index < 4; index++) await channel.consume(queue, () => {});
    },
  ],
  "more queues than the limit": [
    506,
    async (channel) => {
      for (let index = 0; index < 9; index++) await channel.assertQueue("", EXCLUSIVE);
    },
  ],
  "binding exchanges": [540, (channel) => channel.bindExchange("amq.topic", "amq.direct", "k")],
  "a time to live": [540, (channel) => channel.assertQueue("", { messageTtl: 1000 })],
  "dead letters": [540, (channel) => channel.assertQueue("", { deadLetterExchange: "amq.topic" })],
  "an alternate exchange": [
    540,
    (channel) => channel.assertExchange("e", "direct", { alternateExchange: "amq.topic" }),
  ],
  "a consumer's priority": [
    540,
    async (channel) => {
      const { queue } = await channel.assertQueue("", EXCLUSIVE);
      await channel.consume(queue, () => {}, { priority: 5 });
    },
  ],
  "no-local": [
    540,
    async (channel) => {
      const { queue } = await channel.assertQueue("", EXCLUSIVE);
      await channel.consume(queue, () => {}, { noLocal: true });
    },
  ],
};

for (const [what, [code, act]] of Object.entries(hardErrors)) {
  Deno.test(`Channel answers ${what} with ${code}, which ends the connection`, async () => {
    await using bench = await AmqpBench.open({}, {
      maxDeclaredPerConnection: 8,
      maxConsumersPerChannel: 3,
    });
    await using client = await StockClient.connect(bench.url);
    const channel = await client.channel();
    await assert.rejects(act(channel));
    assert.equal((await client.errors.find(() => true)).code, code);
    await client.closed;
  });
}

Deno.test("Channel lets a client redeclare the federation's exchanges as they are", async () => {
  await using bench = await AmqpBench.open();
  await using client = await StockClient.connect(bench.url);
  const channel = await client.channel();
  await channel.assertExchange("fl.up", "topic");
  await channel.assertExchange("fl.down", "direct");
  await channel.checkExchange("fl.up");
});

Deno.test("Channel feeds a queue from fl.down alone: nobody else can speak in the server's name", async () => {
  await using bench = await AmqpBench.open();
  await using client = await StockClient.connect(bench.url);
  await using forger = await StockClient.connect(bench.url, { clientId: "forger" });
  const channel = await client.channel();
  await channel.assertQueue("mine", EXCLUSIVE);
  await channel.bindQueue("mine", "fl.down", "default.client-1");
  const forged = await forger.confirmChannel();
  const { promise, resolve } = Promise.withResolvers<number | undefined>();
  forged.on(
    "return",
    ({ fields }) => resolve("replyCode" in fields ? Number(fields.replyCode) : 0),
  );
  forged.sendToQueue("mine", bytes("I am the server"), { mandatory: true });
  assert.equal(await promise, 312);
  assert.equal(await channel.get("mine"), false);
});

for (const frameMax of [4096, 131072]) {
  Deno.test(`Channel carries amqplib's bodies around frames of ${frameMax} octets`, async () => {
    await using bench = await AmqpBench.open();
    await using client = await StockClient.connect(bench.url, { frameMax });
    const channel = await client.confirmChannel();
    const { queue } = await channel.assertQueue("", EXCLUSIVE);
    const most = frameMax - 8;
    for (const length of [0, 1, most - 1, most, most + 1, 2 * most - 1, 2 * most, 2 * most + 1]) {
      const body = Buffer.alloc(length).map((_, index) => index % 251);
      channel.sendToQueue(queue, Buffer.from(body));
      const message = await channel.get(queue, { noAck: true });
      assert.ok(message !== false && Buffer.compare(message.content, body) === 0, `${length}`);
    }
  });
}
