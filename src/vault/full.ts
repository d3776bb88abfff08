/** A disk without room, as the system and SQLite say it. */

import { VaultError } from "./vault_error.ts";

/** https://www.sqlite.org/rescode.html#full: its number, and its words, which Deno's exec() tells alone. */
const SQLITE_FULL = 13;
const SQLITE_FULL_TEXT = "database or disk is full";

export function isFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  return code === "ENOSPC" || code === "EDQUOT" || errcode === SQLITE_FULL ||
    error.message === SQLITE_FULL_TEXT;
}

/**
 * Does what the run cannot go on without.
 * @throws {VaultError} that says what to do where the disk has no room for it.
 */
export function withRoom<T>(stateDirectory: string | undefined, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!isFull(error)) throw error;
    throw new VaultError(
      `The disk of ${stateDirectory} is full: make room, and start with the same --state again; ` +
        "nothing that was accepted is lost",
      { cause: error, isFull: true },
    );
  }
}
