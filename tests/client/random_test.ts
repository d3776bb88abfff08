import assert from "node:assert/strict";
import fc from "fast-check";
import { Random } from "../../src/client/random.ts";

Deno.test("Random.next() gives the reference sequence of xoshiro128**", () => {
  // xoshiro128starstar.c 1.1 from the state 1, 2, 3, 4 (also rand_xoshiro's test vector).
  const random = new Random([1, 2, 3, 4]);
  const expected = [11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849];
  assert.deepEqual(Array.from(expected, () => random.next()), expected);
});

Deno.test("Random.seeded() gives another sequence for other seeds or another order of them", () => {
  const sequence = (...seeds: number[]) => {
    const random = Random.seeded(...seeds);
    return [random.next(), random.next(), random.next()].join();
  };
  assert.equal(sequence(1, 2), sequence(1, 2));
  assert.equal(new Set([sequence(1, 2), sequence(2, 1), sequence(1), sequence(-1)]).size, 4);
});

Deno.test("Random.seeded() refuses what is no integer", () => {
  assert.throws(() => Random.seeded(0.5), RangeError);
});

Deno.test("Random.uniform() stays within [0, 1) around a mean of 1/2", () => {
  const random = Random.seeded(1);
  let sum = 0;
  for (let i = 0; i < 10_000; i++) {
    const value = random.uniform();
    assert.ok(value >= 0 && value < 1);
    sum += value;
  }
  assert.ok(Math.abs(sum / 10_000 - 0.5) < 0.01);
});

Deno.test("Random.below() reaches each value about equally often", () => {
  const random = Random.seeded(1);
  const counts = new Array<number>(7).fill(0);
  for (let i = 0; i < 70_000; i++) {
    const value = random.below(7);
    counts[value] = (counts[value] ?? 0) + 1;
  }
  for (const count of counts) assert.ok(Math.abs(count - 10_000) < 500, `${counts}`);
});

for (const shape of [0.5, 1, 3]) {
  Deno.test(`Random.logGamma(${shape}) has the mean and variance of the Gamma distribution`, () => {
    const random = Random.seeded(1);
    let sum = 0;
    let squares = 0;
    const draws = 50_000;
    for (let i = 0; i < draws; i++) {
      const value = Math.exp(random.logGamma(shape));
      sum += value;
      squares += value * value;
    }
    const mean = sum / draws;
    assert.ok(Math.abs(mean / shape - 1) < 0.02, `mean ${mean}`);
    assert.ok(Math.abs((squares / draws - mean * mean) / shape - 1) < 0.05);
  });
}

Deno.test("Random.dirichlet() gives shares that sum to 1, however small alpha is", () => {
  fc.assert(fc.property(
    fc.double({ min: 1e-4, max: 1e4, noNaN: true }),
    fc.integer({ min: 1, max: 20 }),
    fc.integer(),
    (alpha, count, seed) => {
      const shares = Random.seeded(seed).dirichlet(alpha, count);
      assert.ok(shares.every((share) => share >= 0));
      assert.ok(Math.abs(shares.reduce((sum, share) => sum + share, 0) - 1) < 1e-9);
    },
  ));
});

Deno.test("Random.shuffle() keeps each item once", () => {
  fc.assert(fc.property(fc.uint32Array(), fc.integer(), (items, seed) => {
    const shuffled = items.slice();
    Random.seeded(seed).shuffle(shuffled);
    assert.deepEqual(shuffled.sort(), items.slice().sort());
  }));
});
