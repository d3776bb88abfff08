import assert from "node:assert/strict";
import fc from "fast-check";
import {
  Exchange,
  type ExchangeType,
  headersMatch,
  topicMatches,
  wordsOf,
} from "../../../src/protocols/amqp/exchange.ts";
import { EMPTY_TABLE, type FieldValue, text } from "../../../src/protocols/amqp/fields.ts";
import { Pool } from "../../../src/protocols/amqp/pool.ts";
import { Queue } from "../../../src/protocols/amqp/queue.ts";

function queue(name: string): Queue {
  const settings = { name, durable: false, owner: undefined, autoDelete: false };
  const bounds = { maxMessages: 1, maxBytes: 1, pool: new Pool(1, () => {}) };
  return new Queue({ ...settings, arguments: EMPTY_TABLE }, bounds);
}

function exchange(type: ExchangeType): Exchange {
  const flags = { durable: false, autoDelete: false, internal: false };
  return new Exchange({ name: "e", type, ...flags, arguments: EMPTY_TABLE });
}

function bind(routingKey: string) {
  return { routingKey, arguments: EMPTY_TABLE };
}

function matches(pattern: string, key: string): boolean {
  return topicMatches(wordsOf(pattern), wordsOf(key));
}

Deno.test("topicMatches takes * for one word and # for any number (§3.1.3.3)", () => {
  // The specification's own example, and the corners around it.
  assert.ok(matches("*.stock.#", "usd.stock"));
  assert.ok(matches("*.stock.#", "eur.stock.db"));
  assert.ok(!matches("*.stock.#", "stock.nasdaq"));
  assert.ok(matches("#", "") && matches("#", "a.b.c") && matches("#.#", ""));
  assert.ok(!matches("*", "") && !matches("*", "a.b") && matches("*", "a"));
  assert.ok(matches("a.#.b", "a.b") && matches("a.#.b", "a.x.y.b") && !matches("a.#.b", "a.x"));
  assert.ok(matches("#.a.#.a", "a.x.a.a") && !matches("#.a.#.a", "x.a"));
  assert.ok(matches("", "") && !matches("", "a") && matches("a..b", "a..b"));
});

/** The definition itself, at any cost. */
function matchesByDefinition(pattern: string[], words: string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return words.length === 0;
  if (first === "#") {
    return matchesByDefinition(rest, words) ||
      (words.length > 0 && matchesByDefinition(pattern, words.slice(1)));
  }
  return words.length > 0 && (first === "*" || first === words[0]) &&
    matchesByDefinition(rest, words.slice(1));
}

Deno.test("topicMatches agrees with its definition", () => {
  const words = fc.array(fc.constantFrom("a", "b"), { maxLength: 7 });
  const pattern = fc.array(fc.constantFrom("a", "b", "*", "#"), { maxLength: 7 });
  fc.assert(
    fc.property(pattern, words, (parts, key) => {
      assert.equal(topicMatches(parts, key), matchesByDefinition(parts, key));
    }),
    { numRuns: 3000 },
  );
});

Deno.test("topicMatches takes no exponential time", () => {
  const pattern = Array.from({ length: 60 }, (_, index) => index % 2 === 0 ? "#" : "a");
  const words = Array.from({ length: 127 }, () => "a");
  assert.ok(!topicMatches([...pattern, "b"], words));
});

Deno.test("headersMatch compares all arguments or any, and leaves x-names out (§3.1.3.4)", () => {
  const table = (entries: Record<string, FieldValue>) => new Map(Object.entries(entries));
  const number: FieldValue = { type: "b", value: 5 };
  const headers = table({ colour: text("red"), size: { type: "l", value: 5n } });
  assert.ok(headersMatch(table({ colour: text("red"), size: number }), headers));
  assert.ok(!headersMatch(table({ colour: text("red"), shape: number }), headers));
  const any = { "x-match": text("any") };
  assert.ok(headersMatch(table({ ...any, colour: text("red"), shape: number }), headers));
  assert.ok(!headersMatch(table({ ...any, colour: text("blue") }), headers));
  assert.ok(headersMatch(table({ colour: { type: "V" } }), headers)); // present is enough
  assert.ok(headersMatch(table({ "x-match": text("all") }), headers));
});

Deno.test("Exchange.route gives each queue once, by the exchange's type", () => {
  const [one, two] = [queue("one"), queue("two")];
  const routes = (type: ExchangeType, key: string) => {
    const held = exchange(type);
    held.bind(one, bind("a.b"));
    held.bind(one, bind("a.*"));
    held.bind(two, bind("a.c"));
    return held.route({ routingKey: key, headers: undefined }).map(({ settings }) => settings.name);
  };
  assert.deepEqual(routes("direct", "a.b"), ["one"]);
  assert.deepEqual(routes("direct", "a.x"), []);
  assert.deepEqual(routes("topic", "a.b"), ["one"]);
  assert.deepEqual(routes("topic", "a.c"), ["one", "two"]);
  assert.deepEqual(routes("fanout", "anything"), ["one", "two"]);
});

Deno.test("Exchange.bind ignores a duplicate, Exchange.unbind what is not bound", () => {
  const [held, one] = [exchange("direct"), queue("one")];
  held.bind(one, bind("a"));
  held.bind(one, bind("a"));
  assert.equal(held.bindingCount(one), 1);
  held.unbind(one, bind("b"));
  held.unbind(queue("two"), bind("a"));
  assert.ok(held.isBound);
  held.unbind(one, bind("a"));
  assert.ok(!held.isBound);
});
