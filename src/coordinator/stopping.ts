/** When a run has learned enough: pure, from the metrics of the global models so far. */

import type { Stop } from "./round.ts";

export interface StoppingRules {
  /** Stop once a metric is at least (`accuracy`) or at most (`loss`) this. */
  readonly target?: { readonly metric: "accuracy" | "loss"; readonly value: number };
  /** Stop after so many rounds without an improvement of at least `minDelta`. */
  readonly plateau?: {
    readonly rounds: number;
    /** Of the accuracy, or of the loss where no accuracy is known. */
    readonly minDelta: number;
  };
}

/** @param evaluations Metrics of the global model, oldest first; rounds that have none left out. */
export function stopReason(
  rules: StoppingRules,
  evaluations: readonly Readonly<Record<string, number>>[],
): Stop | undefined {
  const { target, plateau } = rules;
  if (target !== undefined) {
    const newest = evaluations.at(-1)?.[target.metric];
    if (newest !== undefined && gain(target.metric, newest, target.value) >= 0) {
      const sentence = `${target.metric} ${newest} reached the target ${target.value}`;
      return { code: "target", sentence };
    }
  }
  if (plateau !== undefined) {
    const metric = evaluations.some((each) => each.accuracy !== undefined) ? "accuracy" : "loss";
    const values = evaluations.map((each) => each[metric])
      .filter((value) => value !== undefined);
    if (values.length > plateau.rounds) {
      const before = values.slice(0, -plateau.rounds);
      const since = values.slice(-plateau.rounds);
      const best = before.reduce((a, b) => gain(metric, a, b) >= 0 ? a : b);
      if (since.every((value) => gain(metric, value, best) < plateau.minDelta)) {
        const sentence = `${metric} has not improved by ${plateau.minDelta} in ` +
          `${plateau.rounds} rounds`;
        return { code: "plateau", sentence };
      }
    }
  }
  return undefined;
}

/** By how much `value` is better than `than`. */
function gain(metric: "accuracy" | "loss", value: number, than: number): number {
  return metric === "accuracy" ? value - than : than - value;
}
