/** Coordinate-wise trimmed mean: https://arxiv.org/abs/1803.01498 (definition 2). */

import * as z from "zod";
import { robustAggregation } from "./robust.ts";
import type { Strategy } from "./strategy.ts";

export const trimmedMeanOptions = z.strictObject({
  beta: z.number().min(0).lt(0.5).default(0.1)
    .describe("share of the clients left out at each end; at least 1 / clients to leave any out"),
});

/**
 * Holds against any updates of `beta` of the clients: of n clients floor(beta x n) are left out at
 * each end, which is none while n < 1 / beta. Keeps all updates until the end.
 */
export function trimmedMean({ beta }: z.infer<typeof trimmedMeanOptions>): Strategy {
  /** The mean of an ascending column without its ends. */
  function innerMean(column: Float64Array): number {
    // 0.29 x 100 is a little less than 29 in binary.
    const cut = Math.floor(beta * column.length * (1 + Number.EPSILON));
    let sum = 0;
    for (let i = cut; i < column.length - cut; i++) sum += column[i] as number;
    return sum / (column.length - 2 * cut);
  }
  return {
    name: "trimmed_mean",
    aggregate: (global, round, { totalSamples }) =>
      robustAggregation(global, { round, totalSamples, reduce: innerMean }),
  };
}
