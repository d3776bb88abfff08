import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import { Descent } from "../../src/client/descent.ts";

tf.enableProdMode();
await tf.setBackend("cpu");

/** Values of one weight after each of the gradients given. */
function descend(
  start: number,
  gradients: readonly number[],
  rates: { learningRate: number; momentum: number; mu: number },
): number[] {
  return tf.tidy(() => {
    const weight = tf.variable(tf.scalar(start));
    try {
      using descent = new Descent([weight], rates);
      return gradients.map((gradient) => {
        descent.move({ [weight.name]: tf.scalar(gradient) });
        return weight.dataSync()[0] ?? NaN;
      });
    } finally {
      weight.dispose();
    }
  });
}

function assertClose(values: readonly number[], expected: readonly number[]): void {
  assert.equal(values.length, expected.length);
  for (const [i, value] of values.entries()) {
    assert.ok(Math.abs(value - (expected[i] as number)) < 1e-6, `${values}`);
  }
}

Deno.test("Descent.move() goes against the gradient", () => {
  const rates = { learningRate: 0.5, momentum: 0, mu: 0 };
  assertClose(descend(1, [2, -1], rates), [0, 0.5]);
});

Deno.test("Descent.move() keeps a share of its velocity", () => {
  const rates = { learningRate: 1, momentum: 0.5, mu: 0 };
  // Velocities 1, 0.5, 0.25: nothing pushes after the first.
  assertClose(descend(0, [1, 0, 0], rates), [-1, -1.5, -1.75]);
});

Deno.test("Descent.move() adds mu times the way from the start to the gradient", () => {
  const rates = { learningRate: 0.1, momentum: 0, mu: 2 };
  // 3 - 0.1 * (10 + 2 * 0) = 2, then 2 - 0.1 * (0 + 2 * (2 - 3)) = 2.2, then 2.36 towards 3.
  assertClose(descend(3, [10, 0, 0], rates), [2, 2.2, 2.36]);
});

Deno.test("Descent.move() leaves weights without a gradient where they are", () => {
  tf.tidy(() => {
    const weight = tf.variable(tf.scalar(4));
    using descent = new Descent([weight], { learningRate: 1, momentum: 0.9, mu: 1 });
    descent.move({});
    assert.equal(weight.dataSync()[0], 4);
    weight.dispose();
  });
});
