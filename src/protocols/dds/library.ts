/** Where libddsc is: given, embedded or fetched, or the system's. */

import { fileURLToPath } from "node:url";
import { embeddedLibrary } from "./embedded_library.ts";

/** Cyclone DDS's release that set-up fetches. */
export const RELEASE = "11.0.1";

const FILE_NAMES: Partial<Record<typeof Deno.build.os, string>> = {
  linux: `libddsc-${RELEASE}.so`,
  darwin: `libddsc-${RELEASE}.dylib`,
  windows: `ddsc-${RELEASE}.dll`,
};

/** The fetched library's file name on this system. */
export const FETCHED_NAME = FILE_NAMES[Deno.build.os] ?? FILE_NAMES.linux ?? "";

/** Where set-up puts it: ignored by git. */
export const FETCHED_DIRECTORY = new URL("../../../.cache/libddsc/", import.meta.url);

/** Names under which distributions install it, newest first. */
const SYSTEM_NAMES: Partial<Record<typeof Deno.build.os, readonly string[]>> = {
  linux: ["libddsc.so.11", "libddsc.so.0", "libddsc.so.0debian", "libddsc.so"],
  darwin: ["libddsc.11.dylib", "libddsc.0.dylib", "libddsc.dylib"],
  windows: ["ddsc.dll"],
};

/** Where the dynamic loader looks by itself. */
const SYSTEM_DIRECTORIES: Partial<Record<typeof Deno.build.os, readonly string[]>> = {
  linux: [
    "/usr/local/lib/",
    "/usr/lib/x86_64-linux-gnu/",
    "/usr/lib/aarch64-linux-gnu/",
    "/usr/lib64/",
    "/usr/lib/",
    "/lib64/",
    "/lib/",
  ],
  darwin: ["/opt/homebrew/lib/", "/usr/local/lib/"],
  windows: ["C:\\Windows\\System32\\"],
};

/** What to do where it is not to be had; the end of a sentence. */
export const LIBRARY_ADVICE =
  "install Cyclone DDS (e.g. Debian's libddsc0debian), or let `deno task demo` fetch it with pip, or " +
  "name the file in --dds-library";

/** libddsc is not to be had; the message is one sentence. */
export class LibraryError extends Error {
  override readonly name = "LibraryError";
}

/**
 * The library to open: `option` where given, else an executable's own copy, the system's, or the one
 * that set-up fetched, whichever is there first.
 * @throws {LibraryError} when an executable cannot unpack its own.
 */
export function findLibrary(option?: string): string | undefined {
  if (option !== undefined) return option;
  const embedded = embeddedLibrary();
  if (embedded !== undefined) return embedded;
  const fetched = fileURLToPath(new URL(FETCHED_NAME, FETCHED_DIRECTORY));
  const directories = SYSTEM_DIRECTORIES[Deno.build.os] ?? [];
  const names = SYSTEM_NAMES[Deno.build.os] ?? [];
  const system = names.flatMap((name) => directories.map((directory) => directory + name));
  return [...system, fetched].find(isFile);
}

/** False also where reading is not permitted. */
export function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
