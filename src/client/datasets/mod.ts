/** Opens the data set that `--data` names. */

import { decodeCsv } from "./csv.ts";
import { type Dataset, DatasetError, joinTable, type Table, takeRows } from "./dataset.ts";
import { readFile } from "./files.ts";
import { decodeIdx, isIdx } from "./idx.ts";
import { installMnist } from "./mnist.ts";
import { decodeNpy, isNpy } from "./npy.ts";
import { partitionByLabel } from "./partition.ts";
import { type DatasetSpec, parseSpec } from "./spec.ts";

/** The files a data set is read from: all that must be readable. @throws DatasetError */
export function datasetFiles(spec: string): readonly string[] {
  return parseSpec(spec).paths;
}

/**
 * Reads the samples that `spec` names (see `parseSpec`). Formats are told apart by content; gzip
 * is unpacked. Bytes are scaled to [0, 1] unless `scale` says otherwise.
 *
 * @throws DatasetError with one sentence that says what to change.
 */
export async function openDataset(spec: string): Promise<Dataset> {
  const parsed = parseSpec(spec);
  if (parsed.mnist !== undefined) await installMnist();
  const table = await readTable(parsed);
  const { share } = parsed;
  const rows = share && partitionByLabel(table.labels, table.classes, share).rows[share.index];
  const divisor = parsed.divisor ?? (table.features.values instanceof Uint8Array ? 255 : 1);
  return takeRows(table, { ...(rows && { rows }), divisor, name: parsed.paths[0] });
}

async function readTable(spec: DatasetSpec): Promise<Table> {
  const [path, labelsPath] = spec.paths;
  const bytes = await readUnpacked(path);
  if (labelsPath === undefined) {
    if (isIdx(bytes) || isNpy(bytes)) {
      throw new DatasetError(
        `${path} holds features or labels alone: name both files, FEATURES,LABELS`,
      );
    }
    return decodeCsv(bytes, { ...spec, path });
  }
  const labelsBytes = await readUnpacked(labelsPath);
  const decode = isNpy(bytes) ? decodeNpy : decodeIdx;
  return joinTable(decode(bytes, path), decode(labelsBytes, labelsPath), {
    features: path,
    labels: labelsPath,
  });
}

/** A file's bytes, unpacked if they are gzip (RFC 1952 §2.3.1: first bytes 1f 8b). */
async function readUnpacked(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await readFile(path);
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(unpacked).arrayBuffer());
  } catch {
    throw new DatasetError(`${path} is damaged gzip: get it again`);
  }
}
