/** amqplib on the embedded AMQP endpoint. `deno run -A amqplib_tour.ts tour|faults PORT` prints what it met. */

import { Buffer } from "node:buffer";
import {
  type Channel,
  type ChannelModel,
  type ConfirmChannel,
  connect as connectTo,
  type GetMessage,
  type Message,
  type Options,
} from "amqplib";
import { Awaitable } from "../../support/awaitable.ts";

const [mode, port] = Deno.args;
const EXCHANGE = "tour-amqplib";
const QUEUE = "tour-amqplib";

/** An AMQP exception, as the library gives it. */
type Refusal = Error & { readonly code?: number };

function connect(user = "amqplib"): Promise<ChannelModel> {
  const options = { username: user, password: "" };
  return connectTo({ hostname: "127.0.0.1", port: Number(port), ...options });
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(line + "\n"));
}

function got(message: GetMessage | false): GetMessage {
  if (message === false) throw new Error("The queue is empty");
  return message;
}

/** As Python writes it. */
function truth(value: boolean | undefined): string {
  return value === true ? "True" : "False";
}

async function tour(): Promise<void> {
  const connection = await connect();
  const channel = await connection.createConfirmChannel();
  await channel.assertExchange(EXCHANGE, "topic", { durable: true });
  const counts = await channel.assertQueue(QUEUE, { exclusive: true, durable: false });
  print(`declared: ${counts.messageCount} messages, ${counts.consumerCount} consumers`);
  await channel.bindQueue(QUEUE, EXCHANGE, "a.*");
  const waiting = async () => (await channel.checkQueue(QUEUE)).messageCount;

  for (const number of ["1", "2", "3"]) {
    const options = { correlationId: number, headers: { number: Number(number) }, mandatory: true };
    channel.publish(EXCHANGE, `a.${number}`, Buffer.from(number), options);
  }
  await channel.waitForConfirms();
  print(`confirmed: ${await waiting()} wait`);

  let message = got(await channel.get(QUEUE));
  const { fields, properties, content } = message;
  const headers = JSON.stringify(properties.headers).replaceAll('"', "'").replace(":", ": ");
  print(
    `got: ${fields.routingKey} ${properties.correlationId} ${headers} ${content},` +
      ` redelivered ${truth(fields.redelivered)}, ${fields.messageCount} more`,
  );
  channel.reject(message, true);
  message = got(await channel.get(QUEUE));
  print(
    `rejected, got: ${message.fields.routingKey}, redelivered ${truth(message.fields.redelivered)}`,
  );
  channel.ack(message);

  await consume(channel, waiting);
  print(`rejected for good: ${await waiting()} wait`);

  const returned = new Promise<Message>((resolve) => channel.once("return", resolve));
  channel.publish(EXCHANGE, "nowhere", Buffer.from("lost"), { mandatory: true });
  await channel.waitForConfirms();
  const { fields: why, content: lost } = await returned as unknown as ReturnedMessage;
  print(`returned: ${why.replyCode} ${why.replyText} ${why.routingKey} ${lost}`);

  const large = Buffer.from(Array.from({ length: 256_000 }, (_, index) => index % 256));
  channel.sendToQueue(QUEUE, large);
  const { content: carried } = got(await channel.get(QUEUE, { noAck: true }));
  print(`carried: ${carried.length} octets, the same ${truth(carried.equals(large))}`);
  await channel.unbindQueue(QUEUE, EXCHANGE, "a.*");
  channel.sendToQueue(QUEUE, Buffer.from("left"));
  print(`purged: ${(await channel.purgeQueue(QUEUE)).messageCount}`);
  print(`deleted: ${(await channel.deleteQueue(QUEUE)).messageCount} messages`);
  await channel.deleteExchange(EXCHANGE);
  await channel.close();
  const closed = new Promise((resolve) => connection.once("close", resolve));
  await connection.close();
  await closed;
  print("closed: True");
}

/** The types of amqplib leave out what basic.return says. */
interface ReturnedMessage {
  readonly fields: { readonly replyCode: number; readonly replyText: string; routingKey: string };
  readonly content: Buffer;
}

