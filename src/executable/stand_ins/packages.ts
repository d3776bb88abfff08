/** In the executable, for src/packages.ts: the files are beside its modules. */

import { fileURLToPath } from "node:url";
import { FILES, placeOf } from "../files.ts";

export function packageFile(specifier: string): string | undefined {
  const file = FILES.find((each) => each.specifier === specifier);
  if (file === undefined) return undefined;
  return fileURLToPath(new URL(placeOf(file), import.meta.url));
}
