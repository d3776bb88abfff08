import assert from "node:assert/strict";
import { fedAvg } from "../../src/strategies/fedavg.ts";
import { fedProx } from "../../src/strategies/fedprox.ts";
import { round } from "./rounds.ts";

Deno.test("fedProx() gives its mu to every trainer in every round", () => {
  const strategy = fedProx({ mu: 0.1 });
  assert.deepEqual(strategy.settings?.(1, "a"), { mu: 0.1 });
  assert.deepEqual(strategy.settings?.(9, "b"), { mu: 0.1 });
});

Deno.test("fedProx() aggregates as fedAvg() does: the proximal term is the trainers'", () => {
  const replies = [["a", 3, [0.1, 0.7]], ["b", 4, [0.2, -0.7]]] as const;
  assert.deepEqual(round(fedProx({ mu: 1 }), [1, 1], replies), round(fedAvg(), [1, 1], replies));
});
