/** `join --state`: where a client keeps what it goes on with. */

import { ClientState } from "../client/client_state.ts";
import type { Log } from "../log.ts";
import { OperatorError } from "./exit.ts";

export interface ClientStateFlags {
  /** `--id`. */
  readonly id: string | undefined;
  readonly newClientId: () => string;
  readonly log: Log;
}

/**
 * Undefined without `--state`.
 * @throws {OperatorError} where the directory cannot be used.
 */
export async function openClientState(
  directory: string | undefined,
  { id, newClientId, log }: ClientStateFlags,
): Promise<ClientState | undefined> {
  if (directory === undefined) return undefined;
  const report = (reason: string) => log.write("warning", "state incomplete", { reason });
  try {
    return await ClientState.open(directory, { clientId: id, newClientId, report });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new OperatorError(`--state: ${error.message}`, { cause: error });
  }
}
