import assert from "node:assert/strict";
import fc from "fast-check";
import { readCount, readResult } from "../../src/client/program_result.ts";
import { TrainerError } from "../../src/client/trainer.ts";

Deno.test("readResult() takes what is left out for all samples and no metrics", () => {
  for (const result of [undefined, {}, { note: "mine" }]) {
    assert.deepEqual(readResult(result, 9), { samples: 9, metrics: {} });
  }
  const metrics = { loss: 0.5 };
  assert.deepEqual(readResult({ metrics }, 9), { samples: 9, metrics });
  assert.deepEqual(readResult({ samples: 1 }, 9), { samples: 1, metrics: {} });
});

for (
  const result of [
    null,
    [],
    7,
    { samples: 0 },
    { samples: 1.5 },
    { samples: "9" },
    { samples: 10 },
    { metrics: [] },
    { metrics: { loss: null } },
  ]
) {
  Deno.test(`readResult() refuses ${JSON.stringify(result)}`, () => {
    assert.throws(() => readResult(result, 9), TrainerError);
  });
}

Deno.test("readCount() takes a count that Hello can carry, and nothing else", () => {
  assert.equal(readCount({ samples: 2 ** 32 - 1 }), 2 ** 32 - 1);
  for (const result of [undefined, {}, { samples: 0 }, { samples: 2 ** 32 }, { samples: -1 }]) {
    assert.throws(() => readCount(result), TrainerError);
  }
});

Deno.test("readResult() gives a result or a TrainerError, whatever the JSON", () => {
  fc.assert(fc.property(fc.jsonValue(), (result) => {
    try {
      const { samples, metrics } = readResult(result, 9);
      assert.ok(samples >= 1 && samples <= 9);
      assert.ok(Object.values(metrics).every(Number.isFinite));
    } catch (error) {
      if (!(error instanceof TrainerError)) throw error;
    }
  }));
});
