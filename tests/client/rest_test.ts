import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { Rest } from "../../src/client/rest.ts";
import { ManualTimers } from "../support/manual_timers.ts";

/** Whether a promise has resolved by now. */
function watch(promise: Promise<void>): { done: boolean } {
  const watched = { done: false };
  promise.then(() => watched.done = true);
  return watched;
}

Deno.test("Rest lasts as long as it should", async () => {
  using timers = new ManualTimers();
  const taken = watch(new Rest().take(1, 300));
  timers.pass(299);
  await turn();
  assert.equal(taken.done, false);
  timers.pass(1);
  await turn();
  assert.equal(taken.done, true);
});

Deno.test("Rest is ended for its own call alone, and leaves no timer", async () => {
  using timers = new ManualTimers();
  const rest = new Rest();
  rest.end(1); // nobody rests
  const taken = watch(rest.take(1, 1e12));
  rest.end(2);
  await turn();
  assert.equal(taken.done, false);
  rest.end(1);
  await turn();
  assert.equal(taken.done, true);
  assert.equal(timers.waiting, 0);
});
