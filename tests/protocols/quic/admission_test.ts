import assert from "node:assert/strict";
import { Admission } from "../../../src/protocols/quic/admission.ts";

Deno.test("Admission.enter() lets several streams in one after another, never all at once", async () => {
  const admission = new Admission(5000);
  const entered: number[] = [];
  const streams = [1, 2, 3, 4].map(async (stream) => {
    const leave = await admission.enter(3000);
    entered.push(stream);
    return leave;
  });
  const [first, second, third, fourth] = streams;
  assert.ok(first && second && third && fourth);
  (await first)();
  await second;
  await third;
  assert.deepEqual(entered, [1, 2, 3]);
  (await second)();
  (await third)();
  await fourth;
  assert.deepEqual(entered, [1, 2, 3, 4]);
});

Deno.test("Admission counts tiny messages for what they cost", async () => {
  const admission = new Admission(2048);
  await admission.enter(1);
  const leave = await admission.enter(1);
  let entered = false;
  const third = admission.enter(1).then(() => entered = true);
  await Promise.resolve();
  assert.equal(entered, false);
  leave();
  await third;
});

Deno.test("Admission.open() lets everybody in", async () => {
  const admission = new Admission(1);
  await admission.enter(1000);
  const waiting = [admission.enter(1000), admission.enter(1000)];
  admission.open();
  await Promise.all(waiting);
  await admission.enter(1000);
});
