import assert from "node:assert/strict";
import { classCounts, joinTable, takeRows } from "../../../src/client/datasets/dataset.ts";

const PATHS = { features: "X", labels: "y" };
const FEATURES = { values: Uint8Array.of(0, 51, 102, 153, 204, 255), shape: [3, 2] };

function labelsOf(...values: number[]) {
  return { values: Float64Array.from(values), shape: [values.length] };
}

Deno.test("joinTable() counts classes up to the largest label", () => {
  const table = joinTable(FEATURES, labelsOf(0, 4, 1), PATHS);
  assert.equal(table.classes, 5);
  assert.deepEqual(table.labels, Int32Array.of(0, 4, 1));
});

Deno.test("joinTable() takes labels in a column", () => {
  const labels = { values: Int32Array.of(0, 1, 2), shape: [3, 1] };
  assert.equal(joinTable(FEATURES, labels, PATHS).classes, 3);
});

for (
  const [what, features, labels, message] of [
    ["other numbers of samples", FEATURES, labelsOf(0, 1), /X holds 3 samples but y holds 2/],
    ["several labels a sample", FEATURES, FEATURES, /one label for each sample/],
    ["a label with a fraction", FEATURES, labelsOf(0, 0.5, 1), /y: label 2 is 0\.5/],
    ["a label below zero", FEATURES, labelsOf(-1, 0, 1), /y: label 1 is -1/],
    ["no samples", { ...FEATURES, shape: [0, 2] }, labelsOf(), /X holds no samples/],
  ] as const
) {
  Deno.test(`joinTable() refuses ${what}`, () => {
    assert.throws(() => joinTable(features, labels, PATHS), { name: "DatasetError", message });
  });
}

Deno.test("takeRows() divides features and keeps the shape of a sample", () => {
  const table = joinTable(FEATURES, labelsOf(0, 1, 2), PATHS);
  const dataset = takeRows(table, { divisor: 51, name: "X" });
  assert.deepEqual(dataset, {
    features: Float32Array.of(0, 1, 2, 3, 4, 5),
    labels: Int32Array.of(0, 1, 2),
    featureShape: [2],
    classes: 3,
    length: 3,
  });
});

Deno.test("takeRows() takes the rows asked for, in their order, and knows all classes", () => {
  const table = joinTable(FEATURES, labelsOf(0, 1, 2), PATHS);
  const dataset = takeRows(table, { rows: Uint32Array.of(1, 0), divisor: 51, name: "X" });
  assert.deepEqual(dataset.features, Float32Array.of(2, 3, 0, 1));
  assert.deepEqual(dataset.labels, Int32Array.of(1, 0));
  assert.equal(dataset.classes, 3);
});

Deno.test("takeRows() refuses features that are not finite, and names them", () => {
  const features = { values: Float64Array.of(1, 2, 3, 1e300), shape: [2, 2] };
  const table = joinTable(features, labelsOf(0, 1), PATHS);
  assert.throws(() => takeRows(table, { divisor: 1, name: "X" }), {
    name: "DatasetError",
    message: "X: feature 2 of sample 2 is not a finite float32 number",
  });
});

Deno.test("classCounts() counts each class", () => {
  assert.deepEqual(classCounts(Int32Array.of(0, 2, 2), 4), [1, 0, 2, 0]);
});
