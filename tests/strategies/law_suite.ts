/** What every strategy holds to, whatever its maths: run by mod_test.ts over the list in mod.ts. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { widen } from "../../src/weights/convert.ts";
import { decodeSafetensors, encodeSafetensors } from "../../src/weights/safetensors.ts";
import { isFloatTensor, isRejection, type NamedTensors } from "../../src/weights/tensors.ts";
import type { Update } from "../../src/weights/update.ts";
import type { GlobalModel, Strategy } from "../../src/strategies/strategy.ts";
import { bytesOf, floats, named, plain } from "../weights/sample_tensors.ts";

export interface Traits {
  /**
   * What a first round does in which all clients agree. `value`: the model becomes their value.
   * `towards`: each weight moves towards it, and not at all where they agree with the model; adaptive
   * optimizers choose the length of the step by its history and not by the distance.
   */
  readonly agreement: "value" | "towards";
  /** Whether k samples weigh as much as k clients. Robust strategies give each client one voice. */
  readonly samplesWeigh: boolean;
  /** Whether it remembers anything from round to round. */
  readonly remembers: boolean;
}

/** Far above the fold's own error with these models, far below any step of a strategy. */
const TOLERANCE = 1e-9;

const LENGTH = 4;

/** F64, so that nothing is hidden by a dtype's rounding; the middle tensor is no float. */
function tensorsOf(values: readonly number[], count = 0): NamedTensors {
  return named(
    floats("kernel", values.slice(0, LENGTH / 2), { dtype: "F64", shape: [LENGTH / 2, 1] }),
    bytesOf("count", "U8", [count]),
    floats("bias", values.slice(LENGTH / 2), { dtype: "F64" }),
  );
}

function valuesOf(tensors: NamedTensors): number[] {
  return [...tensors.values()].filter(isFloatTensor).flatMap((tensor) => [...widen(tensor)]);
}

function arbitraryValues(): fc.Arbitrary<number[]> {
  const value = fc.double({ min: -1, max: 1, noNaN: true });
  return fc.array(value, { minLength: LENGTH, maxLength: LENGTH });
}

function arbitraryModel(): fc.Arbitrary<GlobalModel> {
  return arbitraryValues().map((values) => ({ round: 0, tensors: tensorsOf(values) }));
}

function arbitraryUpdates(): fc.Arbitrary<Update[]> {
  const update = fc.record({
    values: arbitraryValues(),
    samples: fc.integer({ min: 1, max: 50 }),
    count: fc.nat({ max: 255 }),
    kind: fc.constantFrom<Update["kind"]>("weights", "delta"),
  });
  return fc.array(update, { minLength: 1, maxLength: 7 }).map((list) =>
    list.map(({ values, samples, count, kind }, index) => ({
      client: `client-${index}`,
      samples,
      kind,
      tensors: tensorsOf(values, count),
    }))
  );
}

function arbitraryRounds(): fc.Arbitrary<Update[][]> {
  const rounds = fc.array(fc.oneof(arbitraryUpdates(), fc.constant<Update[]>([])), {
    minLength: 1,
    maxLength: 4,
  });
  return rounds;
}

function samplesOf(updates: readonly Update[]): number {
  return updates.reduce((sum, { samples }) => sum + samples, 0);
}

function next(
  strategy: Strategy,
  model: GlobalModel,
  updates: readonly Update[],
  totalSamples = Math.max(1, samplesOf(updates)),
): GlobalModel {
  const aggregation = strategy.aggregate(model, model.round + 1, { totalSamples });
  for (const update of updates) assert.equal(aggregation.add(update), undefined);
  return aggregation.finish();
}

function assertClose(actual: readonly number[], expected: readonly number[]): void {
  assert.equal(actual.length, expected.length);
  for (const [index, value] of actual.entries()) {
    const distance = Math.abs(value - (expected[index] ?? NaN));
    assert.ok(distance <= TOLERANCE, `${value} is not ${expected[index]}`);
  }
}

/** The state as it comes back from disk. */
function saved(state: NamedTensors): NamedTensors {
  const tensors = decodeSafetensors(encodeSafetensors(state));
  if (isRejection(tensors)) assert.fail(tensors.detail);
  return tensors;
}

