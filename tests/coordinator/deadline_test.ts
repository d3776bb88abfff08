import assert from "node:assert/strict";
import fc from "fast-check";
import { deadlineMs } from "../../src/coordinator/deadline.ts";

const adaptive = { roundTimeoutMs: 600_000, deadlineFactor: 2 };

Deno.test("without a factor the deadline is the round timeout", () => {
  assert.equal(deadlineMs({ roundTimeoutMs: 5000 }, [1, 1, 1, 1], false), 5000);
});

Deno.test("with a factor it follows the 95th percentile of the newest twenty rounds", () => {
  const seconds = [99, ...Array.from({ length: 20 }, (_, index) => 10 + index)];
  assert.equal(deadlineMs(adaptive, seconds, false), 2 * 28_000); // the 19th of 20
  assert.equal(deadlineMs(adaptive, [10, 12, 11], false), 24_000);
});

Deno.test("it is the round timeout until three rounds are known, and where a round was tried before", () => {
  assert.equal(deadlineMs(adaptive, [10, 10], false), 600_000);
  assert.equal(deadlineMs(adaptive, [0, 10, 10], false), 600_000);
  assert.equal(deadlineMs(adaptive, [10, 10, 10], true), 600_000);
});

Deno.test("it is never above the round timeout, nor below a second where that is longer", () => {
  const seconds = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }));
  fc.assert(
    fc.property(
      seconds,
      fc.integer({ min: 1, max: 1_000_000 }),
      fc.double({ min: 1, max: 1000, noNaN: true }),
      fc.boolean(),
      (seconds, roundTimeoutMs, deadlineFactor, again) => {
        const ms = deadlineMs({ roundTimeoutMs, deadlineFactor }, seconds, again);
        assert.ok(ms <= roundTimeoutMs && ms >= Math.min(1000, roundTimeoutMs), `${ms}`);
      },
    ),
  );
});
