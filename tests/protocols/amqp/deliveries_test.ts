import assert from "node:assert/strict";
import { Deliveries } from "../../../src/protocols/amqp/deliveries.ts";
import { AmqpException } from "../../../src/protocols/amqp/exceptions.ts";
import { EMPTY_TABLE } from "../../../src/protocols/amqp/fields.ts";
import { Pool } from "../../../src/protocols/amqp/pool.ts";
import { Prefetch } from "../../../src/protocols/amqp/prefetch.ts";
import { Queue } from "../../../src/protocols/amqp/queue.ts";

/** A queue whose first `count` messages were delivered with tags 1 to `count`. */
function delivered(count: number): { queue: Queue; deliveries: Deliveries } {
  const settings = { name: "q", durable: false, owner: undefined, autoDelete: false };
  const bounds = { maxMessages: 100, maxBytes: 1e6, pool: new Pool(1e6, () => {}) };
  const queue = new Queue({ ...settings, arguments: EMPTY_TABLE }, bounds);
  const deliveries = new Deliveries();
  const shared = new Prefetch({ maxMessages: 0, maxBytes: 0 });
  for (let index = 0; index < count; index++) {
    const [properties, body] = [new Uint8Array(), new Uint8Array()];
    queue.offer({ exchange: "", routingKey: String(index + 1), properties, body });
    const queued = queue.take();
    if (queued === undefined) continue;
    deliveries.hold(deliveries.nextTag(), { queued, queue, consumer: undefined, shared });
  }
  return { queue, deliveries };
}

function back(queue: Queue): string[] {
  const keys: string[] = [];
  for (let queued = queue.take(); queued !== undefined; queued = queue.take()) {
    assert.ok(queued.redelivered);
    keys.push(queued.message.routingKey);
  }
  return keys;
}

function isRefused(act: () => void): boolean {
  try {
    act();
  } catch (error) {
    return error instanceof AmqpException && error.reply === "PRECONDITION_FAILED";
  }
  return false;
}

Deno.test("Deliveries.settle takes one tag, or all up to one", () => {
  const { queue, deliveries } = delivered(5);
  deliveries.settle(2n, { multiple: false });
  deliveries.settle(3n, { multiple: true });
  deliveries.requeueAll();
  assert.deepEqual(back(queue), ["4", "5"]);
});

Deno.test("Deliveries.settle takes 0 with multiple for all there are, or none", () => {
  const { queue, deliveries } = delivered(3);
  deliveries.settle(0n, { multiple: true });
  deliveries.settle(0n, { multiple: true });
  deliveries.requeueAll();
  assert.deepEqual(back(queue), []);
});

Deno.test("Deliveries.requeue puts one or several back in their order", () => {
  const { queue, deliveries } = delivered(4);
  deliveries.requeue(3n, { multiple: false });
  deliveries.requeue(2n, { multiple: true });
  assert.deepEqual(back(queue), ["1", "2", "3"]);
});

Deno.test("Deliveries refuses a tag twice, one that was never given, and 0 alone, with 406", () => {
  const { deliveries } = delivered(2);
  deliveries.settle(1n, { multiple: false });
  assert.ok(isRefused(() => deliveries.settle(1n, { multiple: false })));
  assert.ok(isRefused(() => deliveries.settle(1n, { multiple: true })));
  assert.ok(isRefused(() => deliveries.settle(3n, { multiple: true })));
  assert.ok(isRefused(() => deliveries.requeue(0n, { multiple: false })));
  assert.ok(isRefused(() => deliveries.settle(2n ** 64n - 1n, { multiple: false })));
});
