import assert from "node:assert/strict";
import { classCounts } from "../../../src/client/datasets/dataset.ts";
import { openDataset } from "../../../src/client/datasets/mod.ts";

Deno.test("openDataset() reads the 60,000 training images of MNIST", async () => {
  const { length, labels, features, featureShape, classes } = await openDataset("mnist");
  assert.equal(length, 60_000);
  assert.equal(classes, 10);
  assert.deepEqual(featureShape, [28, 28]);
  assert.deepEqual(labels.subarray(0, 5), Int32Array.of(5, 0, 4, 1, 9));
  // The counts of LeCun's own statistics.
  const counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949];
  assert.deepEqual(classCounts(labels, 10), counts);
  assert.equal(features.subarray(0, 784).reduce((most, value) => Math.max(most, value), 0), 1);
});

Deno.test("openDataset() reads the 10,000 test images of MNIST", async () => {
  const { length, labels } = await openDataset("mnist:test");
  assert.equal(length, 10_000);
  assert.deepEqual(labels.subarray(0, 5), Int32Array.of(7, 2, 1, 0, 4));
});

Deno.test("openDataset() deals MNIST into shares that make up the whole", async () => {
  let samples = 0;
  for (const k of [1, 2, 3, 4, 5]) {
    const { length, classes } = await openDataset(`mnist:share=${k}/5,alpha=0.5,seed=1`);
    assert.equal(classes, 10);
    samples += length;
  }
  assert.equal(samples, 60_000);
});
