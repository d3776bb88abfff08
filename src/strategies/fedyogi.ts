/** FedYogi: https://arxiv.org/abs/2003.00295 (algorithm 2). */

import * as z from "zod";
import { serverOptimizer } from "./fedopt.ts";
import type { Strategy } from "./strategy.ts";

export const fedYogiOptions = z.strictObject({
  /** The paper tunes it for each task, from 10^-3 to 10. */
  eta: z.number().positive().default(0.01).describe("server learning rate"),
  beta1: z.number().min(0).lt(1).default(0.9).describe("memory of the pseudo-gradient"),
  beta2: z.number().min(0).lt(1).default(0.99).describe("memory of its square"),
  tau: z.number().positive().default(1e-3).describe("degree of adaptivity: smaller adapts more"),
});

/**
 * m = beta1 m + (1 - beta1) delta; v = v - (1 - beta2) delta^2 sign(v - delta^2);
 * weights += eta m / (sqrt v + tau). v begins at tau^2 and, unlike Adam's, never jumps.
 */
export function fedYogi({ eta, beta1, beta2, tau }: z.infer<typeof fedYogiOptions>): Strategy {
  return serverOptimizer({
    name: "fedyogi",
    moments: { m: 0, v: tau * tau },
    step(weights, delta, [m = new Float64Array(), v = new Float64Array()]) {
      for (let i = 0; i < weights.length; i++) {
        const d = delta[i] as number;
        const square = d * d;
        const first = beta1 * (m[i] as number) + (1 - beta1) * d;
        const last = v[i] as number;
        const second = last - (1 - beta2) * square * Math.sign(last - square);
        m[i] = first;
        v[i] = Math.min(second, Number.MAX_VALUE);
        weights[i] = (weights[i] as number) + (eta * first) / (Math.sqrt(v[i] as number) + tau);
      }
    },
  });
}
