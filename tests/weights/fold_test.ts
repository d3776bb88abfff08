import assert from "node:assert/strict";
import fc from "fast-check";
import { LARGEST_FINITE, widen } from "../../src/weights/convert.ts";
import { Fold } from "../../src/weights/fold.ts";
import { errorBound, gridOf } from "../../src/weights/grid.ts";
import {
  dtypeBytes,
  type FloatDtype,
  isFloatTensor,
  type NamedTensors,
} from "../../src/weights/tensors.ts";
import type { Update } from "../../src/weights/update.ts";
import { exact, isWithin } from "./rational.ts";
import { bytesOf, floats, named, plain, unaligned, updateOf } from "./sample_tensors.ts";

const FLOAT_DTYPES = ["F64", "F32", "F16", "BF16"] as const;

function fold(global: NamedTensors, updates: readonly Update[], totalSamples = 1000): Fold {
  const fold = new Fold(global, { totalSamples });
  for (const update of updates) assert.equal(fold.add(update), undefined);
  return fold;
}

function valuesOf(tensors: NamedTensors, name = "w"): number[] {
  const tensor = tensors.get(name);
  if (tensor === undefined || !isFloatTensor(tensor)) assert.fail(`no floats ${name}`);
  return [...widen(tensor)];
}

/** A model of two float tensors of one dtype and a counter, and some clients' updates of it. */
interface Round {
  readonly global: NamedTensors;
  readonly updates: readonly Update[];
  readonly totalSamples: number;
  readonly dtype: FloatDtype;
}

const LENGTH = 3;

/** Magnitudes from nothing to the bound of a model of magnitude 1, with ties of the grid among them. */
function arbitraryWeight(): fc.Arbitrary<number> {
  return fc.oneof(
    fc.double({ min: -1, max: 1, noNaN: true }),
    fc.double({ min: -1000, max: 1000, noNaN: true }),
    fc.integer({ min: -9, max: 9 }).map((odd) => (2 * odd + 1) * 2 ** -42),
    fc.constantFrom(0, -0, 1e-30, 1000, -1000),
  );
}

function arbitraryRound(): fc.Arbitrary<Round> {
  const values = fc.array(arbitraryWeight(), { minLength: 2 * LENGTH, maxLength: 2 * LENGTH });
  const contribution = fc.record({
    values,
    samples: fc.integer({ min: 1, max: 90 }),
    isDelta: fc.boolean(),
    isAligned: fc.boolean(),
    isHalf: fc.boolean(),
    step: fc.nat({ max: 255 }),
  });
  return fc.record({
    dtype: fc.constantFrom<FloatDtype>(...FLOAT_DTYPES),
    start: fc.array(fc.double({ min: -1, max: 1, noNaN: true }), {
      minLength: LENGTH,
      maxLength: LENGTH,
    }),
    contributions: fc.array(contribution, { minLength: 1, maxLength: 8 }),
    spare: fc.nat({ max: 1000 }),
  }).map(({ dtype, start, contributions, spare }) => {
    const global = named(
      floats("w", [1, ...start.slice(1)], { dtype }),
      bytesOf("step", "U8", [0]),
      floats("b", [1, ...start.slice(1)], { dtype }),
    );
    const updates = contributions.map((contribution, index): Update => {
      const sent = dtype === "F32" && contribution.isHalf ? "F16" : dtype;
      // A delta must not lead beyond the bound either.
      const scale = contribution.isDelta ? 0.5 : 1;
      const scaled = contribution.values.map((value) => value * scale);
      const tensors = named(
        floats("b", scaled.slice(LENGTH), { dtype: sent }),
        bytesOf("step", "U8", [contribution.step]),
        floats("w", scaled.slice(0, LENGTH), { dtype: sent }),
      );
      return {
        client: `client-${index}`,
        samples: contribution.samples,
        kind: contribution.isDelta ? "delta" : "weights",
        tensors: contribution.isAligned ? tensors : unaligned(tensors),
      };
    });
    const declared = contributions.reduce((sum, { samples }) => sum + samples, 0);
    return { global, updates, totalSamples: declared + spare, dtype };
  });
}

/** A round, its updates in another order, and a place for each of them in one of three folds. */
function arbitraryShuffle() {
  return arbitraryRound().chain((round) =>
    fc.record({
      round: fc.constant(round),
      shuffled: fc.shuffledSubarray([...round.updates], { minLength: round.updates.length }),
      places: fc.array(fc.nat({ max: 2 }), {
        minLength: round.updates.length,
        maxLength: round.updates.length,
      }),
      mergeOrder: fc.shuffledSubarray([0, 1, 2], { minLength: 3 }),
    })
  );
}

