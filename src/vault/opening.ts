/** What an operator reads of a state directory that cannot be opened. */

import { isFull } from "./full.ts";
import { VaultError } from "./vault_error.ts";

/** Whatever goes wrong while a state directory is opened is for the operator to change. */
export function inside<T>(stateDirectory: string | undefined, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (stateDirectory === undefined || error instanceof VaultError) throw error;
    const cannot = `Cannot use the state directory ${stateDirectory}`;
    const reason = error instanceof Error ? error.message : String(error);
    const full = isFull(error);
    throw new VaultError(
      full
        ? `${cannot}: its disk is full; make room there, or choose another --state`
        : `${cannot}: ${reason}; choose another --state`,
      { cause: error, isFull: full },
    );
  }
}
