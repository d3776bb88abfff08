import assert from "node:assert/strict";
import { Gate } from "../../src/contract/gate.ts";

/** Whether a promise is settled once everything that can run has run. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const { promise: turn, resolve } = Promise.withResolvers<void>();
  setTimeout(resolve);
  return await Promise.race([promise.then(() => true), turn.then(() => false)]);
}

Deno.test("Gate.enter() lets in while less than the limit is held", async () => {
  const gate = new Gate(10);
  await gate.enter();
  gate.hold(9, Promise.withResolvers<void>().promise);
  await gate.enter();
});

Deno.test("Gate.enter() waits while the limit is held, and goes on once something was judged", async () => {
  const gate = new Gate(10);
  const judged = Promise.withResolvers<void>();
  gate.hold(10, judged.promise);
  const entered = gate.enter();
  assert.equal(await isSettled(entered), false);
  judged.resolve();
  await entered;
});

Deno.test("Gate.enter() still waits where what was judged is not enough", async () => {
  const gate = new Gate(10);
  const [large, small] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  gate.hold(15, large.promise);
  gate.hold(2, small.promise);
  const entered = Promise.all([gate.enter(), gate.enter()]);
  small.resolve();
  assert.equal(await isSettled(entered), false);
  large.resolve();
  await entered;
});

Deno.test("Gate lets go of what could not be judged, too", async () => {
  const gate = new Gate(1);
  const judged = Promise.withResolvers<void>();
  gate.hold(1, judged.promise);
  const entered = gate.enter();
  judged.reject(new Error("no verdict"));
  await entered;
});