Deno.test("Fold.finish() gives the same bits for any order of the updates", () => {
  fc.assert(fc.property(arbitraryShuffle(), ({ round, shuffled }) => {
    const { global, updates, totalSamples } = round;
    const one = fold(global, updates, totalSamples).finish();
    const other = fold(global, shuffled, totalSamples).finish();
    assert.deepEqual(plain(other), plain(one));
  }));
});

Deno.test("Fold.merge() gives the same bits for any split over folds, merged in any order", () => {
  fc.assert(fc.property(arbitraryShuffle(), ({ round, shuffled, places, mergeOrder }) => {
    const { global, updates, totalSamples } = round;
    const one = fold(global, updates, totalSamples).finish();
    const parts = [0, 1, 2].map((place) =>
      fold(global, shuffled.filter((_, index) => places[index] === place), totalSamples)
    );
    const whole = new Fold(global, { totalSamples });
    for (const place of mergeOrder) {
      const part = parts[place]?.partial();
      // As it comes out of a Worker.
      if (part !== undefined) whole.merge(structuredClone(part));
    }
    assert.deepEqual(plain(whole.finish()), plain(one));
    assert.equal(whole.samples, fold(global, updates, totalSamples).samples);
  }));
});

Deno.test("Fold.finish() is within the stated error of exact arithmetic", () => {
  fc.assert(fc.property(arbitraryRound(), ({ global, updates, totalSamples, dtype }) => {
    const samples = updates.reduce((sum, update) => sum + update.samples, 0);
    // Seen before the rounding to the dtype, which is not the fold's.
    const means = new Map<string, Float64Array>();
    fold(global, updates, totalSamples).finish((tensor, mean) => {
      means.set(tensor.name, mean.slice());
      return mean;
    });
    for (const name of ["w", "b"]) {
      const start = valuesOf(global, name);
      const limit = errorBound(gridOf(dtype, 1, totalSamples), updates.length, samples);
      for (let i = 0; i < LENGTH; i++) {
        let sum = 0n;
        for (const update of updates) {
          const base = update.kind === "delta" ? exact(start[i] ?? NaN) : 0n;
          const own = exact(valuesOf(update.tensors, name)[i] ?? NaN);
          sum += (base + own) * BigInt(update.samples);
        }
        assert.ok(isWithin(means.get(name)?.[i] ?? NaN, { sum, count: samples, limit }));
      }
    }
  }));
});

Deno.test("Fold.finish() of terms that all sit on ties and at the bound is as exact and ordered", () => {
  // The largest round that a grid carries: every client at the bound, with all declared samples.
  const global = named(floats("w", [0], { dtype: "F64" }));
  const updates = Array.from({ length: 200 }, (_, index): Update => ({
    client: `client-${index}`,
    samples: 2 ** 43 + index,
    kind: "weights",
    tensors: named(floats("w", [index % 2 === 0 ? 64 : 64 - 2 ** -46], { dtype: "F64" })),
  }));
  const totalSamples = updates.reduce((sum, { samples }) => sum + samples, 0);
  assert.ok(Number.isSafeInteger(totalSamples));
  const one = valuesOf(fold(global, updates, totalSamples).finish());
  assert.deepEqual(valuesOf(fold(global, updates.toReversed(), totalSamples).finish()), one);
  const sum = updates.reduce(
    (sum, update) => sum + BigInt(update.samples) * exact(valuesOf(update.tensors)[0] ?? NaN),
    0n,
  );
  const limit = errorBound(gridOf("F64", 0, totalSamples), updates.length, totalSamples);
  assert.ok(isWithin(one[0] ?? NaN, { sum, count: totalSamples, limit }));
});

Deno.test("Fold.finish() weighs by samples", () => {
  const global = named(floats("w", [0, 0]));
  const updates = [updateOf("a", [1, 10], { samples: 3 }), updateOf("b", [5, -2])];
  assert.deepEqual(valuesOf(fold(global, updates).finish()), [2, 7]);
});

Deno.test("Fold.finish() of one update of F32 weights is that update, to the bit", () => {
  const values = [0.1, -1 / 3, 0.7071067811865476, 1].map(Math.fround);
  const global = named(floats("w", [0, 0, 0, 0]));
  const model = fold(global, [updateOf("a", values, { samples: 7 })], 7).finish();
  assert.deepEqual(valuesOf(model), values);
});

