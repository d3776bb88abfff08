/** libddsc for the tests: fetched once, opened once, for good, so that no test is blamed for it. */

import { type Cyclone, openCyclone } from "../../../src/protocols/dds/cyclone.ts";
import { fetchLibrary } from "../../../src/protocols/dds/fetch_library.ts";
import { findLibrary } from "../../../src/protocols/dds/library.ts";

await fetchLibrary();

/** What the product would use here. */
export const library = findLibrary() ?? "";

export const cyclone: Cyclone = openCyclone(library);
