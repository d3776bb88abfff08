/** The endpoint where tokens are required: strangers leave nothing behind, and take nobody's room. */

import assert from "node:assert/strict";
import { RULE } from "../../support/tokens.ts";
import { AmqpBench } from "./bench.ts";
import { bytes, StockClient } from "./stock_client.ts";

const open = () => AmqpBench.open({ tokens: RULE, maxConnections: 4 }, { maxDeclared: 8 });

Deno.test("AMQP with tokens: a connection's room for queues is its own share of all", async () => {
  await using bench = await open();
  await using stranger = await StockClient.connect(bench.url, { clientId: "stranger" });
  const channel = await stranger.channel();
  await channel.assertQueue("", { exclusive: true });
  await channel.assertQueue("", { exclusive: true });
  await assert.rejects(channel.assertQueue("", { exclusive: true }));
  await stranger.closed;
  assert.deepEqual(stranger.errors.all.map(({ code }) => code), [506]); // RESOURCE_ERROR
  await using client = await StockClient.connect(bench.url);
  await (await client.channel()).assertQueue("", { exclusive: true });
});

for (
  const [what, act] of [
    ["a queue that would outlive its connection", (channel) => channel.assertQueue("stays")],
    ["an exchange of one's own", (channel) => channel.assertExchange("mine", "topic")],
  ] as readonly [
    string,
    (channel: Awaited<ReturnType<StockClient["channel"]>>) => Promise<unknown>,
  ][]
) {
  Deno.test(`AMQP with tokens refuses ${what}`, async () => {
    await using bench = await open();
    await using stranger = await StockClient.connect(bench.url, { clientId: "stranger" });
    await assert.rejects(act(await stranger.channel()), /403.*where tokens are required/);
  });
}

Deno.test("AMQP with tokens refuses what is published past fl.up", async () => {
  await using bench = await open();
  await using stranger = await StockClient.connect(bench.url, { clientId: "stranger" });
  const channel = await stranger.confirmChannel();
  const refused = Promise.withResolvers<Error>();
  channel.on("error", refused.resolve);
  const { queue } = await channel.assertQueue("", { exclusive: true });
  channel.sendToQueue(queue, bytes("held for ever"));
  assert.match((await refused.promise).message, /403.*where tokens are required/);
});

Deno.test("AMQP with tokens lets a client declare fl.up and fl.down, which are there", async () => {
  await using bench = await open();
  await using client = await StockClient.connect(bench.url);
  const channel = await client.channel();
  await channel.assertExchange("fl.up", "topic", { durable: true });
  await channel.assertExchange("fl.down", "direct", { durable: true });
});
