/** Whom `join` and `status` trust beside public authorities: `--ca`, or TRIBUTARY_CA. */

import { readAuthority } from "../server/authorities.ts";
import type { Io } from "./io.ts";

/** For `Command.option`. */
export const CA_OPTION = [
  "--ca <file>",
  "trust servers that the authority with this PEM certificate vouches for; else $TRIBUTARY_CA",
] as const;

/**
 * The authority's certificates in PEM; undefined where none is named.
 * @throws {ConfigError} for a file that holds none.
 */
export async function readCa(named: string | undefined, io: Io): Promise<string | undefined> {
  const path = named ?? (io.environment.TRIBUTARY_CA || undefined);
  if (path === undefined) return undefined;
  const flag = named === undefined ? "TRIBUTARY_CA" : "--ca";
  return await readAuthority(flag, path, "the server");
}
