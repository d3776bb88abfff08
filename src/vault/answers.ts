/** What a vault is told of updates, and what it answers. */

import type { Rejection, TensorSpec } from "../weights/tensors.ts";
import type { UploadHead } from "./assembly.ts";
import type { Assigned, Counted, Ending, Metrics, RoundRecord, SessionRow } from "./records.ts";
import type { LostUpdate } from "./open_round.ts";
import type { Swept } from "./shelf.ts";

/** What the state directory held, or a new run. */
export interface Opened {
  readonly runId: string;
  readonly closedRounds: number;
  readonly nextTaskId: number;
  readonly history: readonly RoundRecord[];
  /** Why the run is over, if it is: every client has heard so, or had its time. */
  readonly finished: string | undefined;
  /** Why the run ends, if its final model is saved. */
  readonly ending: Ending | undefined;
  /** Who confirmed to hold the final model. */
  readonly confirmed: readonly string[];
  readonly sessions: readonly SessionRow[];
  /** Of each client the newest update that counts, or counted. */
  readonly counted: readonly Counted[];
  /** The round that was open, and who has an update in it. */
  readonly open:
    | { readonly assigned: readonly Assigned[]; readonly answered: readonly string[] }
    | undefined;
  readonly model: { readonly bytes: number; readonly tensors: readonly TensorSpec[] };
  /** What an ended process had left half-way, and was removed. */
  readonly swept: Swept;
  /** Accepted updates of which too little was left: their clients are to be asked again. */
  readonly lost: readonly LostUpdate[];
}

export interface Part extends UploadHead {
  readonly client: string;
  readonly taskId: number;
  readonly round: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export type PartOutcome =
  | { readonly kind: "held" | "gap" | "accepted" | "stale"; readonly nextOffset: number }
  /** The state directory has no room for it now; nothing of it is kept. */
  | { readonly kind: "full"; readonly detail: string; readonly nextOffset: number }
  /** The part contradicts what is held of its upload, which goes on. */
  | { readonly kind: "conflict"; readonly detail: string; readonly nextOffset: number }
  /** The update as a whole is refused, and nothing of it kept. */
  | { readonly kind: Rejection["reason"]; readonly detail: string; readonly nextOffset: number };

export function full(detail: string): PartOutcome {
  return { kind: "full", detail, nextOffset: 0 };
}

/** A round whose model is made, and not saved yet. */
export interface MadeRound {
  readonly round: number;
  readonly clients: readonly string[];
  readonly samples: number;
  readonly training: Metrics;
}