Deno.test("Fold.finish() of deltas is the global model plus their mean", () => {
  const global = named(floats("w", [10, 20]));
  const updates = [
    updateOf("a", [1, -4], { kind: "delta" }),
    updateOf("b", [3, 0], { kind: "delta" }),
  ];
  assert.deepEqual(valuesOf(fold(global, updates).finish()), [12, 18]);
});

Deno.test("Fold.finish() keeps the model's order, dtypes and shapes", () => {
  const global = named(
    floats("a", [1, 2], { dtype: "F32", shape: [2, 1] }),
    bytesOf("n", "I32", [1, 0, 0, 0], []),
    floats("h", [1], { dtype: "BF16" }),
    floats("none", [], { shape: [0, 3] }),
  );
  const tensors = new Map([...global].reverse());
  const model = fold(global, [{ client: "a", samples: 1, kind: "weights", tensors }]).finish();
  assert.deepEqual(plain(model), plain(global));
});

Deno.test("Fold.finish() without updates gives the global tensors themselves", () => {
  const global = named(floats("w", [0.1, -0]), bytesOf("n", "U8", [3]));
  assert.equal(fold(global, []).finish(), global);
});

Deno.test("Fold.finish() of an empty model is an empty model", () => {
  const update = { client: "a", samples: 1, kind: "weights", tensors: new Map() } as const;
  assert.equal(fold(new Map(), [update]).finish().size, 0);
});

Deno.test("Fold.finish() is exact to the grid of the declared samples when only few of them come", () => {
  const global = named(floats("w", [0]));
  const totalSamples = 1_000_000;
  fold(global, [updateOf("a", [0.1])], totalSamples).finish((_, mean) => {
    const sum = exact(Math.fround(0.1));
    const limit = errorBound(gridOf("F32", 0, totalSamples), 1, 1);
    assert.ok(isWithin(mean[0] ?? NaN, { sum, count: 1, limit }));
    return mean;
  });
});

Deno.test("Fold.finish() never rounds a mean beyond the bound: the largest F32 stays finite", () => {
  // Of 2^30 declared samples one comes: the grid's step is 2^107, that of F32 there 2^104.
  const largest = LARGEST_FINITE.F32;
  const global = named(floats("w", [largest]));
  const model = fold(global, [updateOf("a", [largest])], 2 ** 30).finish();
  assert.deepEqual(valuesOf(model), [largest]);
});

Deno.test("Fold carries integers and bools from the update with most samples", () => {
  const global = named(bytesOf("n", "I16", [0, 0]), bytesOf("mask", "BOOL", [0]));
  const updates = [1, 5, 3].map((samples): Update => ({
    client: `c${samples}`,
    samples,
    kind: samples === 5 ? "delta" : "weights",
    tensors: named(bytesOf("n", "I16", [samples, 255]), bytesOf("mask", "BOOL", [samples % 2])),
  }));
  const model = fold(global, updates).finish();
  assert.deepEqual([...model.get("n")?.bytes ?? []], [5, 255]);
  assert.deepEqual([...model.get("mask")?.bytes ?? []], [1]);
});

Deno.test("Fold carries integers from the lowest client id on a tie, by code units", () => {
  const global = named(bytesOf("n", "U8", [0]));
  // By code points "\u{1f600}" comes after "\uffee", by code units before.
  const clients = ["b", "a10", "a9", "\uffee", "\u{1f600}"];
  const updates = clients.map((client, index): Update => ({
    client,
    samples: 2,
    kind: "weights",
    tensors: named(bytesOf("n", "U8", [index + 1])),
  }));
  const winner = (list: Update[]) => fold(global, list).finish().get("n")?.bytes[0];
  assert.equal(winner(updates), 2);
  assert.equal(winner(updates.toReversed()), 2);
  assert.equal(winner(updates.slice(3)), 5);
});

Deno.test("Fold.add() keeps no reference to the update's bytes", () => {
  const global = named(floats("w", [0]), bytesOf("n", "U8", [0]));
  const tensors = named(floats("w", [1]), bytesOf("n", "U8", [9]));
  const one = fold(global, [{ client: "a", samples: 1, kind: "weights", tensors }]);
  for (const { bytes } of tensors.values()) bytes.fill(0xff);
  assert.deepEqual(valuesOf(one.finish()), [1]);
  assert.equal(one.finish().get("n")?.bytes[0], 9);
});

