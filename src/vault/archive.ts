/** A state directory, read: also while a server writes it, as SQLite's WAL lets readers be. */

import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Records } from "./records.ts";
import { VaultError } from "./vault_error.ts";

const LEDGER = "ledger.sqlite";

/** A model that is kept. */
export interface KeptModel {
  readonly round: number;
  readonly bytes: number;
  readonly path: string;
}

export class Archive implements Disposable {
  readonly directory: string;
  readonly records: Records;
  readonly #database: DatabaseSync;

  /** @throws {VaultError} for a directory that holds no run. */
  constructor(directory: string) {
    this.directory = directory;
    if (!isRun(directory)) {
      throw new VaultError(`${directory} holds no run: name what \`serve --state\` was given`);
    }
    this.#database = new DatabaseSync(join(directory, LEDGER), { readOnly: true });
    this.records = new Records(this.#database);
  }

  /** Oldest first. */
  models(): KeptModel[] {
    const folder = join(this.directory, "models");
    return [...Deno.readDirSync(folder)].flatMap(({ name }) => {
      const [, round] = /^round-(\d+)\.safetensors$/.exec(name) ?? [];
      const path = join(folder, name);
      const bytes = round === undefined ? undefined : sizeOf(path);
      return bytes === undefined ? [] : [{ round: Number(round), bytes, path }];
    }).sort((left, right) => left.round - right.round);
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}

/** The state directories that a path names: itself, or those in it, by name. */
export function runsIn(path: string): string[] {
  if (isRun(path)) return [path];
  const folders = [...Deno.readDirSync(path)].filter(({ isDirectory }) => isDirectory);
  return folders.map(({ name }) => join(path, name)).filter(isRun).sort();
}

/** Whether a server that starts on this directory goes on with a run, and begins none. */
export function holdsRun(directory: string): boolean {
  try {
    using archive = new Archive(directory);
    return archive.records.run() !== undefined;
  } catch {
    return false; // whatever is wrong with it, the vault says when it opens it
  }
}

function isRun(directory: string): boolean {
  return sizeOf(join(directory, LEDGER)) !== undefined;
}

/** Undefined for what is not there, any more. */
function sizeOf(path: string): number | undefined {
  try {
    const { isFile, size } = Deno.statSync(path);
    return isFile ? size : undefined;
  } catch (error) {
    const gone = error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotADirectory;
    if (gone) return undefined;
    throw error;
  }
}
