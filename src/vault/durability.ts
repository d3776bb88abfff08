/** What an accepted update, and a saved model, survive. */

/**
 * `process`: the end of the process, however it comes; models and closed rounds survive a power cut,
 * too. `power`: all of it survives a power cut. `none`: nothing is synced, for benchmarks.
 */
export type Durability = "process" | "power" | "none";

/** Makes sure that names made or changed in a directory are on the disk. */
export function syncDirectory(path: string): void {
  if (Deno.build.os === "windows") return; // directories cannot be opened; NTFS journals names
  using directory = Deno.openSync(path);
  directory.syncSync();
}
