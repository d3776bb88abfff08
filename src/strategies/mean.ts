/** The aggregation of every strategy that begins with the weighted mean: the exact fold. */

import type { RoundSamples } from "../weights/admission.ts";
import { Fold, type Move } from "../weights/fold.ts";
import type { Aggregation, GlobalModel } from "./strategy.ts";

export interface MeanRound extends RoundSamples {
  readonly round: number;
  /** What becomes of each mean; without it the mean is the model. */
  readonly move?: Move;
}

/** Memory: one float64 for each float of the model, however many clients. */
export function meanAggregation(global: GlobalModel, options: MeanRound): Aggregation {
  const { round, totalSamples, move } = options;
  const fold = new Fold(global.tensors, { totalSamples });
  return {
    check: (update) => fold.check(update),
    add: (update) => fold.add(update),
    finish: () => ({ round, tensors: fold.finish(move) }),
  };
}