async function consume(channel: ConfirmChannel, waiting: () => Promise<number>): Promise<void> {
  const deliveries = new Awaitable<Message>();
  await channel.prefetch(1);
  const { consumerTag } = await channel.consume(QUEUE, (each) => {
    if (each !== null) deliveries.push(each);
  });
  const [first] = await deliveries.some(1, () => true);
  if (first === undefined) return;
  print(`consumed: ${first.fields.routingKey}, ${await waiting()} wait`);
  channel.ack(first);
  const second = await deliveries.find(() => true, 1);
  print(`consumed: ${second.fields.routingKey}, ${await waiting()} wait`);
  channel.reject(second, false);
  await channel.cancel(consumerTag);
}

async function exclusiveElsewhere(channel: Channel): Promise<void> {
  const other = await connect();
  await (await other.createChannel()).assertQueue("theirs", { exclusive: true });
  try {
    await channel.assertQueue("theirs", { exclusive: true });
  } finally {
    await other.close();
  }
}

async function declaredTwice(channel: Channel): Promise<void> {
  await channel.assertQueue("mine", { exclusive: true });
  await channel.assertQueue("mine", { exclusive: true, autoDelete: true });
}

async function consumedTwice(channel: Channel): Promise<void> {
  const { queue } = await channel.assertQueue("", { exclusive: true });
  for (const consumerTag of ["same", "same"]) {
    await channel.consume(queue, () => {}, { consumerTag });
  }
}

/** What its message would be answered with, the answer to the next method is. */
function publish(exchange: string, key: string, size = 1) {
  return async (channel: Channel) => {
    channel.publish(exchange, key, Buffer.alloc(size));
    await channel.checkExchange("amq.direct");
  };
}

const exclusive = { exclusive: true } satisfies Options.AssertQueue;

const FAULTS: Record<string, (channel: Channel, connection: ChannelModel) => Promise<unknown>> = {
  "exchange to exchange": (channel) => channel.bindExchange("amq.topic", "amq.direct", ""),
  "argument": (channel) => channel.assertQueue("mine", { ...exclusive, messageTtl: 1000 }),
  "new secret": (_, connection) => connection.updateSecret(Buffer.from("secret"), "old"),
  "no-local": async (channel) => {
    const { queue } = await channel.assertQueue("", exclusive);
    return await channel.consume(queue, () => {}, { noLocal: true });
  },
  "exchange type": (channel) => channel.assertExchange("x", "x-delayed-message"),
  "no such queue": (channel) => channel.checkQueue("none"),
  "no such exchange": publish("none", "key"),
  "another's queue": exclusiveElsewhere,
  "other flags": declaredTwice,
  "unknown delivery": async (channel) => {
    channel.ack({ fields: { deliveryTag: 99 } } as Message);
    await channel.checkExchange("amq.direct");
  },
  "reserved name": (channel) => channel.assertQueue("amq.mine"),
  "fl.up deleted": (channel) => channel.deleteExchange("fl.up"),
  "fl.down published to": publish("fl.down", "default.amqplib"),
  "another's key": publish("fl.up", "default.other"),
  "another federation": publish("fl.up", "elsewhere.amqplib"),
  "too large": publish("fl.up", "default.amqplib", 600_000),
  "same tag": consumedTwice,
  "no queue named": (channel) => channel.get(""),
  "user": () => connect("no client"),
};

async function faults(): Promise<void> {
  for (const [name, act] of Object.entries(FAULTS)) {
    const connection = await connect();
    const refusals = new Awaitable<Refusal>();
    const closed = new Promise((resolve) => connection.once("close", resolve));
    connection.on("error", (error) => refusals.push(error));
    const channel = await connection.createChannel();
    channel.on("error", (error) => refusals.push(error));
    // A method that was under way is told that its channel is gone, or nothing at all.
    const said = act(channel, connection).then(() => "silence", async (error: Refusal) => {
      const [code] = /(?<=terminated by server: )[0-9]+/.exec(error.message) ?? [error.code];
      return code ?? (await refusals.find(() => true)).code;
    });
    const refused = refusals.find(() => true).then(({ code }) => code);
    print(`${name}: ${await Promise.race([said, refused])}`);
    await connection.close().catch(() => {}); // closed by the server
    await closed;
  }
}

await (mode === "tour" ? tour() : faults());
