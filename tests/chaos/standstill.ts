/** A trial that does not come to its end: it says so, and waits no longer. */

/** Its message says what does not come about. */
export class Standstill extends Error {
  override readonly name = "Standstill";
}

export interface Patience {
  /** How long may pass. */
  readonly mostMs: number;
  /** What is said when it has. */
  readonly sentence: string;
  /** The operator wants no more of the trial. */
  readonly signal: AbortSignal;
}

/** What `work` resolves with. @throws {Standstill} when it takes too long, or nobody wants it any more. */
export async function within<T>(work: Promise<T>, patience: Patience): Promise<T> {
  const { mostMs, sentence, signal } = patience;
  const over = Promise.withResolvers<never>();
  const timer = setTimeout(() => over.reject(new Standstill(sentence)), mostMs);
  const interrupt = () => over.reject(new Standstill("the trial was interrupted before its end"));
  signal.addEventListener("abort", interrupt);
  if (signal.aborted) interrupt();
  work.catch(() => {}); // when nobody waits for it any more
  try {
    return await Promise.race([over.promise, work]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", interrupt);
  }
}
