import assert from "node:assert/strict";
import {
  compareSpecs,
  elementCount,
  isRejection,
  type TensorSpec,
} from "../../src/weights/tensors.ts";

function specs(...list: TensorSpec[]): ReadonlyMap<string, TensorSpec> {
  return new Map(list.map((spec) => [spec.name, spec]));
}

const model = specs(
  { name: "kernel", dtype: "F32", shape: [3, 4] },
  { name: "steps", dtype: "I64", shape: [] },
);

Deno.test("compareSpecs() accepts the same tensors in another order", () => {
  assert.equal(compareSpecs(model, specs(...[...model.values()].reverse())), undefined);
});

Deno.test("compareSpecs() accepts F16 and BF16 for F32", () => {
  for (const dtype of ["F16", "BF16"] as const) {
    const got = new Map(model).set("kernel", { name: "kernel", dtype, shape: [3, 4] });
    assert.equal(compareSpecs(model, got), undefined);
  }
});

Deno.test("compareSpecs() refuses F64 for F32, whose rounding is the client's decision", () => {
  const got = new Map(model).set("kernel", { name: "kernel", dtype: "F64", shape: [3, 4] });
  assert.equal(compareSpecs(model, got)?.reason, "wrong_shape");
});

Deno.test("compareSpecs() refuses F32 for F16", () => {
  const expected = specs({ name: "w", dtype: "F16", shape: [1] });
  const got = specs({ name: "w", dtype: "F32", shape: [1] });
  assert.equal(compareSpecs(expected, got)?.reason, "wrong_shape");
});

Deno.test("compareSpecs() names the tensor and both shapes", () => {
  const got = new Map(model).set("kernel", { name: "kernel", dtype: "F32", shape: [4, 3] });
  assert.deepEqual(compareSpecs(model, got), {
    reason: "wrong_shape",
    detail: 'tensor "kernel" is F32 [4, 3], the model\'s is F32 [3, 4]',
  });
});

Deno.test("compareSpecs() tells ranks apart that have the same extents first", () => {
  const got = new Map(model).set("kernel", { name: "kernel", dtype: "F32", shape: [3, 4, 1] });
  assert.equal(compareSpecs(model, got)?.reason, "wrong_shape");
});

Deno.test("compareSpecs() names a missing tensor", () => {
  const got = new Map(model);
  got.delete("steps");
  assert.equal(compareSpecs(model, got)?.detail, 'tensor "steps" is missing');
});

Deno.test("compareSpecs() names a tensor the model does not have", () => {
  const got = new Map(model).set("more", { name: "more", dtype: "U8", shape: [] });
  assert.equal(compareSpecs(model, got)?.detail, 'tensor "more" is not one of the model\'s');
});

Deno.test("compareSpecs() keeps its sentence short however long a client's name is", () => {
  const name = "n".repeat(1_000_000);
  const got = new Map(model).set(name, { name, dtype: "U8", shape: [] });
  assert.ok((compareSpecs(model, got)?.detail.length ?? Infinity) < 200);
});

Deno.test("elementCount() of a scalar is 1 and of an empty tensor 0, whatever its other extents", () => {
  assert.equal(elementCount([]), 1);
  assert.equal(elementCount([2 ** 40, 0, 2 ** 40]), 0);
});

Deno.test("elementCount() does not wrap or round beyond 2^53", () => {
  assert.equal(elementCount([2 ** 31, 2 ** 22]), Infinity);
  assert.equal(elementCount([2 ** 53 - 1]), 2 ** 53 - 1);
});

Deno.test("isRejection() tells a rejection from tensors", () => {
  assert.equal(isRejection({ reason: "malformed", detail: "" }), true);
  assert.equal(isRejection(new Map([["reason", 1], ["detail", 1]])), false);
});
