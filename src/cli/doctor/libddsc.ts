/** Whether DDS has the library that it stands on: found, and really loaded. */

import type { Config } from "../../config.ts";
import { openCyclone } from "../../protocols/dds/cyclone.ts";
import { findLibrary, LIBRARY_ADVICE, LibraryError } from "../../protocols/dds/library.ts";
import { failed, type Finding, ok, warning } from "./finding.ts";

const CHECK = "libddsc";

/** @param mandatory DDS was asked for by name, so a server without it does not start. */
export function checkLibddsc(
  { protocols, dds }: Config,
  { mandatory }: { readonly mandatory: boolean },
): Finding {
  if (!protocols.includes("dds")) return ok(CHECK, "not needed: DDS is not among --protocols");
  try {
    const path = findLibrary(dds.library);
    if (path === undefined) {
      return mandatory
        ? failed(CHECK, "there is none, and DDS is among --protocols", LIBRARY_ADVICE)
        : warning(CHECK, "there is none, so DDS is left out", LIBRARY_ADVICE);
    }
    const cyclone = openCyclone(path);
    const kind = cyclone.dds_dynamic_type_create === null ? "0.10" : "11";
    return ok(CHECK, `${path} loads: Cyclone DDS ${versionIn(path) ?? kind}`);
  } catch (error) {
    if (!(error instanceof LibraryError)) throw error;
    if (dds.library === undefined && !mandatory) {
      return warning(CHECK, `${error.message}, so DDS is left out`, LIBRARY_ADVICE);
    }
    const todo = dds.library === undefined
      ? LIBRARY_ADVICE
      : "name another file by --dds-library, or leave it out, and one is looked for";
    return failed(CHECK, error.message, todo);
  }
}

/** The library itself does not tell; the file that a name leads to does: libddsc.so.0.10.2. */
function versionIn(path: string): string | undefined {
  try {
    return /(\d+\.\d+\.\d+)/.exec(Deno.realPathSync(path).split("/").at(-1) ?? "")?.[1];
  } catch {
    return undefined; // a name that the loader finds by itself
  }
}
