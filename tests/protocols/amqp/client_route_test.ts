import assert from "node:assert/strict";
import {
  clientMessage,
  decodeServerMessage,
  encodeClientMessage,
  serverMessage,
} from "../../../src/contract/codec.ts";
import { Verdict } from "../../../src/contract/federation_pb.ts";
import { ClientRoute } from "../../../src/protocols/amqp/client_route.ts";
import { EMPTY_TABLE } from "../../../src/protocols/amqp/fields.ts";
import { Pool } from "../../../src/protocols/amqp/pool.ts";
import { Queue } from "../../../src/protocols/amqp/queue.ts";
import type { Confirm } from "../../../src/protocols/amqp/wire.ts";
import { answer, RUN_ID, ScriptedCoordinator } from "../../support/scripted_coordinator.ts";

const KEY = "default.client-1";

function queue(maxMessages = 1000): Queue {
  const settings = { name: "q", durable: false, owner: undefined, autoDelete: false };
  const bounds = { maxMessages, maxBytes: 1e9, pool: new Pool(1e9, () => {}) };
  return new Queue({ ...settings, arguments: EMPTY_TABLE }, bounds);
}

function routed(maxUnjudgedBytes = 1e6) {
  const coordinator = new ScriptedCoordinator();
  let overruns = 0;
  const route = new ClientRoute({
    route: { wire: "amqp", id: 1 },
    key: KEY,
    maxUnjudgedBytes,
    deliver: coordinator.deliver,
    overrun: () => overruns++,
  });
  const confirms: Confirm[] = [];
  const publish = (sequence: number) => {
    const body = encodeClientMessage(
      clientMessage({ clientId: "client-1", sequence, body: { case: "heartbeat", value: {} } }),
    );
    return route.publish(body, (confirm) => confirms.push(confirm));
  };
  return { coordinator, route, publish, confirms, overruns: () => overruns };
}

function task(round: number) {
  return serverMessage({ runId: RUN_ID, body: { case: "task", value: { round } } });
}

/** Takes what a consumer would: receipts by sequence number, tasks by round with a letter. */
function take(from: Queue): string | undefined {
  const queued = from.take();
  if (queued === undefined) return undefined;
  assert.equal(queued.message.exchange, "fl.down");
  assert.equal(queued.message.routingKey, KEY);
  const { body } = decodeServerMessage(queued.message.body);
  if (body.case === "receipt") return String(body.value.sequence);
  return body.case === "task" ? `t${body.value.round}` : body.case;
}

const signal = new AbortController().signal;

Deno.test("ClientRoute.send waits until a consumer takes the message", async () => {
  const { route } = routed();
  const held = queue();
  route.bind(held);
  let isTaken = false;
  const sent = route.send(task(1), signal).then((outcome) => {
    isTaken = true;
    return outcome;
  });
  await route.send(task(2), AbortSignal.abort());
  assert.ok(!isTaken);
  assert.equal(take(held), "t1");
  assert.equal(await sent, "taken");
});

Deno.test("ClientRoute.send without a bound queue is gone, and so is what waits when it goes", async () => {
  const { route } = routed();
  assert.equal(await route.send(task(1), signal), "gone");
  const held = queue();
  route.bind(held);
  const waiting = route.send(task(1), signal);
  held.close();
  assert.equal(await waiting, "gone");
  const other = queue();
  route.bind(other);
  const again = route.send(task(1), signal);
  route.unbind(other);
  assert.equal(await again, "gone");
});

Deno.test("ClientRoute.send that is aborted is stalled and not sent later", async () => {
  const { route } = routed();
  const held = queue();
  route.bind(held);
  const abort = new AbortController();
  const [first, second] = [route.send(task(1), abort.signal), route.send(task(2), signal)];
  abort.abort();
  assert.equal(await first, "stalled");
  assert.equal(take(held), "t2");
  assert.equal(await second, "taken");
  assert.equal(take(held), undefined);
});

Deno.test("ClientRoute puts receipts before everything sent and not yet taken", async () => {
  const { route, publish, confirms } = routed();
  const held = queue();
  route.bind(held);
  const sent = [route.send(task(1), signal), route.send(task(2), signal)];
  await publish(7);
  await Promise.resolve();
  assert.deepEqual(confirms, ["ack"]);
  assert.deepEqual([take(held), take(held), take(held)], ["7", "t1", "t2"]);
  assert.deepEqual(await Promise.all(sent), ["taken", "taken"]);
});

Deno.test("ClientRoute confirms in the order of arrival, after the receipt is in the queue", async () => {
  const { coordinator, route, publish, confirms } = routed();
  const held = queue();
  route.bind(held);
  const first = Promise.withResolvers<void>();
  coordinator.judge = async ({ sequence }) => {
    if (sequence === 1) await first.promise;
    return answer(sequence, sequence === 1 ? Verdict.BUSY : Verdict.ACCEPTED);
  };
  await Promise.all([publish(1), publish(2)]);
  await coordinator.message("client-1", ({ sequence }) => sequence === 2);
  assert.deepEqual([confirms, held.readyCount], [[], 0]);
  first.resolve();
  await coordinator.deliver({ kind: "unreadable", route: route.route, detail: "" }); // lets turns pass
  await publish(3);
  await Promise.resolve();
  assert.deepEqual(confirms, ["nack", "ack", "ack"]);
  assert.deepEqual([take(held), take(held), take(held)], ["1", "2", "3"]);
});

Deno.test("ClientRoute confirms without a receipt where no queue is bound", async () => {
  const { publish, confirms } = routed();
  await publish(1);
  await Promise.resolve();
  assert.deepEqual(confirms, ["ack"]);
});

Deno.test("ClientRoute.publish holds its connection back while too much is unjudged", async () => {
  const { coordinator, publish } = routed(300);
  const judged = Promise.withResolvers<void>();
  coordinator.judge = async ({ sequence }) => {
    await judged.promise;
    return answer(sequence, Verdict.ACCEPTED);
  };
  await publish(1); // counts 256 of 300
  let goesOn = false;
  const second = publish(2).then(() => goesOn = true);
  await coordinator.message("client-1", ({ sequence }) => sequence === 2);
  assert.ok(!goesOn);
  judged.resolve();
  await second;
});

Deno.test("ClientRoute tells of a client that does not take its receipts", async () => {
  const { route, publish, overruns } = routed();
  route.bind(queue(1));
  await publish(1);
  await publish(2);
  await publish(3);
  assert.ok(overruns() > 0);
});

Deno.test("ClientRoute.end detaches once with a reason, and never without", async () => {
  const ended = routed();
  ended.route.end("over");
  ended.route.end("over");
  await ended.publish(1);
  assert.deepEqual(ended.coordinator.arrivals.all.map(({ kind }) => kind), ["detached"]);
  assert.equal(await ended.route.send(task(1), signal), "gone");
  const dropped = routed();
  dropped.route.end(undefined);
  dropped.route.end("over");
  assert.equal(dropped.coordinator.arrivals.all.length, 0);
});

Deno.test("ClientRoute.bind feeds one queue at a time", () => {
  const { route } = routed();
  const held = queue();
  route.bind(held);
  route.bind(held);
  assert.throws(() => route.bind(queue()), { reply: "PRECONDITION_FAILED" });
  route.unbind(held);
  route.bind(queue());
});
