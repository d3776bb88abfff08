import assert from "node:assert/strict";
import { type Update, WeightReader } from "../../src/weights/update.ts";
import { bytesOf, floats, named, unaligned, updateOf } from "./sample_tensors.ts";

const global = { ...floats("w", [1, -2, 3]), dtype: "F32" as const };

function weightsOf(update: Update): number[] {
  const reader = new WeightReader(update, global);
  const weights = new Float64Array(reader.length);
  reader.read(0, weights);
  return [...weights];
}

Deno.test("WeightReader.read() gives an update's own weights", () => {
  assert.deepEqual(weightsOf(updateOf("a", [4, 5, 6])), [4, 5, 6]);
});

Deno.test("WeightReader.read() adds a delta to the global model in float64", () => {
  const small = 2 ** -40; // 1 + 2^-40 is no float32
  const update = updateOf("a", [small, 1, 0], { kind: "delta" });
  assert.deepEqual(weightsOf(update), [1 + small, -1, 3]);
});

Deno.test("WeightReader.read() widens F16 and BF16, aligned or not", () => {
  for (const dtype of ["F16", "BF16"] as const) {
    const tensors = named(floats("w", [0.5, -0.25, 96], { dtype }));
    const update = { client: "a", samples: 1, kind: "delta", tensors } as const;
    assert.deepEqual(weightsOf(update), [1.5, -2.25, 99]);
    assert.deepEqual(weightsOf({ ...update, tensors: unaligned(tensors) }), [1.5, -2.25, 99]);
  }
});

Deno.test("WeightReader refuses an update without the tensor, or with another length", () => {
  assert.throws(() => weightsOf(updateOf("a", [1, 2])), TypeError);
  const ints = named(bytesOf("w", "U8", [1, 2, 3]));
  assert.throws(() => weightsOf({ ...updateOf("a", []), tensors: ints }), TypeError);
  assert.throws(() => weightsOf({ ...updateOf("a", []), tensors: new Map() }), TypeError);
});
