import assert from "node:assert/strict";
import { KeepAlive } from "../../../src/protocols/mqtt/keep_alive.ts";
import { ManualClock } from "./manual_clock.ts";

function watched() {
  const clock = new ManualClock();
  let losses = 0;
  const keepAlive = new KeepAlive(1000, () => losses++, clock);
  return { clock, keepAlive, losses: () => losses };
}

Deno.test("KeepAlive gives a connection up after its limit, once", () => {
  const { clock, losses } = watched();
  clock.pass(999);
  assert.equal(losses(), 0);
  clock.pass(1);
  assert.equal(losses(), 1);
  clock.pass(10_000);
  assert.equal(losses(), 1);
  assert.equal(clock.alarms, 0);
});

Deno.test("KeepAlive.heard() puts the end off, with one alarm however often", () => {
  const { clock, keepAlive, losses } = watched();
  for (let round = 0; round < 10; round++) {
    clock.pass(900);
    keepAlive.heard();
    assert.equal(clock.alarms, 1);
  }
  assert.equal(losses(), 0);
  clock.pass(1000);
  assert.equal(losses(), 1);
});

Deno.test("KeepAlive.deaf() does not count a silence that is not the client's", () => {
  const { clock, keepAlive, losses } = watched();
  keepAlive.deaf();
  clock.pass(60_000);
  assert.equal(losses(), 0);
  keepAlive.heard();
  clock.pass(999);
  assert.equal(losses(), 0);
  clock.pass(1);
  assert.equal(losses(), 1);
});

Deno.test("KeepAlive does not count a silence in which it could not listen", () => {
  let nowMs = 0;
  let wake = () => {};
  const clock = {
    now: () => nowMs,
    after: (_ms: number, act: () => void) => {
      wake = act;
      return () => {};
    },
  };
  let losses = 0;
  using _ = new KeepAlive(1000, () => losses++, clock);
  nowMs = 4000;
  wake(); // three seconds late
  assert.equal(losses, 0);
  nowMs = 5000;
  wake();
  assert.equal(losses, 1);
});

Deno.test("KeepAlive leaves no alarm behind", () => {
  const { clock, keepAlive, losses } = watched();
  keepAlive[Symbol.dispose]();
  clock.pass(5000);
  assert.equal(losses(), 0);
  assert.equal(clock.alarms, 0);
});
