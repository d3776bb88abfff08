/** Whom `join` and `status` trust beside public authorities: `--ca`, or TRIBUTARY_CA. */

import { ConfigError } from "../config/config_error.ts";
import { readNamedFile } from "../server/named_file.ts";
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
  const text = new TextDecoder().decode(await readNamedFile(flag, path));
  if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
  throw new ConfigError([
    `${flag} names ${path}, which holds no certificate in PEM; name the ca.pem of the server`,
  ]);
}
