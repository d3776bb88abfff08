import assert from "node:assert/strict";
import { Window } from "../../../src/protocols/mqtt/window.ts";

Deno.test("Window.take() stops at the Receive Maximum until something is acknowledged", () => {
  const window = new Window(3);
  assert.deepEqual([1, 2, 3].map(() => window.take("answer")), [1, 2, 3]);
  assert.equal(window.take("answer"), undefined);
  assert.ok(window.release(2));
  assert.equal(window.take("answer"), 4);
});

Deno.test("Window.take() keeps a quarter for answers", () => {
  const window = new Window(8);
  for (let id = 1; id <= 6; id++) assert.equal(window.take("send"), id);
  assert.equal(window.take("send"), undefined);
  assert.equal(window.take("answer"), 7);
  assert.equal(window.take("answer"), 8);
  assert.equal(window.take("answer"), undefined);
});

Deno.test("Window.take() serves a client that takes one at a time", () => {
  const window = new Window(1);
  assert.equal(window.take("send"), 1);
  assert.equal(window.take("answer"), undefined);
  window.release(1);
  assert.equal(window.take("answer"), 2);
});

Deno.test("Window.take() goes round the identifiers and passes over those in flight", () => {
  const window = new Window(10);
  const held = window.take("send");
  assert.equal(held, 1);
  for (let turn = 0; turn < 65_534; turn++) window.release(window.take("send") ?? 0);
  assert.equal(window.take("send"), 2); // 0 is no identifier, 1 is in flight
});

Deno.test("Window.release() tells an identifier that was not in flight", () => {
  assert.equal(new Window(1).release(1), false);
});
