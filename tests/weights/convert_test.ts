import assert from "node:assert/strict";
import fc from "fast-check";
import {
  BLOCK_VALUES,
  FloatReader,
  LARGEST_FINITE,
  narrow,
  widen,
} from "../../src/weights/convert.ts";
import type { FloatDtype, FloatTensor } from "../../src/weights/tensors.ts";

const FLOAT_DTYPES = ["F64", "F32", "F16", "BF16"] as const;

function tensor(dtype: FloatDtype, bytes: Uint8Array): FloatTensor {
  return { name: "w", dtype, shape: [], bytes };
}

/** The bytes one further into a buffer. */
function shifted(bytes: Uint8Array): Uint8Array {
  const room = new Uint8Array(bytes.length + 1);
  room.set(bytes, 1);
  return room.subarray(1);
}

/** All 16-bit patterns, in order. */
function allPatterns(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Uint16Array.from({ length: 1 << 16 }, (_, i) => i).buffer);
}

/** IEEE 754-2019 §3.4: the value of a pattern with so many exponent and fraction bits. */
function valueOf(pattern: number, exponentBits: number, fractionBits: number): number {
  const sign = pattern >> 15 === 0 ? 1 : -1;
  const exponent = (pattern >> fractionBits) & ((1 << exponentBits) - 1);
  const fraction = pattern & ((1 << fractionBits) - 1);
  const bias = (1 << (exponentBits - 1)) - 1;
  if (exponent === (1 << exponentBits) - 1) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** (1 - bias - fractionBits);
  return sign * (1 + fraction / 2 ** fractionBits) * 2 ** (exponent - bias);
}

const HALF_FORMATS = [
  { dtype: "F16", exponentBits: 5, fractionBits: 10 },
  { dtype: "BF16", exponentBits: 8, fractionBits: 7 },
] as const;

/** The double next to a positive one. */
function neighbour(value: number, by: 1n | -1n): number {
  const bits = new BigUint64Array(Float64Array.of(value).buffer);
  bits[0] = (bits[0] ?? 0n) + by;
  return new Float64Array(bits.buffer)[0] ?? NaN;
}

for (const { dtype, exponentBits, fractionBits } of HALF_FORMATS) {
  Deno.test(`widen() gives the value of every ${dtype} pattern`, () => {
    const values = widen(tensor(dtype, allPatterns()));
    for (let pattern = 0; pattern < values.length; pattern++) {
      const expected = valueOf(pattern, exponentBits, fractionBits);
      if (!Object.is(values[pattern], expected)) {
        assert.fail(`${pattern.toString(16)}: ${values[pattern]}, not ${expected}`);
      }
    }
  });

  Deno.test(`narrow() gives back every ${dtype} pattern that is a number`, () => {
    const patterns = new Uint16Array(allPatterns().buffer);
    const values = widen(tensor(dtype, allPatterns()));
    const back = new Uint16Array(narrow(dtype, values).buffer);
    for (let i = 0; i < patterns.length; i++) {
      if (!Number.isNaN(values[i])) assert.equal(back[i], patterns[i]);
    }
  });

  Deno.test(`narrow() rounds to the nearest ${dtype}, a tie to the even one, once`, () => {
    // Between each two neighbours: the tie, and the doubles on both sides of it, which rounding by
    // way of F32 would take for the tie.
    const last = ((1 << exponentBits) - 1) << fractionBits;
    const values: number[] = [];
    const expected: number[] = [];
    for (let pattern = 0; pattern < last; pattern++) {
      const below = valueOf(pattern, exponentBits, fractionBits);
      // Above the last finite value the next step is where infinity stands.
      const step = pattern + 1 === last
        ? below - valueOf(pattern - 1, exponentBits, fractionBits)
        : valueOf(pattern + 1, exponentBits, fractionBits) - below;
      const tie = below + step / 2;
      const even = pattern % 2 === 0 ? pattern : pattern + 1;
      values.push(neighbour(tie, -1n), tie, neighbour(tie, 1n));
      expected.push(pattern, even, pattern + 1);
    }
    const negative = values.map((value) => -value);
    const up = new Uint16Array(narrow(dtype, Float64Array.from(values)).buffer);
    const down = new Uint16Array(narrow(dtype, Float64Array.from(negative)).buffer);
    for (let i = 0; i < expected.length; i++) {
      if (up[i] !== expected[i]) assert.fail(`${values[i]}: ${up[i]}, not ${expected[i]}`);
      assert.equal(down[i], (expected[i] ?? 0) | 0x8000);
    }
  });

  Deno.test(`LARGEST_FINITE of ${dtype} is its last pattern before infinity`, () => {
    const last = (((1 << exponentBits) - 1) << fractionBits) - 1;
    assert.equal(LARGEST_FINITE[dtype], valueOf(last, exponentBits, fractionBits));
  });
}

Deno.test("LARGEST_FINITE of F32 and F64 are the largest that stay finite", () => {
  assert.equal(Math.fround(LARGEST_FINITE.F32), LARGEST_FINITE.F32);
  assert.equal(Math.fround(LARGEST_FINITE.F32 * (1 + 2 ** -24)), Infinity);
  assert.equal(LARGEST_FINITE.F64 * (1 + 2 ** -52), Infinity);
});

Deno.test("narrow() to BF16 keeps NaN, infinities and the signs of zero", () => {
  const bytes = narrow("BF16", Float64Array.of(NaN, Infinity, -Infinity, 0, -0, 1e300, -1e-300));
  const values = widen(tensor("BF16", bytes));
  assert.deepEqual([...values], [NaN, Infinity, -Infinity, 0, -0, Infinity, -0]);
});

Deno.test("narrow() to F32 rounds as Math.fround does, and F64 not at all", () => {
  fc.assert(fc.property(fc.array(fc.double()), (list) => {
    const values = Float64Array.from(list);
    assert.deepEqual([...widen(tensor("F64", narrow("F64", values)))], list);
    assert.deepEqual([...widen(tensor("F32", narrow("F32", values)))], list.map(Math.fround));
  }));
});

Deno.test("widen() reads the same values at every alignment", () => {
  const bytes = crypto.getRandomValues(new Uint8Array(BLOCK_VALUES * 16 + 24));
  for (const dtype of FLOAT_DTYPES) {
    assert.deepEqual(widen(tensor(dtype, shifted(bytes))), widen(tensor(dtype, bytes)));
  }
});

Deno.test("FloatReader.read() gives any stretch of the tensor", () => {
  const values = Float64Array.from({ length: 3000 }, (_, i) => i);
  for (const dtype of ["F64", "F32"] as const) {
    for (const bytes of [narrow(dtype, values), shifted(narrow(dtype, values))]) {
      const reader = new FloatReader(tensor(dtype, bytes));
      assert.equal(reader.length, 3000);
      for (const [start, count] of [[0, 1024], [1, 1024], [2999, 1], [3000, 0], [17, 3]] as const) {
        const into = new Float64Array(count);
        reader.read(start, into);
        assert.deepEqual(into, values.subarray(start, start + count));
      }
    }
  }
});

Deno.test("FloatReader refuses bytes that are not whole elements", () => {
  for (const dtype of FLOAT_DTYPES) {
    assert.throws(() => new FloatReader(tensor(dtype, new Uint8Array(9))), RangeError);
  }
});
