import assert from "node:assert/strict";
import { Prefetch } from "../../../src/protocols/amqp/prefetch.ts";

Deno.test("Prefetch.allows as many messages as are not acknowledged yet", () => {
  const prefetch = new Prefetch({ maxMessages: 2, maxBytes: 0 });
  prefetch.hold(1000);
  assert.ok(prefetch.allows(1000));
  prefetch.hold(1000);
  assert.ok(!prefetch.allows(0));
  prefetch.release(1000);
  assert.ok(prefetch.allows(1000));
});

Deno.test("Prefetch.allows a single message of any size (1.8 qos, prefetch-size)", () => {
  const prefetch = new Prefetch({ maxMessages: 0, maxBytes: 100 });
  assert.ok(prefetch.allows(1000));
  prefetch.hold(60);
  assert.ok(prefetch.allows(40));
  assert.ok(!prefetch.allows(41));
});

Deno.test("Prefetch without limits allows everything", () => {
  const prefetch = new Prefetch({ maxMessages: 0, maxBytes: 0 });
  for (let count = 0; count < 1000; count++) prefetch.hold(1_000_000);
  assert.ok(prefetch.allows(1_000_000));
});
