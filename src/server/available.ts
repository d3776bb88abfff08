/** Which of the configured wires can run on this machine. */

import type { Config } from "../config.ts";
import { ListenError } from "../contract/protocol_server.ts";
import { openCyclone } from "../protocols/dds/cyclone.ts";
import { findLibrary, isFile, LIBRARY_ADVICE, LibraryError } from "../protocols/dds/library.ts";
import { grpcRefusal } from "../protocols/grpc/support.ts";
import type { ProtocolName } from "../protocols/mod.ts";

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
  let possible = config;
  const missing: Record<string, string> = {};
  const leaveOut = (wire: ProtocolName, reason: string) => {
    if (mandatory) throw new ListenError(reason);
    missing[wire] = reason;
    const protocols = possible.protocols.filter((each) => each !== wire);
    possible = { ...possible, protocols };
  };
  if (config.protocols.includes("grpc")) {
    const refusal = grpcRefusal();
    if (refusal !== undefined) leaveOut("grpc", refusal);
  }
  if (config.protocols.includes("dds")) {
    checkNamed(config.dds.library);
    const found = libraryFor(config);
    if ("refusal" in found) leaveOut("dds", found.refusal);
    else possible = { ...possible, dds: { ...possible.dds, library: found.library } };
  }
  return { config: possible, missing };
}

/** Loaded here once, so that what is no libddsc is known before anything is started. */
function libraryFor({ dds }: Config): { library: string } | { refusal: string } {
  try {
    const library = findLibrary(dds.library);
    if (library === undefined) return { refusal: `DDS needs libddsc: ${LIBRARY_ADVICE}` };
    openCyclone(library);
    return { library };
  } catch (error) {
    if (!(error instanceof LibraryError)) throw error;
    const refusal = `${error.message}; ${LIBRARY_ADVICE}`;
    if (dds.library !== undefined) throw new ListenError(refusal);
    return { refusal };
  }
}

/** Before anything is started. A name without a folder is for the system's loader to find. */
function checkNamed(library: string | undefined): void {
  if (library === undefined || !/[/\\]/.test(library) || isFile(library)) return;
  throw new ListenError(
    `--dds-library names ${library}, but there is no such file; name libddsc of Cyclone DDS, or ` +
      "leave it out, and one is looked for",
  );
}