Deno.test("Fold.add() leaves no trace of an update it refuses, wherever the bad value is", () => {
  const size = 2500;
  const zeros = Array<number>(size).fill(0);
  const global = named(floats("w", zeros), bytesOf("n", "U8", [0]), floats("b", zeros));
  const good = Array.from({ length: size }, (_, i) => Math.fround(Math.sin(i) / 3));
  const updateWith = (client: string, w: number[], b: number[], samples: number): Update => ({
    client,
    samples,
    kind: "weights",
    tensors: named(floats("w", w), bytesOf("n", "U8", [samples]), floats("b", b)),
  });
  const clean = fold(global, [updateWith("a", good, good, 3)]);
  for (const index of [0, 1023, 1024, 2499]) {
    for (const [bad, reason] of [[NaN, "non_finite"], [65, "out_of_range"]] as const) {
      const tried = fold(global, [updateWith("a", good, good, 3)]);
      const spoilt = good.with(index, bad);
      for (const update of [updateWith("x", spoilt, good, 9), updateWith("x", good, spoilt, 9)]) {
        assert.deepEqual(tried.check(update), tried.add(update));
        assert.equal(tried.add(update)?.reason, reason);
      }
      assert.deepEqual(tried.partial(), clean.partial());
      assert.deepEqual(plain(tried.finish()), plain(clean.finish()));
    }
  }
});

Deno.test("Fold.add() takes a client's second try after a refused one", () => {
  const one = new Fold(named(floats("w", [0])), { totalSamples: 1 });
  assert.equal(one.add(updateOf("a", [NaN]))?.reason, "non_finite");
  assert.equal(one.add(updateOf("a", [2])), undefined);
  assert.deepEqual(valuesOf(one.finish()), [2]);
});

Deno.test("Fold.add() refuses another form without reading on", () => {
  const one = new Fold(named(floats("w", [0])), { totalSamples: 1 });
  assert.equal(one.add(updateOf("a", [1, 2]))?.reason, "wrong_shape");
  assert.equal(one.samples, 0);
});

Deno.test("Fold.add() throws when samples exceed what the round declared", () => {
  const one = fold(named(floats("w", [0])), [updateOf("a", [1], { samples: 6 })], 10);
  assert.throws(() => one.add(updateOf("b", [1], { samples: 5 })), RangeError);
  assert.equal(one.add(updateOf("b", [1], { samples: 4 })), undefined);
});

Deno.test("Fold.add() throws on samples that are no positive integer", () => {
  const one = new Fold(named(floats("w", [0])), { totalSamples: 10 });
  for (const samples of [0, -1, 0.5, NaN, Infinity]) {
    assert.throws(() => one.add(updateOf("a", [1], { samples })), RangeError);
  }
});

Deno.test("Fold.add() throws when a client counts twice", () => {
  const one = fold(named(floats("w", [0])), [updateOf("a", [1])]);
  assert.throws(() => one.add(updateOf("a", [1])), TypeError);
  assert.deepEqual(one.clients, ["a"]);
});

Deno.test("Fold.merge() throws on a client in both, on too many samples, on another round", () => {
  const global = named(floats("w", [0]));
  const one = fold(global, [updateOf("a", [1], { samples: 6 })], 10);
  const merging = (other: Fold) => () => one.merge(other.partial());
  assert.throws(merging(fold(global, [updateOf("a", [1])], 10)), TypeError);
  assert.throws(merging(fold(global, [updateOf("b", [1], { samples: 5 })], 10)), RangeError);
  assert.throws(merging(fold(global, [updateOf("b", [1])], 11)), TypeError);
  const coarse = named(floats("w", [100]));
  assert.throws(merging(fold(coarse, [updateOf("b", [1])], 10)), TypeError);
  assert.deepEqual(one.clients, ["a"]);
  assert.deepEqual(valuesOf(one.finish()), [1]);
});

Deno.test("Fold.partial() shares no sums with the fold", () => {
  const one = fold(named(floats("w", [0])), [updateOf("a", [1])]);
  const before = one.partial();
  one.add(updateOf("b", [5]));
  assert.equal(before.samples, 1);
  assert.deepEqual([...before.sums.get("w")?.values ?? []], [1]);
});

Deno.test("Fold.finish() gives the mean in float64 to a move, and brings its weights into the dtype", () => {
  for (const dtype of FLOAT_DTYPES) {
    const global = named(floats("w", [1, 1], { dtype }));
    const tensors = named(floats("w", [2, 2], { dtype }));
    const one = fold(global, [{ client: "a", samples: 1, kind: "weights", tensors }]);
    const model = one.finish((tensor, mean) => {
      assert.equal(tensor.dtype, dtype);
      assert.deepEqual([...mean], [2, 2]);
      return Float64Array.of(Infinity, -Infinity);
    });
    assert.ok(valuesOf(model).every(Number.isFinite), dtype);
    assert.equal(model.get("w")?.bytes.length, 2 * dtypeBytes(dtype));
  }
});
