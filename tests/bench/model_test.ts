import assert from "node:assert/strict";
import { benchModel } from "../../src/bench/model.ts";
import { Fold } from "../../src/weights/fold.ts";
import { decodeSafetensors } from "../../src/weights/safetensors.ts";
import { isRejection, type NamedTensors } from "../../src/weights/tensors.ts";

function tensorsOf(weightBytes: number): NamedTensors {
  const tensors = decodeSafetensors(benchModel(weightBytes));
  assert.ok(!isRejection(tensors));
  return tensors;
}

function valuesOf(tensors: NamedTensors): Float32Array {
  const bytes = tensors.get("weights")?.bytes;
  assert.ok(bytes);
  return new Float32Array(bytes.slice().buffer);
}

Deno.test("benchModel has the weights asked for, each from -1 to 1, hardly two the same", () => {
  const values = valuesOf(tensorsOf(40_000));
  assert.equal(values.length, 10_000);
  assert.ok(values.every((value) => Math.abs(value) <= 1));
  assert.ok(new Set(values).size > 8000);
});

Deno.test("benchModel is the same at each call", () => {
  assert.deepEqual(benchModel(4000), benchModel(4000));
});

Deno.test("benchModel refuses what is no whole number of floats", () => {
  for (const bytes of [0, 6, -4, 1.5]) assert.throws(() => benchModel(bytes), RangeError);
});

Deno.test("benchModel's mean with itself is itself, bit for bit", () => {
  const tensors = tensorsOf(40_000);
  const fold = new Fold(tensors, { totalSamples: 5 });
  for (const client of ["a", "b", "c", "d", "e"]) {
    assert.equal(fold.add({ client, samples: 1, kind: "weights", tensors }), undefined);
  }
  assert.deepEqual(valuesOf(fold.finish()), valuesOf(tensors));
});
