/**
 * One file of a client's state directory: a line that names the format and checks the next one, a
 * line of JSON that says what it is and checks the bytes, the bytes.
 */

import { dirname } from "node:path";
import { z } from "zod";

const MAGIC = "tributary client state 1";
/** Of both lines. */
const MOST_HEAD_BYTES = 64 * 1024;
const UNFINISHED = ".unfinished";

/** The file is damaged, or not this client's; the message says how, after the file's name. */
export class ForeignFile extends Error {
  override readonly name = "ForeignFile";
}

export interface FileContent {
  /** As JSON; the file's kind sees to its shape. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly bytes: Uint8Array;
}

const headSchema = z.object({
  fields: z.record(z.string(), z.unknown()),
  bytes: z.number().int().nonnegative(),
  sha256: z.string(),
});

/** Replaces a file at one blow: whoever reads it has the old or the new one, also after a power cut. */
export async function writeStateFile(
  path: string,
  { fields, bytes }: FileContent,
): Promise<void> {
  const head = JSON.stringify({ fields, bytes: bytes.length, sha256: await sha256(bytes) });
  const encoder = new TextEncoder();
  const check = await sha256(encoder.encode(head));
  await replaceFile(path, {
    pieces: [encoder.encode(`${MAGIC} ${check}\n${head}\n`), bytes],
    mode: 0o600,
  });
}

/** The same for any file. @param mode Of the new file, as open(2) takes it. */
export async function replaceFile(
  path: string,
  { pieces, mode }: { pieces: readonly Uint8Array[]; mode: number },
): Promise<void> {
  const temporary = path + UNFINISHED;
  // Made anew: what is there of another process may be a link, or open to others.
  await removeFile(temporary);
  try {
    using file = await Deno.open(temporary, { write: true, createNew: true, mode });
    for (const piece of pieces) {
      for (let written = 0; written < piece.length;) {
        written += await file.write(piece.subarray(written));
      }
    }
    await file.sync();
    await Deno.rename(temporary, path);
  } catch (error) {
    await removeFile(temporary); // half a file is of no use, and takes room
    throw error;
  }
  await syncFolder(path);
}

/** What a process that was killed while it wrote has left. */
export async function removeUnfinished(path: string): Promise<void> {
  await removeFile(path + UNFINISHED);
}

export async function removeFile(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Makes sure that the name of a file is on the disk. */
async function syncFolder(path: string): Promise<void> {
  if (Deno.build.os === "windows") return; // directories cannot be opened; NTFS journals names
  using folder = await Deno.open(dirname(path));
  await folder.sync();
}

/**
 * Undefined where there is none.
 * @throws {ForeignFile} for what `writeStateFile` has not written, or not like this.
 */
export async function readStateFile(
  path: string,
): Promise<{ fields: FileContent["fields"]; bytes: Uint8Array<ArrayBuffer> } | undefined> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  using _ = file;
  const start = new Uint8Array(MOST_HEAD_BYTES);
  const begun = start.subarray(0, await fill(file, start));
  const first = begun.indexOf(0x0a);
  const second = begun.indexOf(0x0a, first + 1);
  const [line, head] = [begun.subarray(0, first), begun.subarray(first + 1, second)];
  if (first < 0 || second < 0 || !new TextDecoder().decode(line).startsWith(`${MAGIC} `)) {
    throw new ForeignFile("is no file of a Tributary client");
  }
  if (new TextDecoder().decode(line) !== `${MAGIC} ${await sha256(head)}`) {
    throw new ForeignFile("is damaged");
  }
  const { data: said } = headSchema.safeParse(JSON.parse(new TextDecoder().decode(head)));
  if (said === undefined) throw new ForeignFile("is of another version of Tributary");
  const held = begun.subarray(second + 1);
  const { size } = await Deno.stat(path);
  if (size !== second + 1 + said.bytes) throw new ForeignFile("is cut short, or goes on");
  const bytes = new Uint8Array(said.bytes);
  bytes.set(held);
  await fill(file, bytes.subarray(held.length));
  if (await sha256(bytes) !== said.sha256) throw new ForeignFile("is damaged");
  return { fields: said.fields, bytes };
}

/** Reads until the buffer is full or the file ends. Gives back how much there was. */
async function fill(file: Deno.FsFile, into: Uint8Array): Promise<number> {
  let filled = 0;
  while (filled < into.length) {
    const count = await file.read(into.subarray(filled));
    if (count === null) break;
    filled += count;
  }
  return filled;
}

async function sha256(bytes: Uint8Array): Promise<string> {
  // Off this thread; a view of a buffer of its own, as WebCrypto wants it.
  const digest = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return new Uint8Array(digest).toHex();
}
