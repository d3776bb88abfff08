/** FedProx, FedAvg with trainers held near the global model: https://arxiv.org/abs/1812.06127 (algorithm 2). */

import * as z from "zod";
import { meanAggregation } from "./mean.ts";
import type { Strategy } from "./strategy.ts";

export const fedProxOptions = z.strictObject({
  /** The paper tries 0.001, 0.01, 0.1 and 1 for each data set; 0 is FedAvg. */
  mu: z.number().nonnegative().default(0.01)
    .describe("weight of the proximal term mu / 2 x |w - w_global|^2 in each trainer's loss"),
});

/** Trainers get `mu` among their settings and add the proximal term to their loss. */
export function fedProx({ mu }: z.infer<typeof fedProxOptions>): Strategy {
  return {
    name: "fedprox",
    aggregate: (global, round, { totalSamples }) =>
      meanAggregation(global, { round, totalSamples }),
    settings: () => ({ mu }),
  };
}
