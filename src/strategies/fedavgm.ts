/** FedAvgM, FedAvg with momentum at the server: https://arxiv.org/abs/1909.06335 (section 4.3). */

import * as z from "zod";
import { serverOptimizer } from "./fedopt.ts";
import type { Strategy } from "./strategy.ts";

export const fedAvgMOptions = z.strictObject({
  momentum: z.number().min(0).lt(1).default(0.9)
    .describe("share of the last round's step that goes on"),
  eta: z.number().positive().default(1).describe("server learning rate"),
});

/** velocity = momentum x velocity + delta; weights = weights + eta x velocity. */
export function fedAvgM({ momentum, eta }: z.infer<typeof fedAvgMOptions>): Strategy {
  return serverOptimizer({
    name: "fedavgm",
    moments: { velocity: 0 },
    step(weights, delta, [velocity = new Float64Array()]) {
      for (let i = 0; i < weights.length; i++) {
        const moved = momentum * (velocity[i] as number) + (delta[i] as number);
        const v = Math.max(-Number.MAX_VALUE, Math.min(moved, Number.MAX_VALUE));
        velocity[i] = v;
        weights[i] = (weights[i] as number) + eta * v;
      }
    },
  });
}
