import assert from "node:assert/strict";
import { Backlog } from "../../../src/protocols/mqtt/backlog.ts";

const MIB = 1024 * 1024;

Deno.test("Backlog iterates what was pushed, in order, and ends with close()", async () => {
  const backlog = new Backlog<number>();
  for (const value of [1, 2, 3]) backlog.push(value, { bytes: 1, taken() {} });
  backlog.close();
  assert.deepEqual(await Array.fromAsync(backlog), [1, 2, 3]);
});

Deno.test("Backlog waits for what is pushed later", async () => {
  const backlog = new Backlog<number>();
  const all = Array.fromAsync(backlog);
  backlog.push(1, { bytes: 1, taken() {} });
  await Promise.resolve();
  backlog.push(2, { bytes: 1, taken() {} });
  backlog.close();
  assert.deepEqual(await all, [1, 2]);
});

Deno.test("Backlog takes no more beyond its bound until enough was read", async () => {
  const backlog = new Backlog<number>();
  let taken = 0;
  for (let value = 0; value < 8; value++) backlog.push(value, { bytes: MIB, taken: () => taken++ });
  assert.equal(taken, 7);
  await backlog[Symbol.asyncIterator]().next();
  assert.equal(taken, 8);
});

Deno.test("Backlog.close() lets go of whoever waits for room", () => {
  const backlog = new Backlog<number>();
  let taken = 0;
  backlog.push(1, { bytes: 9 * MIB, taken: () => taken++ });
  assert.equal(taken, 0);
  backlog.close();
  backlog.push(2, { bytes: MIB, taken: () => taken++ });
  assert.equal(taken, 2);
});
