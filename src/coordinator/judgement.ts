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

export function isRefusal(judgement: Judgement): boolean {
  return !GOOD.has(judgement.verdict);
}
