/** Files that the operator names. */

import { ConfigError } from "../config/config_error.ts";

/**
 * @param kind What to name instead, e.g. "a TOML file".
 * @throws {ConfigError} with one sentence that names the flag, the path and what to change.
 */
export async function readNamedFile(
  flag: string,
  path: string,
  kind = "a file",
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    const reason = error instanceof Deno.errors.NotFound
      ? "there is no such file"
      : error instanceof Deno.errors.PermissionDenied
      ? "this user may not read it"
      : error instanceof Error
      ? error.message
      : String(error);
    throw new ConfigError([`${flag} names ${path}, but ${reason}; name ${kind}`], { cause: error });
  }
}
