import assert from "node:assert/strict";
import fc from "fast-check";
import { EMPTY_TABLE } from "../../../src/protocols/amqp/fields.ts";
import type { Message, Queued } from "../../../src/protocols/amqp/message.ts";
import { Pool } from "../../../src/protocols/amqp/pool.ts";
import { type Feed, Queue, type Taker } from "../../../src/protocols/amqp/queue.ts";

function message(text: string, bytes = 0): Message {
  const body = new Uint8Array(bytes);
  return { exchange: "", routingKey: text, properties: new Uint8Array(), body };
}

function queue(bounds: { maxMessages?: number; maxBytes?: number; poolBytes?: number } = {}) {
  const { maxMessages = 1000, maxBytes = 1e6, poolBytes = 1e9 } = bounds;
  const settings = {
    name: "q",
    durable: false,
    owner: undefined,
    autoDelete: false,
    arguments: EMPTY_TABLE,
  };
  return new Queue(settings, { maxMessages, maxBytes, pool: new Pool(poolBytes, () => {}) });
}

/** Takes at most `credit` messages ahead. */
class Reader implements Taker {
  readonly taken: Queued[] = [];
  readonly exclusive = false;
  credit: number;
  wasCancelled = false;

  constructor(credit = Infinity) {
    this.credit = credit;
  }

  canTake(): boolean {
    return this.credit > 0;
  }

  take(queued: Queued): void {
    this.credit--;
    this.taken.push(queued);
  }

  cancelled(): void {
    this.wasCancelled = true;
  }

  get texts(): string[] {
    return this.taken.map(({ message }) => message.routingKey);
  }
}

class Lane implements Feed {
  readonly messages: Message[] = [];
  wasClosed = false;

  peek(): Message | undefined {
    return this.messages[0];
  }

  shift(): void {
    this.messages.shift();
  }

  closed(): void {
    this.wasClosed = true;
  }
}

Deno.test("Queue delivers in order, to its consumers in turn, as each can take", () => {
  const held = queue();
  const [brisk, slow] = [new Reader(), new Reader(1)];
  held.add(brisk);
  held.add(slow);
  for (const text of ["a", "b", "c", "d"]) held.offer(message(text));
  assert.deepEqual(brisk.texts, ["a", "c", "d"]);
  assert.deepEqual(slow.texts, ["b"]);
});

Deno.test("Queue.pump goes on when a consumer can take again", () => {
  const held = queue();
  const reader = new Reader(1);
  held.add(reader);
  held.offer(message("a"));
  held.offer(message("b"));
  assert.equal(held.readyCount, 1);
  reader.credit = 1;
  held.pump();
  assert.deepEqual(reader.texts, ["a", "b"]);
});

Deno.test("Queue.requeue puts messages back at their places, marked as redelivered", () => {
  const held = queue();
  for (const text of ["a", "b", "c", "d", "e"]) held.offer(message(text));
  const [a, b, c] = [held.take(), held.take(), held.take()];
  assert.ok(a && b && c);
  held.requeue([c, a]);
  assert.deepEqual(drain(held), ["a!", "c!", "d", "e"]);
});

function drain(held: Queue): string[] {
  const texts: string[] = [];
  for (let queued = held.take(); queued !== undefined; queued = held.take()) {
    texts.push(queued.message.routingKey + (queued.redelivered ? "!" : ""));
  }
  return texts;
}

Deno.test("Queue keeps its order whatever is taken and put back", () => {
  const steps = fc.array(fc.oneof(fc.constant("offer"), fc.constant("take"), fc.constant("back")));
  fc.assert(fc.property(steps, (acts) => {
    const held = queue();
    const out: Queued[] = [];
    let next = 0;
    for (const act of acts) {
      if (act === "offer") held.offer(message(String(next++).padStart(5, "0")));
      const taken = act === "take" ? held.take() : undefined;
      if (taken !== undefined) out.push(taken);
      if (act === "back") held.requeue(out.splice(out.length >> 1));
    }
    const left = drain(held).map((text) => text.replace("!", ""));
    assert.deepEqual(left, left.toSorted());
    assert.equal(left.length + out.length, next);
  }));
});

Deno.test("Queue.offer refuses beyond its bounds, unacknowledged messages included", () => {
  const few = queue({ maxMessages: 2 });
  assert.ok(few.offer(message("a")) && few.offer(message("b")));
  assert.ok(!few.offer(message("c")));
  const taken = few.take();
  assert.ok(!few.offer(message("c")));
  if (taken !== undefined) few.settle(taken);
  assert.ok(few.offer(message("c")));
  const small = queue({ maxBytes: 1000 });
  assert.ok(small.offer(message("a", 5000)), "one message always passes");
  assert.ok(!small.offer(message("b", 1)));
  const poor = queue({ poolBytes: 1000 });
  assert.ok(poor.offer(message("a", 500)));
  assert.ok(!poor.offer(message("b", 500)));
});

Deno.test("Queue takes from its feed only what a consumer takes, after what is ready", () => {
  const held = queue();
  const lane = new Lane();
  lane.messages.push(message("bulk-1"), message("bulk-2"));
  held.feed = lane;
  assert.equal(lane.messages.length, 2);
  held.offer(message("answer"));
  const reader = new Reader(2);
  held.add(reader);
  assert.deepEqual(reader.texts, ["answer", "bulk-1"]);
  assert.equal(lane.messages.length, 1);
  assert.equal(held.take()?.message.routingKey, "bulk-2"); // basic.get
});

Deno.test("Queue leaves a message with its feed while the bounds forbid it", () => {
  const held = queue({ maxMessages: 1 });
  const lane = new Lane();
  lane.messages.push(message("a"), message("b"));
  held.feed = lane;
  const taken = held.take();
  assert.equal(held.take(), undefined);
  assert.equal(lane.messages.length, 1);
  if (taken !== undefined) held.settle(taken);
  assert.equal(held.take()?.message.routingKey, "b");
});

Deno.test("Queue.purge drops what is ready and leaves what was delivered", () => {
  const held = queue({ maxMessages: 3 });
  for (const text of ["a", "b", "c"]) held.offer(message(text));
  const taken = held.take();
  assert.equal(held.purge(), 2);
  assert.equal(held.readyCount, 0);
  if (taken !== undefined) held.requeue([taken]);
  assert.deepEqual(drain(held), ["a!"]);
});

Deno.test("Queue.close tells its consumers and its feed, and gives the bytes back", () => {
  const pool = new Pool(1000, () => {});
  const settings = { name: "q", durable: false, owner: undefined, autoDelete: false };
  const held = new Queue({ ...settings, arguments: EMPTY_TABLE }, {
    maxMessages: 10,
    maxBytes: 1e6,
    pool,
  });
  const [reader, lane] = [new Reader(1), new Lane()];
  held.feed = lane;
  held.add(reader);
  held.offer(message("a", 100));
  held.offer(message("b", 100));
  assert.equal(held.close(), 1);
  assert.ok(reader.wasCancelled && lane.wasClosed);
  assert.ok(pool.take(1000));
  const [taken] = reader.taken;
  if (taken !== undefined) held.requeue([taken]);
  assert.equal(held.readyCount, 0);
  assert.ok(!held.offer(message("c")));
});
