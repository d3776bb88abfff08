import assert from "node:assert/strict";
import { LoopLag } from "../../src/bench/loop_lag.ts";

/** Keeps the event loop from turning. */
function block(ms: number): void {
  const untilMs = performance.now() + ms;
  while (performance.now() < untilMs);
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

Deno.test("LoopLag sees how long the event loop did not turn, until it is told to forget", async () => {
  using lag = new LoopLag();
  block(20);
  await turn();
  assert.ok(lag.longestMs >= 18, `${lag.longestMs}`);
  lag.restart();
  assert.equal(lag.longestMs, 0);
});
