import assert from "node:assert/strict";
import { serverOptimizer } from "../../src/strategies/fedopt.ts";
import { STRATEGIES } from "../../src/strategies/mod.ts";
import type { GlobalModel, Strategy } from "../../src/strategies/strategy.ts";
import { floats, named, updateOf } from "../weights/sample_tensors.ts";
import { valuesOf } from "./rounds.ts";

/** Takes the mean as the next weights and remembers the last pseudo-gradient. */
function recorder(): Strategy {
  return serverOptimizer({
    name: "recorder",
    moments: { last: 7, untouched: -1 },
    step(weights, delta, [last = new Float64Array()]) {
      last.set(delta);
      for (let i = 0; i < weights.length; i++) weights[i] = (weights[i] ?? 0) + (delta[i] ?? 0);
    },
  });
}

function model(...values: number[]): GlobalModel {
  return { round: 4, tensors: named(floats("w", values)) };
}

Deno.test("serverOptimizer() takes the pseudo-gradient before the mean is rounded to F32", () => {
  const strategy = recorder();
  const aggregation = strategy.aggregate(model(1), 5, { totalSamples: 8 });
  aggregation.add(updateOf("a", [1], { samples: 7 }));
  aggregation.add(updateOf("b", [1 + 2 ** -23]));
  const { round, tensors } = aggregation.finish();
  assert.equal(round, 5);
  assert.deepEqual(valuesOf(tensors, "w"), [1]);
  assert.deepEqual(valuesOf(strategy.state?.() ?? new Map(), "last/w"), [2 ** -26]);
});

Deno.test("serverOptimizer() begins each moment at its value and names it after the tensor", () => {
  const strategy = recorder();
  assert.equal(strategy.state?.().size, 0);
  const aggregation = strategy.aggregate(model(1, 2), 5, { totalSamples: 1 });
  aggregation.add(updateOf("a", [1, 2]));
  aggregation.finish();
  const state = strategy.state?.() ?? new Map();
  assert.deepEqual([...state.keys()], ["last/w", "untouched/w"]);
  assert.deepEqual(valuesOf(state, "untouched/w"), [-1, -1]);
});

Deno.test("serverOptimizer() keeps the moments of a round that finished before the next one opened", () => {
  const strategy = recorder();
  const early = strategy.aggregate(model(1), 5, { totalSamples: 1 });
  const late = strategy.aggregate(model(1), 6, { totalSamples: 1 });
  early.add(updateOf("a", [3]));
  early.finish();
  late.finish();
  assert.deepEqual(valuesOf(strategy.state?.() ?? new Map(), "last/w"), [2]);
});

Deno.test("serverOptimizer() never makes a model of NaN or infinity, whatever the steps add up to", () => {
  for (const name of ["fedavgm", "fedadam", "fedyogi", "fedadagrad"] as const) {
    const strategy = STRATEGIES[name].create({ eta: 1e300 });
    let tensors = named(floats("w", [1e300, -1e300, 0, 1e-300], { dtype: "F64" }));
    for (let round = 1; round <= 6; round++) {
      const values = round % 2 === 0 ? [-1e300, 1e300, 0, 1] : [1e300, 1e300, 1, -1];
      const aggregation = strategy.aggregate({ round: round - 1, tensors }, round, {
        totalSamples: 1,
      });
      const update = named(floats("w", values, { dtype: "F64" }));
      assert.equal(
        aggregation.add({ client: "a", samples: 1, kind: "weights", tensors: update }),
        undefined,
      );
      const next = aggregation.finish().tensors;
      assert.ok(valuesOf(next, "w").every(Number.isFinite), `${name}, round ${round}`);
      for (const key of strategy.state?.().keys() ?? []) {
        assert.ok(valuesOf(strategy.state?.() ?? new Map(), key).every(Number.isFinite), key);
      }
      // A model at the end of float64 could not be summed: the next round begins at a usable one.
      tensors = named(floats("w", values, { dtype: "F64" }));
    }
  }
});
