import assert from "node:assert/strict";
import { stopReason } from "../../src/coordinator/stopping.ts";

function accuracies(...values: number[]) {
  return values.map((accuracy) => ({ accuracy }));
}

Deno.test("without rules, and without evaluations, a run does not stop", () => {
  assert.equal(stopReason({ metric: "accuracy" }, accuracies(0.1, 1)), undefined);
  assert.equal(stopReason({ metric: "accuracy", target: 0.5 }, []), undefined);
});

Deno.test("a run stops when the metric is as good as the target, whichever way good is", () => {
  const high = { metric: "accuracy", target: 0.9 } as const;
  assert.equal(stopReason(high, accuracies(0.95, 0.89)), undefined);
  assert.equal(stopReason(high, accuracies(0.5, 0.9))?.code, "target");
  const low = { metric: "loss", target: 0.2 } as const;
  assert.equal(stopReason(low, [{ loss: 0.1 }, { loss: 0.3 }]), undefined);
  assert.equal(
    stopReason(low, [{ loss: 0.2 }])?.sentence,
    "loss 0.2 reached the target 0.2",
  );
});

const plateau = { metric: "accuracy", plateau: { rounds: 2, minDelta: 0.01 } } as const;

Deno.test("a plateau is so many evaluations without one that beats the best before them", () => {
  assert.equal(stopReason(plateau, accuracies(0.5, 0.5)), undefined);
  assert.equal(stopReason(plateau, accuracies(0.5, 0.505, 0.509))?.code, "plateau");
  assert.equal(stopReason(plateau, accuracies(0.5, 0.4, 0.511)), undefined);
  assert.equal(stopReason(plateau, accuracies(0.5, 0.511, 0.4)), undefined);
  // The best before, not the last before: a dip makes no progress of its own.
  assert.equal(stopReason(plateau, accuracies(0.5, 0.1, 0.2, 0.3))?.code, "plateau");
});

Deno.test("a falling loss is progress, a rising one is none", () => {
  const loss = { metric: "loss", plateau: { rounds: 2, minDelta: 0.01 } } as const;
  const losses = (...values: number[]) => values.map((value) => ({ loss: value }));
  assert.equal(stopReason(loss, losses(1, 0.9, 0.8)), undefined);
  assert.equal(stopReason(loss, losses(1, 1.1, 1.2))?.code, "plateau");
});

Deno.test("evaluations without the metric do not count", () => {
  const others = [{ loss: 1 }, { loss: 1 }, { loss: 1 }];
  assert.equal(stopReason(plateau, others), undefined);
  assert.equal(stopReason(plateau, [...others, ...accuracies(0.5, 0.6)]), undefined);
});

Deno.test("a plateau with no least improvement goes on only where the metric rises", () => {
  const strict = { metric: "accuracy", plateau: { rounds: 1, minDelta: 0 } } as const;
  assert.equal(stopReason(strict, accuracies(0.5, 0.6)), undefined);
  assert.equal(stopReason(strict, accuracies(0.6, 0.5))?.code, "plateau");
});
