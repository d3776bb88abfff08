import assert from "node:assert/strict";
import fc from "fast-check";
import { DutyCycle } from "../../src/client/duty_cycle.ts";

Deno.test("DutyCycle rests as long as the share asks for, after work worth it", () => {
  let nowMs = 0;
  const duty = new DutyCycle(0.25, () => nowMs);
  nowMs = 49;
  assert.equal(duty.restMs(), 0);
  nowMs = 100;
  assert.equal(duty.restMs(), 300);
});

Deno.test("DutyCycle never rests at a share of one", () => {
  let nowMs = 0;
  const duty = new DutyCycle(1, () => nowMs);
  nowMs = 1e6;
  assert.equal(duty.restMs(), 0);
});

Deno.test("DutyCycle does not take idleness for work", () => {
  let nowMs = 0;
  const duty = new DutyCycle(0.5, () => nowMs);
  nowMs = 1e6;
  duty.begin();
  nowMs += 60;
  assert.equal(duty.restMs(), 60);
});

Deno.test("whatever batches take, work keeps to its share of the time", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.01, max: 1, noNaN: true }),
      fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 50 }),
      (share, batches) => {
        let nowMs = 0;
        let workedMs = 0;
        let unrestedMs = 0;
        const duty = new DutyCycle(share, () => nowMs);
        for (const batchMs of batches) {
          nowMs += batchMs;
          workedMs += batchMs;
          unrestedMs += batchMs;
          const restMs = duty.restMs();
          nowMs += restMs;
          if (restMs === 0) continue;
          unrestedMs = 0;
          duty.begin();
        }
        // Up to work that is too short to rest after.
        assert.ok(share === 1 || unrestedMs < 50);
        assert.ok(workedMs - unrestedMs <= share * nowMs + 1e-6);
      },
    ),
  );
});
