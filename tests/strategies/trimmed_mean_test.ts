import assert from "node:assert/strict";
import { trimmedMean } from "../../src/strategies/trimmed_mean.ts";
import { type Reply, round } from "./rounds.ts";

function replies(values: readonly number[]): Reply[] {
  return values.map((value, index) => [`client-${index}`, 1 + index, [value]]);
}

Deno.test("trimmedMean() leaves out its share at each end and averages the rest", () => {
  const strategy = trimmedMean({ beta: 0.2 });
  assert.deepEqual(round(strategy, [0], replies([64, 1, 2, 6, -64])), [3]);
});

Deno.test("trimmedMean() of 0 is the plain mean of the clients", () => {
  assert.deepEqual(round(trimmedMean({ beta: 0 }), [0], replies([1, 2, 6])), [3]);
});

Deno.test("trimmedMean() leaves out nobody while its share is less than one client", () => {
  assert.deepEqual(round(trimmedMean({ beta: 0.1 }), [0], replies([1, 2, 6])), [3]);
});

Deno.test("trimmedMean() leaves out floor(beta x clients), unharmed by binary fractions", () => {
  // 0.29 x 100 is 28.999999999999996: with 28 instead of 29 left out, a liar would count.
  const liars = Array<number>(29).fill(64);
  const honest = Array<number>(71).fill(1);
  assert.deepEqual(round(trimmedMean({ beta: 0.29 }), [0], replies([...liars, ...honest])), [1]);
});

Deno.test("trimmedMean() always leaves a client in", () => {
  for (const clients of [1, 2, 3, 100]) {
    const values = Array<number>(clients).fill(5);
    assert.deepEqual(round(trimmedMean({ beta: 0.499 }), [0], replies(values)), [5]);
  }
});
