import assert from "node:assert/strict";
import { DEFAULT_SETTINGS, readSettings } from "../../src/client/train_settings.ts";

Deno.test("readSettings() fills in the defaults", () => {
  assert.deepEqual(readSettings({}), {
    epochs: DEFAULT_SETTINGS.epochs,
    batchSize: DEFAULT_SETTINGS.batch_size,
    learningRate: DEFAULT_SETTINGS.learning_rate,
    momentum: DEFAULT_SETTINGS.momentum,
    mu: 0,
    seed: 0,
  });
});

Deno.test("readSettings() passes over the settings of others", () => {
  assert.equal(readSettings({ control_variate_scale: 3, epochs: 5 }).epochs, 5);
});

for (
  const [name, value] of [
    ["epochs", 0],
    ["epochs", 1.5],
    ["batch_size", -1],
    ["learning_rate", 0],
    ["learning_rate", Infinity],
    ["momentum", 1],
    ["mu", -1],
    ["mu", NaN],
    ["seed", 0.5],
  ] as const
) {
  Deno.test(`readSettings() refuses ${name} ${value}`, () => {
    assert.throws(() => readSettings({ [name]: value }), {
      name: "TrainerError",
      message: `The task's setting ${name} must not be ${value}`,
    });
  });
}
