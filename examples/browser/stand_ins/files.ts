/** In a page, for src/client/datasets/files.ts: files are fetched, also those that the user picked. */

import { DatasetError } from "../../../src/client/datasets/dataset.ts";

/** @param path A URL; that of a picked file is a `blob:`. */
export async function readFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  let reason: string;
  try {
    const response = await fetch(path);
    if (response.ok) return new Uint8Array(await response.arrayBuffer());
    reason = await response.text();
  } catch (error) {
    reason = String(error);
  }
  throw new DatasetError(`Cannot read ${path}: ${reason.trim()}`);
}
