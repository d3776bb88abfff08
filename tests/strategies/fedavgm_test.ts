import assert from "node:assert/strict";
import { fedAvgM } from "../../src/strategies/fedavgm.ts";
import { assertNear, round, valuesOf } from "./rounds.ts";

Deno.test("fedAvgM() goes on with a share of the last round's step", () => {
  const strategy = fedAvgM({ momentum: 0.9, eta: 1 });
  // delta 2, velocity 2
  assertNear(round(strategy, [10], [["a", 1, [11]], ["b", 1, [13]]]), [12]);
  // delta -1, velocity 0.9 x 2 - 1 = 0.8
  assertNear(round(strategy, [12], [["a", 1, [11]]]), [12.8]);
  // delta 0, velocity 0.72
  assertNear(round(strategy, [12.8], [["a", 1, [12.8]]]), [13.52]);
});

Deno.test("fedAvgM() steps by eta times the velocity", () => {
  const strategy = fedAvgM({ momentum: 0.5, eta: 0.1 });
  assertNear(round(strategy, [0], [["a", 1, [10]]]), [1]);
  // delta 9, velocity 0.5 x 10 + 9 = 14
  assertNear(round(strategy, [1], [["a", 1, [10]]]), [2.4]);
});

Deno.test("fedAvgM() has a finite velocity even where an F64 model's steps add up beyond float64", () => {
  const strategy = fedAvgM({ momentum: 0.99, eta: 1e-300 });
  for (let i = 0; i < 40; i++) round(strategy, [1e306], [["a", 1, [1e307]]]);
  assert.deepEqual(valuesOf(strategy.state?.() ?? new Map(), "velocity/w"), [Number.MAX_VALUE]);
});
