/** What a package manager of Deno's does not bring. */

import { fetchLibrary } from "../protocols/dds/fetch_library.ts";
import { findLibrary } from "../protocols/dds/library.ts";
import type { Io } from "./io.ts";

/** Fetches libddsc where there is none; where that fails, says why, and DDS is left out. */
export async function setUpDds(io: Io): Promise<void> {
  // An executable has brought what there is for it.
  if (Deno.build.standalone || findLibrary() !== undefined) return;
  io.stderr.write("fetching libddsc with pip, once\n");
  try {
    await fetchLibrary();
  } catch (error) {
    io.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  }
}
