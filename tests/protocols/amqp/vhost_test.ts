import assert from "node:assert/strict";
import { AmqpException } from "../../../src/protocols/amqp/exceptions.ts";
import { EMPTY_TABLE, text } from "../../../src/protocols/amqp/fields.ts";
import type { Message } from "../../../src/protocols/amqp/message.ts";
import { VirtualHost, type VirtualHostBounds } from "../../../src/protocols/amqp/vhost.ts";

const bounds: VirtualHostBounds = {
  maxDeclared: 10,
  maxDeclaredPerConnection: 5,
  maxBindingsPerQueue: 3,
  maxQueueMessages: 100,
  maxQueueBytes: 1_000_000,
  maxHeldBytes: 1_000_000,
};
const [alice, bob] = [{ name: "alice" }, { name: "bob" }];

function host(more: Partial<VirtualHostBounds> = {}, onFull: (full: boolean) => void = () => {}) {
  return new VirtualHost({ ...bounds, ...more }, onFull);
}

function queueSettings(name: string, more: { owner?: object; autoDelete?: boolean } = {}) {
  const { owner, autoDelete = false } = more;
  return { name, durable: false, owner, autoDelete, arguments: EMPTY_TABLE };
}

function exchangeSettings(name: string, more: { durable?: boolean; autoDelete?: boolean } = {}) {
  const flags = { durable: false, autoDelete: false, internal: false, ...more };
  return { name, type: "direct", ...flags, arguments: EMPTY_TABLE } as const;
}

function reply(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return error instanceof AmqpException ? error.reply : String(error);
  }
  return "";
}

function routing(routingKey: string) {
  return { routingKey, headers: undefined };
}

Deno.test("VirtualHost.declareQueue makes names nobody guesses, and keeps amq. to itself", () => {
  const held = host();
  const first = held.declareQueue(queueSettings(""), alice).settings.name;
  const second = held.declareQueue(queueSettings(""), alice).settings.name;
  assert.match(first, /^amq\.gen-[\w-]{22}$/);
  assert.notEqual(first, second);
  assert.equal(reply(() => held.declareQueue(queueSettings("amq.mine"), alice)), "ACCESS_REFUSED");
});

Deno.test("VirtualHost.declareQueue again asks for the same queue, or is refused with 406", () => {
  const held = host();
  const queue = held.declareQueue(queueSettings("q"), alice);
  assert.equal(held.declareQueue(queueSettings("q"), bob), queue);
  const asked = { ...queueSettings("q"), durable: true };
  assert.equal(reply(() => held.declareQueue(asked, alice)), "PRECONDITION_FAILED");
  const other = { ...queueSettings("q"), arguments: new Map([["a", text("b")]]) };
  assert.equal(reply(() => held.declareQueue(other, alice)), "PRECONDITION_FAILED");
});

Deno.test("VirtualHost.queue locks an exclusive queue to its connection with 405", () => {
  const held = host();
  const queue = held.declareQueue(queueSettings("q", { owner: alice }), alice);
  assert.equal(held.queue("q", alice), queue);
  assert.equal(reply(() => held.queue("q", bob)), "RESOURCE_LOCKED");
  assert.equal(reply(() => held.declareQueue(queueSettings("q"), bob)), "RESOURCE_LOCKED");
  held.leave(alice);
  assert.equal(reply(() => held.queue("q", bob)), "NOT_FOUND");
});

Deno.test("VirtualHost.declareExchange finds an equivalent exchange, or refuses with 406", () => {
  const held = host();
  held.declareExchange(exchangeSettings("e"), alice);
  held.declareExchange(exchangeSettings("e"), bob);
  assert.equal(
    reply(() => held.declareExchange({ ...exchangeSettings("e"), type: "topic" }, bob)),
    "PRECONDITION_FAILED",
  );
  const up = { ...exchangeSettings("fl.up"), type: "topic", durable: true } as const;
  assert.equal(reply(() => held.declareExchange(up, bob)), "");
  assert.equal(
    reply(() => held.declareExchange({ ...up, type: "direct" }, bob)),
    "PRECONDITION_FAILED",
  );
  assert.equal(reply(() => held.declareExchange(exchangeSettings(""), bob)), "ACCESS_REFUSED");
  assert.equal(reply(() => held.declareExchange(exchangeSettings("amq.x"), bob)), "ACCESS_REFUSED");
});

