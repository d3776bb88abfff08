/** The executables that `deno task compile` made. */

import { createHash } from "node:crypto";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { ReleaseError } from "./part.ts";

export interface Executable {
  readonly name: string;
  readonly sha256: string;
  readonly bytes: number;
  /** The Deno in it, e.g. 2.9.6. */
  readonly deno: string;
}

/** The first four bytes of ELF, Mach-O (64 bits, little end first) and PE files. */
const MAGIC: readonly RegExp[] = [/^7f454c46/, /^cffaedfe/, /^4d5a/];

/** As what Deno's `fetch` introduces itself, with its commit: nothing else in it looks so. */
const AGENT = /^Deno\/(\d+\.\d+\.\d+)\+[0-9a-f]{7}/;

/**
 * All of a folder, by name.
 * @throws {ReleaseError} where there is none, or one that Deno did not make.
 */
export async function executablesIn(directory: string): Promise<Executable[]> {
  const executables: Executable[] = [];
  for (const name of await namesIn(directory)) {
    const bytes = await Deno.readFile(join(directory, name));
    if (!MAGIC.some((magic) => magic.test(bytes.subarray(0, 4).toHex()))) continue;
    const deno = denoIn(bytes);
    if (deno === undefined) {
      throw new ReleaseError(`${join(directory, name)} holds no Deno; remove it, or compile again`);
    }
    executables.push({ name, sha256: sha256(bytes), bytes: bytes.length, deno });
  }
  if (executables.length > 0) return executables;
  throw new ReleaseError(`${directory} has no executable; run \`deno task compile\` first`);
}

export function sha256(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

async function namesIn(directory: string): Promise<string[]> {
  const found: string[] = [];
  try {
    for await (const { name, isFile } of Deno.readDir(directory)) {
      if (isFile && name.startsWith("tributary")) found.push(name);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return found.sort();
}

/** The version of the Deno that a file holds; undefined where it holds none. */
export function denoIn(bytes: Uint8Array<ArrayBuffer>): string | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = buffer.indexOf("Deno/"); at !== -1; at = buffer.indexOf("Deno/", at + 1)) {
    const version = AGENT.exec(buffer.toString("latin1", at, at + 40))?.[1];
    if (version !== undefined) return version;
  }
  return undefined;
}
