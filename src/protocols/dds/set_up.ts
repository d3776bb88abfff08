/** `deno task setup`: fetches what DDS stands on. Without it the other wires work all the same. */

import { fetchLibrary } from "./fetch_library.ts";
import { findLibrary } from "./library.ts";

if (import.meta.main && findLibrary() === undefined) {
  try {
    await fetchLibrary();
  } catch (error) {
    const sentence = error instanceof Error ? error.message : String(error);
    await Deno.stderr.write(new TextEncoder().encode(`DDS is off: ${sentence}\n`));
  }
}
