/** Coordinate-wise median: https://arxiv.org/abs/1803.01498 (definition 1). */

import * as z from "zod";
import { robustAggregation } from "./robust.ts";
import type { Strategy } from "./strategy.ts";

export const medianOptions = z.strictObject({});

/** Holds against any updates of fewer than half of the clients. Keeps all updates until the end. */
export function median(): Strategy {
  return {
    name: "median",
    aggregate: (global, round, { totalSamples }) =>
      robustAggregation(global, { round, totalSamples, reduce: middle }),
  };
}

/** The middle of an ascending column, or the mean of the two in the middle. */
function middle(column: Float64Array): number {
  const half = column.length >> 1;
  const upper = column[half] as number;
  if (column.length % 2 === 1) return upper;
  return ((column[half - 1] as number) + upper) / 2;
}
