/** Which of the configured wires can run on this machine. */

import type { Config } from "../config.ts";
import { ListenError } from "../contract/protocol_server.ts";
import { findLibrary } from "../protocols/dds/library.ts";
import type { ProtocolName } from "../protocols/mod.ts";

export interface Available {
  readonly wires: ProtocolName[];
  /** By wire: one sentence that says why it is left out. */
  readonly missing: Readonly<Record<string, string>>;
}

const NO_LIBRARY = "DDS needs libddsc, and there is none: run `deno task setup`, install Debian's " +
  "libddsc0debian or name one with --dds-library";

/**
 * A wire that lacks what it stands on is left out, unless it was asked for by name.
 * @throws {ListenError} when a wire that was asked for cannot run.
 */
export function availableWires(
  config: Config,
  { mandatory = false }: { mandatory?: boolean } = {},
): Available {
  const library = config.dds.library;
  if (!config.protocols.includes("dds") || findLibrary(library || undefined) !== undefined) {
    return { wires: [...config.protocols], missing: {} };
  }
  if (mandatory) throw new ListenError(NO_LIBRARY);
  return { wires: config.protocols.filter((wire) => wire !== "dds"), missing: { dds: NO_LIBRARY } };
}
