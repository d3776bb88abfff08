/** Which packages the executables hold, and where this machine has them. */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { type Lock, nameIn, plain } from "./lock.ts";
import { ReleaseError } from "./part.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** These bring files that hold other packages already: what their source maps name. */
const PREBUILT: Readonly<Record<string, string>> = {
  "@tensorflow/tfjs": "dist/tf.fesm.min.js.map",
};

/** What `deno task compile` writes beside an executable: each as `name@version`. */
const list = z.object({ npm: z.array(z.string()), pypi: z.array(z.string()) });

export interface Inside {
  /** npm's, as `name@version`, in order. */
  readonly ids: readonly string[];
  /** Their folders. */
  readonly folders: ReadonlyMap<string, string>;
  /** By PyPI's `name@version`: the executables with files of it. */
  readonly pypi: ReadonlyMap<string, readonly string[]>;
}

/**
 * What all the executables hold together.
 * @param names Of executables in the directory.
 * @throws {ReleaseError} where it cannot be told.
 */
export async function packagesInside(
  directory: string,
  names: readonly string[],
  lock: Lock,
): Promise<Inside> {
  const ids = new Set<string>();
  const pypi = new Map<string, string[]>();
  for (const name of names) {
    const listed = await listOf(join(directory, name));
    for (const id of listed.npm) ids.add(plain(id));
    for (const id of listed.pypi) pypi.set(id, [...pypi.get(id) ?? [], name]);
  }
  const folders = await packageFolders();
  for (const id of [...ids]) {
    const map = PREBUILT[nameIn(id)];
    const folder = folders.get(id);
    if (map === undefined || folder === undefined) continue;
    for (const other of await packagesInMap(join(folder, map), lock.closure([id]))) ids.add(other);
  }
  return { ids: [...ids].sort(), folders, pypi };
}

async function listOf(executable: string): Promise<z.output<typeof list>> {
  const path = `${executable}.packages.json`;
  try {
    return list.parse(JSON.parse(await Deno.readTextFile(path)));
  } catch (error) {
    throw new ReleaseError(
      `${path} should list what is in ${executable}, but cannot be read; compile again`,
      { cause: error },
    );
  }
}

/** What of `deno info --json` is read. */
const information = z.object({
  npmPackages: z.record(z.string(), z.object({ localPath: z.string().optional() })),
});

/** Where Deno has each package of the lock. */
async function packageFolders(): Promise<Map<string, string>> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "main.ts"],
    cwd: ROOT,
    stdin: "null",
  }).output();
  if (!success) throw new ReleaseError(new TextDecoder().decode(stderr).trim());
  const { npmPackages } = information.parse(JSON.parse(new TextDecoder().decode(stdout)));
  const folders = new Map<string, string>();
  for (const [key, { localPath }] of Object.entries(npmPackages)) {
    if (localPath !== undefined) folders.set(plain(key), localPath);
  }
  return folders;
}

/** Of the candidates, those whose sources went into a built file. */
async function packagesInMap(path: string, candidates: readonly string[]): Promise<string[]> {
  const { sources } = z.object({ sources: z.array(z.string()) })
    .parse(JSON.parse(await Deno.readTextFile(path)));
  const names = new Set(
    sources.flatMap((source) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(source)?.[1] ?? []),
  );
  return candidates.filter((id) => names.has(nameIn(id)));
}
