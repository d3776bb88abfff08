/** The operator's mistakes about a state directory or a model. */

/** One sentence that says what to change. */
export class VaultError extends Error {
  override readonly name = "VaultError";
}

/** Whatever goes wrong while a state directory is opened is for the operator to change. */
export function inside<T>(stateDirectory: string | undefined, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (stateDirectory === undefined || error instanceof VaultError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new VaultError(
      `Cannot use the state directory ${stateDirectory}: ${reason}; choose another --state`,
      { cause: error },
    );
  }
}