/** Declares the laws as tests; `make` gives the strategy with its default options. */
export function strategyLaws(name: string, make: () => Strategy, traits: Traits): void {
  Deno.test(`${name} goes by its name`, () => {
    assert.equal(make().name, name);
  });

  Deno.test(`${name}: nobody answered, the model is unchanged to the bit and names the round`, () => {
    fc.assert(fc.property(arbitraryModel(), arbitraryUpdates(), (model, updates) => {
      assert.deepEqual(next(make(), model, []), { round: 1, tensors: model.tensors });
      // Nor does an empty round move what a strategy remembers.
      const interrupted = make();
      const after = next(interrupted, model, updates);
      const idle = next(interrupted, after, []);
      assert.deepEqual(plain(idle.tensors), plain(after.tensors));
      const straight = make();
      next(straight, model, updates);
      assert.deepEqual(
        plain(next(interrupted, after, updates).tensors),
        plain(next(straight, after, updates).tensors),
      );
    }));
  });

  if (traits.agreement === "value") {
    Deno.test(`${name}: all agree, the model becomes their value`, () => {
      fc.assert(fc.property(
        arbitraryModel(),
        arbitraryValues(),
        fc.integer({ min: 1, max: 9 }),
        (model, values, clients) => {
          const updates = agreeing(values, clients);
          assertClose(valuesOf(next(make(), model, updates).tensors), values);
        },
      ));
    });
  } else {
    Deno.test(`${name}: all agree, every weight moves towards their value`, () => {
      fc.assert(fc.property(
        arbitraryModel(),
        arbitraryValues(),
        fc.integer({ min: 1, max: 9 }),
        (model, values, clients) => {
          const before = valuesOf(model.tensors);
          const after = valuesOf(next(make(), model, agreeing(values, clients)).tensors);
          for (const [index, value] of values.entries()) {
            const way = value - (before[index] ?? NaN);
            const step = (after[index] ?? NaN) - (before[index] ?? NaN);
            if (Math.abs(way) > TOLERANCE) assert.equal(Math.sign(step), Math.sign(way));
          }
          // However many they are: the step is that of one client.
          assertClose(after, valuesOf(next(make(), model, agreeing(values, 1)).tensors));
        },
      ));
    });

    Deno.test(`${name}: all agree with the model, it stays`, () => {
      fc.assert(fc.property(arbitraryModel(), fc.integer({ min: 1, max: 9 }), (model, clients) => {
        const values = valuesOf(model.tensors);
        assertClose(valuesOf(next(make(), model, agreeing(values, clients)).tensors), values);
      }));
    });
  }

  Deno.test(`${name}: the order of arrival does not matter, to the bit`, () => {
    const rounds = arbitraryRounds().chain((rounds) =>
      fc.record({
        rounds: fc.constant(rounds),
        shuffled: fc.tuple(
          ...rounds.map((updates) => fc.shuffledSubarray(updates, { minLength: updates.length })),
        ),
      })
    );
    fc.assert(fc.property(arbitraryModel(), rounds, (model, { rounds, shuffled }) => {
      const [one, other] = [make(), make()];
      assert.deepEqual(
        plain(shuffled.reduce((model, updates) => next(one, model, updates), model).tensors),
        plain(rounds.reduce((model, updates) => next(other, model, updates), model).tensors),
      );
    }));
  });

  if (traits.samplesWeigh) {
    Deno.test(`${name}: an update with k samples weighs as much as k updates with one`, () => {
      fc.assert(fc.property(arbitraryModel(), arbitraryUpdates(), (model, updates) => {
        const clones = updates.flatMap((update) =>
          Array.from({ length: update.samples }, (_, index) => ({
            ...update,
            client: `${update.client}.${index}`,
            samples: 1,
          }))
        );
        const weighed = valuesOf(next(make(), model, updates).tensors);
        assertClose(weighed, valuesOf(next(make(), model, clones).tensors));
      }));
    });

    Deno.test(`${name}: more samples pull the model nearer`, () => {
      const model = { round: 0, tensors: tensorsOf(Array(LENGTH).fill(0)) };
      const ends = (samples: number): Update[] => [
        { client: "a", samples, kind: "weights", tensors: tensorsOf(Array(LENGTH).fill(1)) },
        { client: "b", samples: 5, kind: "weights", tensors: tensorsOf(Array(LENGTH).fill(-1)) },
      ];
      const reached = [1, 5, 20].map((samples) =>
        valuesOf(next(make(), model, ends(samples)).tensors)[0] ?? NaN
      );
      const [few = NaN, same = NaN, many = NaN] = reached;
      assert.ok(few < same && same < many, `${reached}`);
    });
  } else {
    Deno.test(`${name}: each client is one voice, samples do not change a bit of a float`, () => {
      fc.assert(fc.property(arbitraryModel(), arbitraryUpdates(), (model, updates) => {
        const equal = updates.map((update) => ({ ...update, samples: 1 }));
        assert.deepEqual(
          valuesOf(next(make(), model, updates).tensors),
          valuesOf(next(make(), model, equal).tensors),
        );
      }));
    });
  }

  Deno.test(`${name}: integers come from the update with most samples, lowest client id on a tie`, () => {
    const model = { round: 0, tensors: tensorsOf([0, 0, 0, 0]) };
    const updates = [["b", 3, 7], ["c", 5, 8], ["a", 5, 9], ["d", 1, 1]] as const;
    const { tensors } = next(
      make(),
      model,
      updates.map(([client, samples, count]): Update => ({
        client,
        samples,
        kind: "delta",
        tensors: tensorsOf([0, 0, 0, 0], count),
      })),
    );
    assert.deepEqual(tensors.get("count"), bytesOf("count", "U8", [9]));
  });

  Deno.test(`${name}: a refused update leaves no trace`, () => {
    fc.assert(fc.property(arbitraryModel(), arbitraryUpdates(), (model, updates) => {
      const bad = [
        tensorsOf([0, 0, 0, NaN]),
        tensorsOf([0, 0, 0, Infinity]),
        tensorsOf([0, 0, 0, 1e9]),
        named(floats("kernel", [1], { dtype: "F64" })),
      ].map((tensors): Update => ({ client: "bad", samples: 99, kind: "weights", tensors }));
      const totalSamples = samplesOf(updates) + 99;
      const aggregation = make().aggregate(model, 1, { totalSamples });
      const reasons = bad.map((update) => {
        const judged = aggregation.check(update);
        assert.deepEqual(aggregation.add(update), judged);
        return judged?.reason;
      });
      assert.deepEqual(reasons, ["non_finite", "non_finite", "out_of_range", "wrong_shape"]);
      for (const update of updates) aggregation.add(update);
      const expected = next(make(), model, updates, totalSamples);
      assert.deepEqual(plain(aggregation.finish().tensors), plain(expected.tensors));
    }));
  });

  Deno.test(`${name}: a client counts once, and never more samples than the round declared`, () => {
    const model = { round: 0, tensors: tensorsOf([0, 0, 0, 0]) };
    const update = { client: "a", samples: 6, kind: "delta", tensors: model.tensors } as const;
    const aggregation = make().aggregate(model, 1, { totalSamples: 10 });
    assert.equal(aggregation.add(update), undefined);
    assert.throws(() => aggregation.add({ ...update, samples: 1 }), TypeError);
    assert.throws(() => aggregation.add({ ...update, client: "b" }), RangeError);
    assert.throws(() => aggregation.add({ ...update, client: "b", samples: 0 }), RangeError);
  });

  if (!traits.remembers) {
    Deno.test(`${name} has nothing to save`, () => {
      assert.equal(make().state, undefined);
      assert.equal(make().restore, undefined);
    });
    return;
  }

  Deno.test(`${name}: killed after any round and restored, it goes on to the same bits`, () => {
    fc.assert(fc.property(arbitraryModel(), arbitraryRounds(), (model, rounds) => {
      const straight = make();
      let expected = model;
      let actual = model;
      let state: NamedTensors = new Map();
      for (const updates of rounds) {
        expected = next(straight, expected, updates);
        const restarted = make();
        restarted.restore?.(state);
        actual = next(restarted, actual, updates);
        state = saved(restarted.state?.() ?? new Map());
        assert.deepEqual(plain(actual.tensors), plain(expected.tensors));
        assert.deepEqual(plain(state), plain(straight.state?.() ?? new Map()));
      }
    }));
  });

  Deno.test(`${name}: saved state is not written to by later rounds`, () => {
    fc.assert(fc.property(arbitraryModel(), arbitraryUpdates(), (model, updates) => {
      const strategy = make();
      const after = next(strategy, model, updates);
      const state = strategy.state?.() ?? new Map();
      const before = plain(state);
      next(strategy, after, updates);
      assert.deepEqual(plain(state), before);
    }));
  });

  Deno.test(`${name}: a round is one step, finished once`, () => {
    const model = { round: 0, tensors: tensorsOf([0, 0, 0, 0]) };
    const aggregation = make().aggregate(model, 1, { totalSamples: 1 });
    aggregation.finish();
    assert.throws(() => aggregation.finish(), TypeError);
  });

  Deno.test(`${name}: state of another strategy or another model is refused`, () => {
    const update = { client: "a", samples: 1, kind: "delta", tensors: tensorsOf([1, 1, 1, 1]) };
    const model = { round: 0, tensors: tensorsOf([0, 0, 0, 0]) };
    const strategy = make();
    next(strategy, model, [update as Update]);
    const state = strategy.state?.() ?? new Map();
    assert.throws(
      () => make().restore?.(named(floats("other/kernel", [1], { dtype: "F64" }))),
      TypeError,
    );
    const narrowed = [...state.values()].map((tensor) => ({ ...tensor, dtype: "F32" as const }));
    assert.throws(() => make().restore?.(named(...narrowed)), TypeError);
    const restored = make();
    restored.restore?.(state);
    const other = { round: 0, tensors: named(floats("kernel", [1, 2, 3], { dtype: "F64" })) };
    assert.throws(() => restored.aggregate(other, 1, { totalSamples: 1 }), RangeError);
  });
}

function agreeing(values: readonly number[], clients: number): Update[] {
  return Array.from({ length: clients }, (_, index) => ({
    client: `client-${index}`,
    samples: index + 1,
    kind: "weights",
    tensors: tensorsOf(values),
  }));
}
