import assert from "node:assert/strict";
import { Turns } from "../../../src/protocols/dds/turns.ts";

Deno.test("Turns.take() runs so many at once and the others in their order", async () => {
  const turns = new Turns(2);
  const begun: number[] = [];
  const ends = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
  const all = ends.map(({ promise }, index) =>
    turns.take(async () => {
      begun.push(index);
      await promise;
      return index;
    })
  );
  await Promise.resolve();
  assert.deepEqual(begun, [0, 1]);
  ends[1]?.resolve();
  await all[1];
  assert.deepEqual(begun, [0, 1, 2]);
  for (const { resolve } of ends) resolve();
  assert.deepEqual(await Promise.all(all), [0, 1, 2, 3]);
});

Deno.test("Turns.take() gives the turn on when a call fails", async () => {
  const turns = new Turns(1);
  await assert.rejects(turns.take(() => Promise.reject(new Error("failed"))), /failed/);
  assert.equal(await turns.take(() => Promise.resolve("next")), "next");
});
