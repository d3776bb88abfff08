/** What a coordinator is made of and told. */

import type { Events } from "../events.ts";
import type { VaultCalls } from "../vault/calls.ts";
import type { Metrics } from "../vault/ledger.ts";
import type { Opened } from "../vault/vault.ts";
import type { UpdateLimits } from "./admission.ts";
import type { Clock } from "./clock.ts";
import type { Plan } from "./round.ts";
import type { StoppingRules } from "./stopping.ts";

export interface CoordinatorOptions {
  readonly name: string;
  readonly plan: Plan;
  readonly roundTimeoutMs: number;
  /** Makes the deadline adaptive, see deadline.ts. */
  readonly deadlineFactor?: number | undefined;
  readonly graceMs: number;
  readonly stopping: StoppingRules;
  /** Fraction of the clients present that evaluate each model, 0 to 1, and how long they have. */
  readonly evaluation: { readonly fraction: number; readonly timeoutMs: number };
  /** How long clients have to confirm the final model. */
  readonly finishTimeoutMs: number;
  /** Numbers for the trainers, in every train task. */
  readonly settings: (round: number, client: string) => Readonly<Record<string, number>>;
  readonly topology: { readonly bytes: Uint8Array; readonly type: string };
  /** Rounds of which the history tells, the newest. */
  readonly keepRounds: number;
  readonly limits: UpdateLimits & {
    readonly maxClients: number;
    readonly maxLabelBytes: number;
    /** For one client's route; see Outbox. */
    readonly maxUnsentMessages: number;
    readonly partBytes: number;
    readonly windowBytes: number;
    readonly heartbeatIntervalMs: number;
  };
  /** Evaluates a global model on the server's own test data; takes the buffer. */
  readonly evaluate?: (model: ArrayBuffer) => Promise<{ samples: number; metrics: Metrics }>;
  readonly vault: VaultCalls;
  readonly opened: Opened;
  readonly clock: Clock;
  readonly events: Events;
}

/** How a run ended. */
export interface Outcome {
  readonly reason: string;
  readonly rounds: number;
  readonly sha256: string;
  readonly modelPath: string | undefined;
  /** Clients that confirmed to hold the final model, sorted. */
  readonly confirmed: readonly string[];
}

/** Silent for so many heartbeat intervals: gone. */
export const SILENT_INTERVALS = 3;

export function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
