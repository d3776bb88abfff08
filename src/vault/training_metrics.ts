/** What the clients of a round say of their training, as one. */

import type { Metrics, UpdateRow } from "./ledger.ts";

/** Each metric's mean over the updates that have it, weighted by samples. */
export function weightedMean(updates: readonly UpdateRow[]): Metrics {
  const sums = new Map<string, { total: number; samples: number }>();
  for (const { metrics, samples } of updates) {
    for (const [name, value] of Object.entries(metrics)) {
      const sum = sums.get(name) ?? { total: 0, samples: 0 };
      sums.set(name, { total: sum.total + value * samples, samples: sum.samples + samples });
    }
  }
  return Object.fromEntries([...sums].map(([name, sum]) => [name, sum.total / sum.samples]));
}
