/** FedAdagrad: https://arxiv.org/abs/2003.00295 (algorithm 2, with beta1 = 0 as in its experiments). */

import * as z from "zod";
import { serverOptimizer } from "./fedopt.ts";
import type { Strategy } from "./strategy.ts";

export const fedAdagradOptions = z.strictObject({
  /** The paper tunes it for each task, from 10^-3 to 10. */
  eta: z.number().positive().default(0.03).describe("server learning rate"),
  tau: z.number().positive().default(1e-3).describe("degree of adaptivity: smaller adapts more"),
});

/** v = v + delta^2; weights += eta delta / (sqrt v + tau). v begins at tau^2. */
export function fedAdagrad({ eta, tau }: z.infer<typeof fedAdagradOptions>): Strategy {
  return serverOptimizer({
    name: "fedadagrad",
    moments: { v: tau * tau },
    step(weights, delta, [v = new Float64Array()]) {
      for (let i = 0; i < weights.length; i++) {
        const d = delta[i] as number;
        v[i] = Math.min((v[i] as number) + d * d, Number.MAX_VALUE);
        weights[i] = (weights[i] as number) + (eta * d) / (Math.sqrt(v[i] as number) + tau);
      }
    },
  });
}
