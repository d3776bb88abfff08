/** How long a round may take: the fixed time, or less where the rounds before it were faster. */

export interface DeadlineOptions {
  readonly roundTimeoutMs: number;
  /** Times the 95th percentile of the newest rounds' durations; undefined: the fixed time. */
  readonly deadlineFactor?: number | undefined;
}

/** Older rounds tell little of the clients that are here now. */
export const NEWEST_ROUNDS = 20;
/** Fewer tell nothing. */
const LEAST_ROUNDS = 3;
/** A deadline below the jitter of a machine under load would close rounds by chance. */
const SHORTEST_MS = 1000;

/**
 * @param seconds Durations of the closed rounds, oldest first; 0 where one is not known.
 * @param again The same round was tried before, by this process or an earlier one: it may take all
 * the time there is, since too short a deadline would be too short each time.
 */
export function deadlineMs(
  { roundTimeoutMs, deadlineFactor }: DeadlineOptions,
  seconds: readonly number[],
  again: boolean,
): number {
  const known = seconds.filter((each) => each > 0).slice(-NEWEST_ROUNDS);
  if (deadlineFactor === undefined || again || known.length < LEAST_ROUNDS) return roundTimeoutMs;
  known.sort((left, right) => left - right);
  const p95 = known[Math.ceil(0.95 * known.length) - 1] ?? 0; // nearest rank
  return Math.min(roundTimeoutMs, Math.max(SHORTEST_MS, Math.ceil(p95 * 1000 * deadlineFactor)));
}