Deno.test("VirtualHost.deleteExchange keeps what the server declared, and what is in use", () => {
  const held = host();
  for (const name of ["fl.up", "fl.down", "amq.direct", ""]) {
    assert.equal(reply(() => held.deleteExchange(name, { ifUnused: false })), "ACCESS_REFUSED");
  }
  assert.equal(reply(() => held.deleteExchange("none", { ifUnused: false })), "NOT_FOUND");
  held.declareExchange(exchangeSettings("e"), alice);
  const queue = held.declareQueue(queueSettings("q"), alice);
  held.bind(queue, held.exchange("e"), { routingKey: "k", arguments: EMPTY_TABLE });
  assert.equal(
    reply(() => held.deleteExchange("e", { ifUnused: true })),
    "PRECONDITION_FAILED",
  );
  held.deleteExchange("e", { ifUnused: false });
  assert.equal(reply(() => held.exchange("e")), "NOT_FOUND");
});

Deno.test("VirtualHost removes auto-delete queues and exchanges with their last user", () => {
  const held = host();
  held.declareExchange(exchangeSettings("e", { autoDelete: true }), alice);
  const queue = held.declareQueue(queueSettings("q", { autoDelete: true }), alice);
  const binding = { routingKey: "k", arguments: EMPTY_TABLE };
  held.bind(queue, held.exchange("e"), binding);
  held.releaseQueue(queue);
  assert.equal(reply(() => held.queue("q", alice)), "NOT_FOUND");
  assert.equal(reply(() => held.exchange("e")), "NOT_FOUND");
  held.releaseQueue(queue); // a consumer that leaves later changes nothing
});

Deno.test("VirtualHost.route takes the default exchange's key as a queue's name", () => {
  const held = host();
  const queue = held.declareQueue(queueSettings("q"), alice);
  assert.deepEqual(held.route("", routing("q")), [queue]);
  assert.deepEqual(held.route("", routing("none")), []);
  assert.equal(reply(() => held.route("none", routing("q"))), "NOT_FOUND");
});

Deno.test("VirtualHost.route leads to no queue that has a feed", () => {
  const held = host();
  const queue = held.declareQueue(queueSettings("q", { owner: alice }), alice);
  held.bind(queue, held.exchange("amq.fanout"), { routingKey: "", arguments: EMPTY_TABLE });
  queue.feed = { peek: () => undefined, shift: () => {}, closed: () => {} };
  assert.deepEqual(held.route("", routing("q")), []);
  assert.deepEqual(held.route("amq.fanout", routing("")), []);
});

Deno.test("VirtualHost bounds what one connection and all of them declare, with 506", () => {
  const held = host();
  for (let count = 0; count < 5; count++) held.declareQueue(queueSettings(""), alice);
  assert.equal(reply(() => held.declareQueue(queueSettings(""), alice)), "RESOURCE_ERROR");
  assert.equal(
    reply(() => held.declareExchange(exchangeSettings("e"), alice)),
    "RESOURCE_ERROR",
  );
  for (let count = 0; count < 5; count++) held.declareQueue(queueSettings(""), bob);
  assert.equal(reply(() => held.declareQueue(queueSettings(""), {})), "RESOURCE_ERROR");
});

Deno.test("VirtualHost bounds the bindings of a queue, with 506", () => {
  const held = host();
  const queue = held.declareQueue(queueSettings("q"), alice);
  const bind = (exchange: string, routingKey: string) =>
    held.bind(queue, held.exchange(exchange), { routingKey, arguments: EMPTY_TABLE });
  bind("amq.direct", "a");
  bind("amq.direct", "b");
  bind("amq.topic", "c");
  assert.equal(reply(() => bind("amq.topic", "d")), "RESOURCE_ERROR");
});

Deno.test("VirtualHost tells when its queues together are full, and when not any more", () => {
  const changes: boolean[] = [];
  const held = host({ maxHeldBytes: 10_000 }, (full) => changes.push(full));
  const [one, two] = [
    held.declareQueue(queueSettings("one"), alice),
    held.declareQueue(queueSettings("two"), alice),
  ];
  const message: Message = {
    exchange: "",
    routingKey: "",
    properties: new Uint8Array(),
    body: new Uint8Array(6000),
  };
  assert.ok(one.offer(message));
  assert.ok(!two.offer(message));
  one.purge();
  assert.deepEqual(changes, [true, false]);
});
