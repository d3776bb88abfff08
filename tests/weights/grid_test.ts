import assert from "node:assert/strict";
import fc from "fast-check";
import { LARGEST_FINITE } from "../../src/weights/convert.ts";
import { accumulate, countWithin, errorBound, gridOf } from "../../src/weights/grid.ts";
import type { FloatDtype } from "../../src/weights/tensors.ts";

function arbitraryGrid() {
  return fc.record({
    dtype: fc.constantFrom<FloatDtype>("F64", "F32", "F16", "BF16"),
    magnitude: fc.double({ min: 0, max: 1, noNaN: true }),
    totalSamples: fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.maxSafeInteger())
      .map((samples) => Math.max(1, Math.abs(samples))),
  }).map(({ dtype, magnitude, totalSamples }) => {
    const largest = magnitude * (dtype === "F64" ? 1e280 : LARGEST_FINITE[dtype]);
    return { dtype, totalSamples, grid: gridOf(dtype, largest, totalSamples) };
  });
}

Deno.test("gridOf() bounds a small tensor by 64 and a large one by 1024 times its largest", () => {
  assert.equal(gridOf("F32", 0, 1).bound, 64);
  assert.equal(gridOf("F32", 0.05, 1).bound, 64);
  assert.equal(gridOf("F32", 1, 1).bound, 1024);
  assert.equal(gridOf("F32", 2.5, 1).bound, 2560);
});

Deno.test("gridOf() never lets weights pass that the dtype cannot hold", () => {
  assert.equal(gridOf("F16", 60000, 1).bound, 65504);
  assert.equal(gridOf("F32", 1e38, 1).bound, LARGEST_FINITE.F32);
  assert.equal(gridOf("BF16", 1e38, 1).bound, LARGEST_FINITE.BF16);
});

Deno.test("gridOf() gives the smallest power of two that is at least total x bound / 2^51", () => {
  fc.assert(fc.property(arbitraryGrid(), ({ grid, totalSamples }) => {
    const due = (totalSamples * grid.bound) / 2 ** 51;
    assert.equal(2 ** Math.round(Math.log2(grid.step)), grid.step);
    assert.ok(grid.step >= due && grid.step / 2 < due);
  }));
});

Deno.test("gridOf() leaves every anchor and every sum finite", () => {
  fc.assert(fc.property(arbitraryGrid(), ({ grid }) => {
    assert.ok(Number.isFinite(2 ** 53 * grid.step));
  }));
});

Deno.test("accumulate() adds whole steps, the nearest ones, at most 2^51 of them a term", () => {
  fc.assert(fc.property(
    arbitraryGrid(),
    fc.double({ min: -1, max: 1, noNaN: true }),
    fc.double({ min: 0, max: 1, noNaN: true }),
    ({ grid, totalSamples }, share, part) => {
      const samples = Math.max(1, Math.floor(part * totalSamples));
      const value = share * grid.bound;
      const sums = new Float64Array(1);
      accumulate(sums, Float64Array.of(value), { samples, grid });
      const steps = (sums[0] ?? NaN) / grid.step;
      assert.ok(Number.isSafeInteger(steps) && Math.abs(steps) <= 2 ** 51);
      assert.ok(Math.abs((samples * value) / grid.step - steps) <= 0.5);
    },
  ));
});

Deno.test("accumulate() takes the bound itself and stops at the next double beyond it", () => {
  const grid = gridOf("F32", 0, 10);
  const over = 64 * (1 + 2 ** -52);
  for (const bad of [over, -over, Infinity, -Infinity, NaN]) {
    const sums = new Float64Array(4);
    assert.equal(accumulate(sums, Float64Array.of(64, -64, bad, 1), { samples: 10, grid }), 2);
    assert.deepEqual([...sums], [640, -640, 0, 0]);
    assert.equal(countWithin(Float64Array.of(64, -64, bad, 1), grid.bound), 2);
  }
  assert.equal(countWithin(Float64Array.of(64, -64), grid.bound), 2);
});

Deno.test("accumulate() with negative samples restores the sums before, to the bit", () => {
  const values = fc.array(fc.double({ min: -64, max: 64, noNaN: true }), {
    minLength: 3,
    maxLength: 3,
  });
  fc.assert(fc.property(values, values, fc.integer({ min: 1, max: 500 }), (a, b, samples) => {
    const grid = gridOf("F32", 0, 1000);
    const sums = new Float64Array(3);
    accumulate(sums, Float64Array.from(a), { samples: 500, grid });
    const before = sums.slice();
    accumulate(sums, Float64Array.from(b), { samples, grid });
    accumulate(sums, Float64Array.from(b), { samples: -samples, grid });
    assert.deepEqual(sums, before);
  }));
});

Deno.test("errorBound() with 200 clients of a tensor of 1 is a thousandth of a float32 ulp", () => {
  const error = errorBound(gridOf("F32", 1, 200 * 600), 200, 200 * 600);
  assert.ok(error < 2 ** -23 / 1000, `${error}`);
});
