/** Where the bytes of a data set are. In browsers another file stands in for this one. */

import { DatasetError } from "./dataset.ts";

/** @throws DatasetError with one sentence that says why it cannot be read. */
export async function readFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    throw new DatasetError(`Cannot read ${path}: ${reason(error)}`);
  }
}

function reason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.IsADirectory) return "it is a directory";
  if (error instanceof Deno.errors.PermissionDenied) return "it must not be read by this user";
  return error instanceof Error ? error.message : String(error);
}
