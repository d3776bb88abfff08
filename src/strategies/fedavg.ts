/** FedAvg, the mean of the weights by samples: https://arxiv.org/abs/1602.05629 (algorithm 1). */

import * as z from "zod";
import { meanAggregation } from "./mean.ts";
import type { Strategy } from "./strategy.ts";

export const fedAvgOptions = z.strictObject({});

export function fedAvg(): Strategy {
  return {
    name: "fedavg",
    aggregate: (global, round, { totalSamples }) =>
      meanAggregation(global, { round, totalSamples }),
  };
}
