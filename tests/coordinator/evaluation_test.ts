import assert from "node:assert/strict";
import fc from "fast-check";
import { Evaluation, evaluationTaskId } from "../../src/coordinator/evaluation.ts";

Deno.test("evaluate tasks have odd ids, one for each round", () => {
  assert.deepEqual([0, 1, 2].map(evaluationTaskId), [1, 3, 5]);
});

Deno.test("Evaluation is complete once each client has answered or left", () => {
  const evaluation = new Evaluation(1, ["a", "b", "c"]);
  assert.equal(evaluation.answer("a", { samples: 1, metrics: {} }), "taken");
  evaluation.lose("b");
  assert.equal(evaluation.complete, false);
  assert.equal(evaluation.answer("c", { samples: 1, metrics: {} }), "taken");
  assert.equal(evaluation.complete, true);
  assert.equal(evaluation.answers, 2);
});

Deno.test("Evaluation.answer() counts nobody twice, and no stranger", () => {
  const evaluation = new Evaluation(1, ["a", "b"]);
  const answer = { samples: 10, metrics: { loss: 1 } };
  evaluation.answer("a", answer);
  assert.equal(evaluation.answer("a", { samples: 10, metrics: { loss: 5 } }), "duplicate");
  assert.equal(evaluation.answer("stranger", answer), "stranger");
  evaluation.lose("b");
  assert.equal(evaluation.answer("b", answer), "stranger");
  assert.deepEqual(evaluation.mean(), answer);
});

Deno.test("Evaluation.mean() weighs by samples, each metric over those who have it", () => {
  const evaluation = new Evaluation(1, ["a", "b", "c"]);
  evaluation.answer("a", { samples: 10, metrics: { loss: 1, accuracy: 0.5 } });
  evaluation.answer("b", { samples: 30, metrics: { loss: 3 } });
  evaluation.answer("c", { samples: 10, metrics: { accuracy: 1 } });
  assert.deepEqual(evaluation.mean(), {
    samples: 50,
    metrics: { loss: 2.5, accuracy: 0.75 },
  });
});

Deno.test("Evaluation.mean() is empty where nobody has answered", () => {
  assert.deepEqual(new Evaluation(1, ["a"]).mean(), { samples: 0, metrics: {} });
});

Deno.test("Evaluation.mean() is the same to the bit, whatever the order of the answers", () => {
  const answers = fc.array(
    fc.record({ samples: fc.integer({ min: 1, max: 1000 }), loss: fc.double({ noNaN: true }) }),
    { minLength: 1, maxLength: 8 },
  );
  fc.assert(fc.property(answers, fc.infiniteStream(fc.nat()), (answers, dice) => {
    const clients = answers.map((_, index) => `client-${index}`);
    const mean = (order: readonly number[]) => {
      const evaluation = new Evaluation(1, clients);
      for (const index of order) {
        const { samples, loss } = answers[index] ?? { samples: 1, loss: 0 };
        evaluation.answer(`client-${index}`, { samples, metrics: { loss } });
      }
      return evaluation.mean();
    };
    const order = answers.map((_, index) => index);
    const shuffled = order.map((index) => ({ index, at: dice.next().value }))
      .sort((left, right) => left.at - right.at).map(({ index }) => index);
    assert.deepEqual(mean(shuffled), mean(order));
  }));
});
