/** What a session is given, and what it ends with. */

import type { Backoff } from "./dialling.ts";
import type { FinishedRun, Keeping, Kept } from "./kept.ts";
import type { SessionEvent } from "./session_event.ts";
import type { Trainer } from "./trainer.ts";

export interface SessionOptions {
  readonly clientId: string;
  readonly urls: readonly URL[];
  readonly trainer: Trainer;
  readonly software: string;
  readonly token?: string;
  readonly ca?: string | undefined;
  readonly labels?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly observe: (event: SessionEvent) => void;
  readonly backoff?: Backoff;
  /** In [0, 1): when a wire is tried that is not in use. */
  readonly random?: () => number;
  /** What an earlier process has left, to go on with. */
  readonly kept?: Kept | undefined;
  readonly keeping?: Keeping | undefined;
  /** This client has taken part in that run to its end: it waits for another one. */
  readonly finished?: FinishedRun | undefined;
  /**
   * So long it waits, at most, for what passes by itself: a run that is over, a server that has
   * gone. Undefined: that ends the session.
   */
  readonly patienceMs?: number | undefined;
}

/** The final model, as every client of the run holds it. */
export interface FinalModel extends FinishedRun {
  readonly model: Uint8Array<ArrayBuffer>;
  readonly round: number;
  readonly reason: string;
  readonly metrics: Readonly<Record<string, number>>;
}
