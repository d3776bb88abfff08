/** Makes of a folder of executables a release: sums to check them by, and what is inside them. */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { billOf } from "./bill.ts";
import { type Executable, executablesIn, sha256 } from "./executables.ts";
import { packagesInside } from "./inside.ts";
import { Lock } from "./lock.ts";
import { notices } from "./notices.ts";
import { MNIST, runtimes, wheels } from "./others.ts";
import { packagePart } from "./package.ts";
import type { Part } from "./part.ts";

export const FILES = {
  sums: "SHA256SUMS",
  bill: "tributary.cdx.json",
  licences: "LICENSES.txt",
} as const;

const LOCK = fileURLToPath(new URL("../../deno.lock", import.meta.url));

export interface Release {
  readonly executables: readonly Executable[];
  readonly parts: readonly Part[];
}

/**
 * Writes the three files beside the executables. The sums are last: where they are, all is.
 * @throws {ReleaseError} with one sentence where that cannot be.
 */
export async function release(directory: string): Promise<Release> {
  const executables = await executablesIn(directory);
  const lock = new Lock(await Deno.readTextFile(LOCK));
  const names = executables.map(({ name }) => name);
  const { ids, folders, pypi } = await packagesInside(directory, names, lock);
  const packages = await Promise.all(
    ids.map((id) => packagePart(id, { folder: folders.get(id), lock })),
  );
  const parts = [...await runtimes(executables), ...await wheels(pypi), MNIST, ...packages];
  const bill = await billOf(executables, parts);
  const licences = await notices(parts);
  await Deno.writeTextFile(join(directory, FILES.bill), bill);
  await Deno.writeTextFile(join(directory, FILES.licences), licences);
  const sums = sumsOf([
    ...executables,
    { name: FILES.bill, sha256: sha256(bill) },
    { name: FILES.licences, sha256: sha256(licences) },
  ]);
  await Deno.writeTextFile(join(directory, FILES.sums), sums);
  return { executables, parts };
}

/** As `sha256sum --check` reads it (GNU coreutils). */
export function sumsOf(
  files: readonly { readonly name: string; readonly sha256: string }[],
): string {
  return files.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join("");
}
