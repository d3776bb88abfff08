/** What a state directory may hold, and whether one more update fits in. */

import type { Strategy } from "../strategies/strategy.ts";
import type { Shelf } from "./shelf.ts";
import { VaultError } from "./vault_error.ts";

export interface RoomOptions {
  readonly stateDirectory: string | undefined;
  /** Undefined: what the disk holds. */
  readonly stateMaxBytes?: number | undefined;
  readonly strategy: Strategy;
}

/** What the ledger may grow by while a round ends. */
const LEDGER_MARGIN_BYTES = 1024 * 1024;

export class Room {
  readonly #options: RoomOptions;
  readonly #shelf: Shelf;

  constructor(options: RoomOptions, shelf: Shelf) {
    this.#options = options;
    this.#shelf = shelf;
  }

  /** Room for an update, and beside it for all that a round ends with. */
  has(updateBytes: number, modelBytes: number): boolean {
    const { stateMaxBytes, stateDirectory } = this.#options;
    if (stateMaxBytes === undefined || stateDirectory === undefined) return true;
    return this.#needed(updateBytes, modelBytes) <= stateMaxBytes;
  }

  /** @throws {VaultError} where no update at all would fit in. */
  check(modelBytes: number): void {
    const { stateMaxBytes, stateDirectory } = this.#options;
    if (stateMaxBytes === undefined || stateDirectory === undefined) return;
    // Updates that were accepted go with their round, and keep no server from starting again.
    const needed = this.#needed(modelBytes, modelBytes) - this.#shelf.updateBytes;
    if (needed <= stateMaxBytes) return;
    throw new VaultError(
      `--state-max-bytes is ${stateMaxBytes}, but a round of the run in ${stateDirectory} needs ` +
        `${needed}: raise it, or keep fewer models by --keep`,
    );
  }

  /** A new model and the strategy's state come before older ones go; then the final model. */
  #needed(updateBytes: number, modelBytes: number): number {
    // Two moments in float64 are four times a model in float32.
    const state = this.#options.strategy.state === undefined
      ? 0
      : this.#shelf.strategyBytes || 4 * modelBytes;
    return this.#shelf.usedBytes + updateBytes + 2 * modelBytes + state + LEDGER_MARGIN_BYTES;
  }
}
