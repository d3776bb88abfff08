/** In the executable, for src/protocols/dds/embedded_library.ts: unpacked once, until the process ends. */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { FETCHED_NAME, LibraryError } from "../../protocols/dds/library.ts";
import { PrivateDirectory } from "../../private_directory.ts";
import { LIBRARY } from "../files.ts";

let unpacked: string | undefined;

export function embeddedLibrary(): string | undefined {
  return unpacked ??= unpack(fileURLToPath(new URL(LIBRARY, import.meta.url)));
}

function unpack(packed: string): string | undefined {
  try {
    Deno.statSync(packed);
  } catch {
    return undefined; // there is none for this system
  }
  try {
    const directory = PrivateDirectory.make();
    globalThis.addEventListener("unload", () => directory[Symbol.dispose]());
    const path = join(directory.path, FETCHED_NAME);
    Deno.writeFileSync(path, gunzipSync(Deno.readFileSync(packed)), { mode: 0o500 });
    return path;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new LibraryError(
      `DDS needs a temporary directory to unpack libddsc into (${reason}): set TMPDIR to one`,
    );
  }
}
