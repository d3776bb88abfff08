import assert from "node:assert/strict";
import { Heartbeat } from "../../../src/protocols/amqp/heartbeat.ts";

function heartbeatAt() {
  const clock = { now: 0 };
  return { clock, heartbeat: new Heartbeat(1000, () => clock.now) };
}

Deno.test("Heartbeat.check asks for a beat once nothing was sent for half an interval", () => {
  const { clock, heartbeat } = heartbeatAt();
  clock.now = 499;
  assert.equal(heartbeat.check(), "quiet");
  clock.now = 500;
  assert.equal(heartbeat.check(), "beat");
  heartbeat.sent();
  assert.equal(heartbeat.check(), "quiet");
});

Deno.test("Heartbeat.check finds a peer dead after three silent intervals, and no sooner (§4.2.7)", () => {
  const { clock, heartbeat } = heartbeatAt();
  clock.now = 2999;
  assert.equal(heartbeat.check(), "beat");
  clock.now = 3000;
  assert.equal(heartbeat.check(), "dead");
});

Deno.test("Heartbeat.heard keeps a peer alive, whatever it said", () => {
  const { clock, heartbeat } = heartbeatAt();
  clock.now = 1500;
  heartbeat.heard();
  clock.now = 4499;
  assert.notEqual(heartbeat.check(), "dead");
});
