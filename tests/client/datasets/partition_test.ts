import assert from "node:assert/strict";
import fc from "fast-check";
import { classCounts } from "../../../src/client/datasets/dataset.ts";
import { partitionByLabel } from "../../../src/client/datasets/partition.ts";

const arbitrary = fc.record({
  labels: fc.array(fc.nat(5), { minLength: 12, maxLength: 200 }).map((ids) => Int32Array.from(ids)),
  shares: fc.integer({ min: 1, max: 12 }),
  alpha: fc.double({ min: 1e-3, max: 1e3, noNaN: true }),
  seed: fc.integer(),
});

Deno.test("partitionByLabel() deals out each row once and leaves no share empty", () => {
  fc.assert(fc.property(arbitrary, ({ labels, ...options }) => {
    const { rows } = partitionByLabel(labels, 6, options);
    assert.equal(rows.length, options.shares);
    assert.ok(rows.every((share) => share.length > 0));
    const all = Uint32Array.from(rows.flatMap((share) => [...share])).sort();
    assert.deepEqual(all, Uint32Array.from(labels.keys()));
  }));
});

Deno.test("partitionByLabel() reports how many samples of each class a share has", () => {
  fc.assert(fc.property(arbitrary, ({ labels, ...options }) => {
    const partition = partitionByLabel(labels, 6, options);
    for (const [i, share] of partition.rows.entries()) {
      const own = Int32Array.from(share, (row) => labels[row] as number);
      assert.deepEqual(partition.classCounts[i], classCounts(own, 6));
    }
  }));
});

Deno.test("partitionByLabel() gives the same partition for the same seed", () => {
  fc.assert(fc.property(arbitrary, ({ labels, ...options }) => {
    assert.deepEqual(partitionByLabel(labels, 6, options), partitionByLabel(labels, 6, options));
  }));
});

const BALANCED = Int32Array.from({ length: 10_000 }, (_, i) => i % 10);

Deno.test("partitionByLabel() gives another partition for another seed", () => {
  const partitionOf = (seed: number) =>
    partitionByLabel(BALANCED, 10, { shares: 5, alpha: 0.5, seed }).rows;
  assert.notDeepEqual(partitionOf(1), partitionOf(2));
});

Deno.test("partitionByLabel() deals nearly equal shares when alpha is large", () => {
  const { classCounts } = partitionByLabel(BALANCED, 10, { shares: 5, alpha: 1e5, seed: 1 });
  for (const count of classCounts.flat()) assert.ok(Math.abs(count - 200) <= 10, `${count}`);
});

Deno.test("partitionByLabel() leaves most shares few classes when alpha is small", () => {
  const { classCounts } = partitionByLabel(BALANCED, 10, { shares: 5, alpha: 0.05, seed: 1 });
  // The fifth of each class that an equal share would have.
  const large = classCounts.flat().filter((count) => count >= 200).length;
  assert.ok(large <= 20, `${large} of 50 counts`);
});

Deno.test("partitionByLabel() refuses more shares than samples", () => {
  assert.throws(
    () => partitionByLabel(Int32Array.of(0, 1), 2, { shares: 3, alpha: 1, seed: 1 }),
    { name: "DatasetError", message: /2 samples cannot be split into 3 shares/ },
  );
});
