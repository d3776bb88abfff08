/** A model as a file that the operator has named: `join --out`, `models export --out`. */

import { replaceFile } from "../client/state_file.ts";
import { Failure } from "./exit.ts";

/**
 * Whoever reads the file has the model of one run or the next, never half of one.
 * @throws {Failure}
 */
export async function saveModel(path: string, model: Uint8Array): Promise<void> {
  try {
    await writeModel(path, model);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Failure(`The final model could not be written to ${path}: ${reason}`, {
      cause: error,
    });
  }
}

/** The same; throws what the system says. */
export async function writeModel(path: string, model: Uint8Array): Promise<void> {
  const target = await targetOf(path);
  if (target === undefined) await Deno.writeFile(path, model);
  else await replaceFile(target, { pieces: [model], mode: 0o666 }); // less the umask
}

/** The file that is to be replaced; undefined for a device or a pipe, which must not be. */
async function targetOf(path: string): Promise<string | undefined> {
  try {
    const { isFile } = await Deno.stat(path);
    return isFile ? await Deno.realPath(path) : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return path;
    throw error;
  }
}
