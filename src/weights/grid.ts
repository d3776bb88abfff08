/**
 * The grid that makes a weighted sum exact, and so independent of the order of its terms.
 *
 * A round adds terms samples × weight, with weights of magnitude ≤ `bound` and samples that sum to
 * ≤ `totalSamples`. Each term is computed in float64 and rounded once to a multiple of `step`, a
 * power of two ≥ totalSamples × bound / 2^51. Why every addition is then exact:
 *
 * 1. A term is ≤ 2^51 steps: float64 multiplication is monotone, so samples × weight is
 *    ≤ totalSamples × bound as computed below, which is ≤ 2^51 × step by the choice of step.
 * 2. Rounding a term t: with the anchor A = 1.5 × 2^52 steps, A + t lies in [2^52, 2^53] steps,
 *    where neighbouring doubles are one step apart, so the addition rounds t to a whole number of
 *    steps (ties to even, and A is even, so -t rounds to minus what t rounds to). (A + t) - A is a
 *    whole number of steps ≤ 2^51 and therefore exact.
 * 3. Rounding moves n terms by at most n / 2 steps together. So every partial sum, in any order and
 *    over any subset, is a whole number of steps of magnitude ≤ 2^51 × (1 + 2^-52) + n / 2, below
 *    2^52 for any n < 2^51. Whole numbers to 2^53 are doubles: no addition rounds. Addition that
 *    never rounds is associative and commutative, and subtracting a term restores the bits before.
 *
 * Error of the mean of n terms with W samples, against exact arithmetic: the roundings to the grid
 * cost ≤ n / 2 steps, the multiplications together ≤ W × bound × 2^-53 ≤ step / 4, and so do the
 * additions global + delta and the division. All in all less than (n / 2 + 1) × step / W.
 */

import { LARGEST_FINITE } from "./convert.ts";
import type { FloatDtype } from "./tensors.ts";

export interface Grid {
  /** Largest magnitude a weight may have. */
  readonly bound: number;
  /** A power of two. */
  readonly step: number;
}

/** `largest` is the largest magnitude in the global tensor; any finite dtype value. */
export function gridOf(dtype: FloatDtype, largest: number, totalSamples: number): Grid {
  const wished = Math.max(64, 2 ** 10 * largest);
  // Beyond the dtype the mean would be infinite; beyond 2^1020 F64's own sums would be.
  const bound = Math.min(wished, LARGEST_FINITE[dtype], 2 ** 1020 / totalSamples);
  const due = (totalSamples * bound) / 2 ** 51;
  // Doubling is exact where Math.log2 is not; at most 1100 turns.
  let step = 1;
  while (step < due) step *= 2;
  while (step / 2 >= due) step /= 2;
  return { bound, step };
}

/** The largest error of a mean of `terms` updates with `samples` samples in all. Units of the weights. */
export function errorBound(grid: Grid, terms: number, samples: number): number {
  return ((terms / 2 + 1) * grid.step) / samples;
}

/**
 * Adds samples × value to each sum, up to the first value beyond the bound (NaN is) and without it.
 * Returns how many were added. Negative samples take away what the same positive samples added.
 */
export function accumulate(
  sums: Float64Array,
  values: Float64Array,
  { samples, grid }: { samples: number; grid: Grid },
): number {
  const { bound } = grid;
  const anchor = 1.5 * 2 ** 52 * grid.step;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (!(Math.abs(value) <= bound)) return i;
    sums[i] = (sums[i] as number) + ((samples * value + anchor) - anchor);
  }
  return values.length;
}

/** Index of the first value beyond the bound, or the length where there is none. */
export function countWithin(values: Float64Array, bound: number): number {
  for (let i = 0; i < values.length; i++) {
    if (!(Math.abs(values[i] as number) <= bound)) return i;
  }
  return values.length;
}
