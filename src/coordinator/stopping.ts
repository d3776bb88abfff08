/** When a run has learned enough: pure, from the metrics of the global models so far. */

import type { Stop } from "./round.ts";

export interface StoppingRules {
  /** The metric the rules look at. */
  readonly metric: "accuracy" | "loss";
  /** Stop once the metric is as good as this. */
  readonly target?: number;
  /** Stop after so many rounds without an improvement of at least `minDelta`. */
  readonly plateau?: { readonly rounds: number; readonly minDelta: number };
}

/** @param evaluations Metrics of the global models, oldest first; rounds that have none left out. */
export function stopReason(
  { metric, target, plateau }: StoppingRules,
  evaluations: readonly Readonly<Record<string, number>>[],
): Stop | undefined {
  const values = evaluations.map((each) => each[metric]).filter((value) => value !== undefined);
  const newest = values.at(-1);
  if (newest === undefined) return undefined;
  const gain = (value: number, than: number) => metric === "accuracy" ? value - than : than - value;
  if (target !== undefined && gain(newest, target) >= 0) {
    return { code: "target", sentence: `${metric} ${newest} reached the target ${target}` };
  }
  if (plateau !== undefined && values.length > plateau.rounds) {
    const before = values.slice(0, -plateau.rounds);
    const best = before.reduce((left, right) => gain(left, right) >= 0 ? left : right);
    const since = values.slice(-plateau.rounds);
    if (since.every((value) => gain(value, best) < plateau.minDelta)) {
      const sentence = `${metric} has not improved by ${plateau.minDelta} in ` +
        `${plateau.rounds} rounds`;
      return { code: "plateau", sentence };
    }
  }
  return undefined;
}
