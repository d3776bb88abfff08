import assert from "node:assert/strict";
import { Pool } from "../../../src/protocols/amqp/pool.ts";

Deno.test("Pool.take refuses what does not fit, and says so once until it is relieved", () => {
  const changes: boolean[] = [];
  const pool = new Pool(1000, (full) => changes.push(full));
  assert.ok(pool.take(900));
  assert.ok(!pool.take(101));
  assert.ok(!pool.take(101));
  assert.deepEqual(changes, [true]);
  pool.give(99);
  assert.deepEqual(changes, [true]); // four fifths are the relief
  pool.give(1);
  assert.deepEqual(changes, [true, false]);
  assert.ok(pool.take(200));
});

Deno.test("Pool.take lets one message pass that is larger than all of it", () => {
  const pool = new Pool(1000, () => {});
  assert.ok(pool.take(5000));
  assert.ok(!pool.take(1));
  pool.give(5000);
  assert.ok(pool.take(1000));
});
