import assert from "node:assert/strict";
import { ClientRoute } from "../../../src/protocols/amqp/client_route.ts";
import { EMPTY_TABLE } from "../../../src/protocols/amqp/fields.ts";
import { Membership } from "../../../src/protocols/amqp/membership.ts";
import { Pool } from "../../../src/protocols/amqp/pool.ts";
import { Queue } from "../../../src/protocols/amqp/queue.ts";

function member() {
  const owner = { name: "the connection" };
  const joined: string[] = [];
  const membership = new Membership({
    federation: "fed.one",
    clientId: "client.1",
    owner,
    join: (key) => {
      joined.push(key);
      const route = { wire: "amqp", id: joined.length };
      const deliver = () => Promise.resolve(undefined);
      return new ClientRoute({ route, key, maxUnjudgedBytes: 1, deliver, overrun: () => {} });
    },
  });
  return { membership, owner, joined };
}

function queue(owner: object | undefined): Queue {
  const settings = { name: "q", durable: false, owner, autoDelete: false, arguments: EMPTY_TABLE };
  const bounds = { maxMessages: 9, maxBytes: 9999, pool: new Pool(9999, () => {}) };
  return new Queue(settings, bounds);
}

Deno.test("Membership.check tells one's own key, another client's and another federation's apart", () => {
  const { membership } = member();
  membership.check("fl.up", "fed.one.client.1");
  assert.throws(() => membership.check("fl.up", "fed.one.client.2"), { reply: "ACCESS_REFUSED" });
  assert.throws(() => membership.check("fl.up", "fed.two.client.1"), { reply: "NOT_FOUND" });
  assert.throws(() => membership.check("fl.down", "fed.one.#"), { reply: "ACCESS_REFUSED" });
  assert.throws(() => membership.check("fl.down", "#"), { reply: "NOT_FOUND" });
});

Deno.test("Membership.bind wants an exclusive and empty queue, before there is a route", () => {
  const { membership, owner, joined } = member();
  const key = "fed.one.client.1";
  assert.throws(() => membership.bind(queue(undefined), key), { reply: "ACCESS_REFUSED" });
  const used = queue(owner);
  used.offer({
    exchange: "",
    routingKey: "",
    properties: new Uint8Array(),
    body: new Uint8Array(),
  });
  assert.throws(() => membership.bind(used, key), { reply: "PRECONDITION_FAILED" });
  assert.deepEqual(joined, []);
  const fresh = queue(owner);
  membership.bind(fresh, key);
  membership.bind(fresh, key);
  assert.ok(fresh.feed !== undefined);
  membership.unbind(fresh, key);
  assert.equal(fresh.feed, undefined);
  assert.deepEqual(joined, [key]);
});
