/** Which of the configured wires can run on this machine. */

import type { Config } from "../config.ts";
import { ListenError } from "../contract/protocol_server.ts";
import { findLibrary, isFile, LIBRARY_ADVICE } from "../protocols/dds/library.ts";

export interface Available {
  /** As configured, with the wires that can run and the library that DDS stands on. */
  readonly config: Config;
  /** By wire: one sentence that says why it is left out. */
  readonly missing: Readonly<Record<string, string>>;
}

/**
 * A wire that lacks what it stands on is left out, unless it is `mandatory`.
 * @throws {ListenError} when a mandatory wire cannot run, or what the operator named is not there.
 */
export function available(
  config: Config,
  { mandatory = false }: { mandatory?: boolean } = {},
): Available {
  if (!config.protocols.includes("dds")) return { config, missing: {} };
  checkNamed(config.dds.library);
  const library = findLibrary(config.dds.library);
  if (library !== undefined) {
    return { config: { ...config, dds: { ...config.dds, library } }, missing: {} };
  }
  const reason = `DDS needs libddsc: ${LIBRARY_ADVICE}`;
  if (mandatory) throw new ListenError(reason);
  const protocols = config.protocols.filter((wire) => wire !== "dds");
  return { config: { ...config, protocols }, missing: { dds: reason } };
}

/** Before anything is started. A name without a folder is for the system's loader to find. */
function checkNamed(library: string | undefined): void {
  if (library === undefined || !/[/\\]/.test(library) || isFile(library)) return;
  throw new ListenError(
    `--dds-library names ${library}, but there is no such file; name libddsc of Cyclone DDS, or ` +
      "leave it out, and one is looked for",
  );
}
