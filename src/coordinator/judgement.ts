/** What a Receipt says, before it has a sequence number. */

import { type Receipt, Verdict } from "../contract/federation_pb.ts";

export type Judgement =
  & Pick<Receipt, "verdict">
  & Partial<Pick<Receipt, "detail" | "nextOffset" | "retryAfterMs">>;

export const ACCEPTED: Judgement = { verdict: Verdict.ACCEPTED };

/** Verdicts that refuse nothing. */
const GOOD: ReadonlySet<Verdict> = new Set([Verdict.ACCEPTED, Verdict.HELD]);

/** What weights call a rejection, and what the contract calls it. */
export const REJECTIONS = {
  malformed: Verdict.MALFORMED,
  wrong_shape: Verdict.WRONG_SHAPE,
  non_finite: Verdict.NON_FINITE,
  out_of_range: Verdict.OUT_OF_RANGE,
} as const;

export function refuse(verdict: Verdict, detail: string): Judgement {
  return { verdict, detail };
}

/** A ledger line and a Task's answer are no place for more. */
const MAX_METRICS = 64;
const MAX_METRIC_NAME = 128;

/** Why a client's metrics are refused, if they are. */
export function refuseMetrics(metrics: Readonly<Record<string, number>>): Judgement | undefined {
  const entries = Object.entries(metrics);
  if (entries.length > MAX_METRICS) {
    return refuse(Verdict.MALFORMED, `${entries.length} metrics; ${MAX_METRICS} is the most`);
  }
  const bad = entries.find(([, value]) => !Number.isFinite(value));
  if (bad !== undefined) return refuse(Verdict.NON_FINITE, `metric "${bad[0]}" is ${bad[1]}`);
  return entries.some(([name]) => name.length > MAX_METRIC_NAME)
    ? refuse(Verdict.MALFORMED, `a metric's name is longer than ${MAX_METRIC_NAME} characters`)
    : undefined;
}

export function isRefusal(judgement: Judgement): boolean {
  return !GOOD.has(judgement.verdict);
}
