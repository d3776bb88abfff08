import assert from "node:assert/strict";
import { Admission } from "../../src/weights/admission.ts";
import type { NamedTensors } from "../../src/weights/tensors.ts";
import type { Update } from "../../src/weights/update.ts";
import { bytesOf, floats, named, updateOf } from "./sample_tensors.ts";

function admission(global: NamedTensors = named(floats("w", [1, 2, 3]))): Admission {
  return new Admission(global, { totalSamples: 10 });
}

function updateWith(tensors: NamedTensors, kind: Update["kind"] = "weights"): Update {
  return { client: "a", samples: 1, kind, tensors };
}

Deno.test("Admission.check() passes an update of the model's form within its bounds", () => {
  assert.equal(admission().check(updateOf("a", [3072, -3072, 0])), undefined);
});

Deno.test("Admission.check() refuses another shape", () => {
  assert.equal(admission().check(updateOf("a", [1, 2]))?.reason, "wrong_shape");
});

Deno.test("Admission.check() names the first value that is not finite, and its index", () => {
  for (const bad of [NaN, Infinity, -Infinity]) {
    for (const kind of ["weights", "delta"] as const) {
      assert.deepEqual(admission().check(updateOf("a", [1, 2, bad], { kind })), {
        reason: "non_finite",
        detail: `tensor "w" has ${bad} at 2`,
      });
    }
  }
});

Deno.test("Admission.check() finds a bad value in any block of a long tensor", () => {
  const values = Array<number>(5000).fill(0);
  for (const index of [0, 1023, 1024, 4999]) {
    const judged = admission(named(floats("w", values)))
      .check(updateOf("a", values.with(index, NaN)));
    assert.equal(judged?.detail, `tensor "w" has NaN at ${index}`);
  }
});

Deno.test("Admission.check() names a weight beyond the bound", () => {
  assert.deepEqual(admission().check(updateOf("a", [1, 3073, 0])), {
    reason: "out_of_range",
    detail: 'tensor "w" has the weight 3073 at 1, beyond its bound 3072',
  });
});

Deno.test("Admission.check() bounds the weights a delta leads to, not the delta", () => {
  const door = admission();
  assert.equal(door.check(updateOf("a", [0, 0, 3072], { kind: "delta" }))?.reason, "out_of_range");
  assert.equal(door.check(updateOf("a", [0, 0, -3075], { kind: "delta" })), undefined);
});

Deno.test("Admission.check() calls a finite delta that leads to infinity out of range", () => {
  const global = named(floats("w", [1e307], { dtype: "F64" }));
  const tensors = named(floats("w", [1.79e308], { dtype: "F64" }));
  const judged = new Admission(global, { totalSamples: 1 }).check(updateWith(tensors, "delta"));
  assert.equal(judged?.reason, "out_of_range");
});

Deno.test("Admission.check() keeps an F16 model's weights below F16's infinity", () => {
  const global = named(floats("w", [60000], { dtype: "F16" }));
  const tensors = named(floats("w", [60000], { dtype: "F16" }));
  assert.equal(admission(global).check(updateWith(tensors, "delta"))?.reason, "out_of_range");
});

Deno.test("Admission.check() refuses a bool that is neither 0 nor 1", () => {
  const door = admission(named(bytesOf("mask", "BOOL", [0, 1])));
  assert.equal(door.check(updateWith(named(bytesOf("mask", "BOOL", [1, 1])))), undefined);
  assert.deepEqual(door.check(updateWith(named(bytesOf("mask", "BOOL", [1, 2])))), {
    reason: "out_of_range",
    detail: 'tensor "mask" has 2 for a bool at 1',
  });
});

Deno.test("Admission refuses a model that is not finite", () => {
  for (const bad of [NaN, Infinity]) {
    assert.throws(() => admission(named(floats("w", [1, bad]))), RangeError);
  }
});

Deno.test("Admission refuses an F64 model too large to be summed in float64", () => {
  const global = named(floats("w", [1e308], { dtype: "F64" }));
  assert.throws(() => new Admission(global, { totalSamples: 1000 }), RangeError);
});

Deno.test("Admission refuses totalSamples that are no positive integer", () => {
  for (const totalSamples of [0, -1, 1.5, NaN, 2 ** 53]) {
    assert.throws(() => new Admission(new Map(), { totalSamples }), RangeError);
  }
});
