import assert from "node:assert/strict";
import { HEARTBEAT_FRAME } from "../../../src/protocols/amqp/frames.ts";
import { Pulse } from "../../../src/protocols/amqp/pulse.ts";

const INTERVAL_MS = 1_000_000; // the test checks by itself, long before the timer does

/** A connection's end: what it wrote, and whether it reads. */
function pulse() {
  const state = { now: 0, listens: true, deaths: 0 };
  const outbox = {
    writtenBytes: 0,
    waitingBytes: 0,
    stalled: false,
    pushed: [] as Uint8Array[],
    push: (octets: Uint8Array) => void outbox.pushed.push(octets),
  };
  const beating = new Pulse({
    intervalMs: INTERVAL_MS,
    outbox,
    now: () => state.now,
    listens: () => state.listens,
    dead: () => state.deaths++,
  });
  const pass = (intervals: number) => {
    for (let half = 0; half < 2 * intervals; half++) {
      state.now += INTERVAL_MS / 2;
      beating.check();
    }
  };
  return { state, outbox, beating, pass };
}

Deno.test("Pulse sends heartbeats while nothing else is sent", () => {
  const { outbox, beating, pass } = pulse();
  pass(0.5);
  assert.deepEqual(outbox.pushed, [HEARTBEAT_FRAME]);
  outbox.writtenBytes += 8;
  pass(0.5);
  assert.equal(outbox.pushed.length, 1);
  outbox.waitingBytes = 100; // what waits says as much
  pass(0.5);
  assert.equal(outbox.pushed.length, 1);
  beating.close();
});

Deno.test("Pulse finds a silent peer dead, once it has listened for three intervals", () => {
  const { state, beating, pass } = pulse();
  pass(2.5);
  beating.heard();
  pass(2.5);
  assert.equal(state.deaths, 0);
  state.listens = false; // the coordinator holds the connection back
  pass(10);
  assert.equal(state.deaths, 0);
  state.listens = true;
  pass(2.5);
  assert.equal(state.deaths, 0);
  pass(0.5);
  assert.equal(state.deaths, 1);
  beating.close();
});

Deno.test("Pulse does not count a silence in which it could not listen", () => {
  const { state, beating, pass } = pulse();
  state.now += 10 * INTERVAL_MS;
  beating.check();
  pass(2.5);
  assert.equal(state.deaths, 0);
  pass(0.5);
  assert.equal(state.deaths, 1);
  beating.close();
});

Deno.test("Pulse takes a peer for alive that takes octets while it is waited for", () => {
  const { state, outbox, beating, pass } = pulse();
  outbox.stalled = true;
  for (let count = 0; count < 10; count++) {
    outbox.writtenBytes += 1;
    pass(1);
  }
  assert.equal(state.deaths, 0);
  pass(3);
  assert.ok(state.deaths > 0);
  beating.close();
});
