/** What the verbs have in common that read a state directory. */

import type { Command } from "commander";
import { VaultError } from "../vault/vault_error.ts";
import { type CommandText, makeCommand, parse } from "./command.ts";
import { OperatorError } from "./exit.ts";
import { type Format, formatOption } from "./format.ts";
import type { Io } from "./io.ts";

export function makeArchiveCommand(text: CommandText, io: Io): Command {
  return makeCommand(text, io)
    .requiredOption("--state <dir>", "the state directory, also of a running server")
    .addOption(formatOption("a table for people, or JSON on one line"));
}

/**
 * Reads the command line.
 * @throws {OperatorError} for one that does not fit.
 */
export async function parseArchive(
  command: Command,
  args: readonly string[],
): Promise<{ state: string; json: boolean }> {
  await parse(command, args);
  const { state, format } = command.opts<{ state: string; format: Format }>();
  return { state, json: format === "json" };
}

/**
 * Reads a state directory.
 * @throws {OperatorError} with one sentence for one that cannot be read.
 */
export function reading<T>(state: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof VaultError) throw new OperatorError(error.message, { cause: error });
    const reason = error instanceof Deno.errors.NotFound
      ? "there is no such directory"
      : error instanceof Error
      ? error.message
      : String(error);
    throw new OperatorError(`Cannot read the state directory ${state}: ${reason}`, {
      cause: error,
    });
  }
}
