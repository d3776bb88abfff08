/** What a vault is told when it is made. */

import type { Strategy } from "../strategies/strategy.ts";
import type { Durability } from "./durability.ts";

export interface VaultOptions {
  /** Everything is kept in memory, and lost with the process, where there is none. */
  readonly stateDirectory: string | undefined;
  readonly name: string;
  readonly durability: Durability;
  readonly strategy: Strategy;
  /** Models kept on disk, newest first; at least 1. */
  readonly keepModels: number;
  /** Rounds whose records are kept, newest first. */
  readonly keepRounds: number;
  /** What the state directory may hold; undefined: what the disk does. */
  readonly stateMaxBytes?: number | undefined;
}
