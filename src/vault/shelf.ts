/** The state directory's files. What must be whole is written to a temporary name, synced, renamed. */

import { join } from "node:path";
import type { RoundRecord } from "./ledger.ts";

/** Without a directory, only what the vault itself holds in memory is there. */
export class Shelf implements Disposable {
  readonly #directory: string | undefined;
  readonly #uploads = new Map<string, { file: Deno.FsFile; name: string }>();
  #nextUpload = 0;

  constructor(directory: string | undefined) {
    this.#directory = directory;
    if (directory === undefined) return;
    for (const room of ["models", "uploads", "updates"]) {
      Deno.mkdirSync(join(directory, room), { recursive: true });
    }
  }

  /**
   * Removes what an ended process left behind: uploads that were not finished, which start again at
   * 0, and updates that nobody has recorded.
   */
  sweep(recorded: ReadonlySet<string>): void {
    if (this.#directory === undefined) return;
    for (const room of ["uploads", "updates"]) {
      for (const { name } of Deno.readDirSync(join(this.#directory, room))) {
        if (!recorded.has(join(room, name))) Deno.removeSync(join(this.#directory, room, name));
      }
    }
  }

  get ledgerPath(): string {
    return this.#directory === undefined ? ":memory:" : join(this.#directory, "ledger.sqlite");
  }

  startUpload(client: string): void {
    this.dropUpload(client);
    if (this.#directory === undefined) return;
    const name = join("uploads", `${this.#nextUpload++}.part`);
    const path = join(this.#directory, name);
    const file = Deno.openSync(path, { write: true, create: true, truncate: true });
    this.#uploads.set(client, { file, name });
  }

  /** At its offset: a write that failed half-way is repeated over what it left. */
  write(client: string, bytes: Uint8Array, offset: number): void {
    const file = this.#uploads.get(client)?.file;
    if (file === undefined) return;
    file.seekSync(offset, Deno.SeekMode.Start);
    for (let written = 0; written < bytes.length;) {
      written += file.writeSync(bytes.subarray(written));
    }
  }

  dropUpload(client: string): void {
    const upload = this.#uploads.get(client);
    if (upload === undefined || this.#directory === undefined) return;
    upload.file.close();
    this.#uploads.delete(client);
    Deno.removeSync(join(this.#directory, upload.name));
  }

  /** The upload becomes the answer to a task. Gives back its name. */
  finishUpload(client: string, { round, taskId }: { round: number; taskId: number }): string {
    const upload = this.#uploads.get(client);
    if (upload === undefined || this.#directory === undefined) return "";
    upload.file.close();
    this.#uploads.delete(client);
    // Not by client: where a file system ignores case, two clients would be one.
    const name = join("updates", `${round}-${taskId}.safetensors`);
    Deno.renameSync(join(this.#directory, upload.name), join(this.#directory, name));
    return name;
  }

  update(name: string): Uint8Array<ArrayBuffer> {
    return Deno.readFileSync(join(this.#directory ?? "", name));
  }

  dropUpdates(names: readonly string[]): void {
    if (this.#directory === undefined) return;
    for (const name of names) removeIfThere(join(this.#directory, name));
  }

  saveModel(round: number, bytes: Uint8Array): void {
    this.#write(modelName(round), bytes);
  }

  model(round: number): Uint8Array<ArrayBuffer> | undefined {
    return this.#read(modelName(round));
  }

  saveStrategyState(round: number, bytes: Uint8Array): void {
    this.#write(strategyName(round), bytes);
  }

  strategyState(round: number): Uint8Array<ArrayBuffer> | undefined {
    return this.#read(strategyName(round));
  }

  /** Removes what is older than the newest `keep` models, of which `round` is the last. */
  prune(round: number, keep: number): void {
    if (this.#directory === undefined) return;
    const models = join(this.#directory, "models");
    for (const { name } of [...Deno.readDirSync(models)]) {
      const [, of] = /^round-(\d+)\./.exec(name) ?? [];
      if (of !== undefined && Number(of) <= round - keep) removeIfThere(join(models, name));
    }
  }

  saveFinal(bytes: Uint8Array, history: readonly RoundRecord[]): string | undefined {
    if (this.#directory === undefined) return undefined;
    this.#write("history.json", new TextEncoder().encode(JSON.stringify(history, undefined, 2)));
    this.#write("model.safetensors", bytes);
    return join(this.#directory, "model.safetensors");
  }

  #read(name: string): Uint8Array<ArrayBuffer> | undefined {
    if (this.#directory === undefined) return undefined;
    try {
      return Deno.readFileSync(join(this.#directory, name));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  }

  #write(name: string, bytes: Uint8Array): void {
    if (this.#directory === undefined) return;
    const path = join(this.#directory, name);
    const temporary = `${path}.new`;
    {
      using file = Deno.openSync(temporary, { write: true, create: true, truncate: true });
      for (let written = 0; written < bytes.length;) {
        written += file.writeSync(bytes.subarray(written));
      }
      file.syncSync();
    }
    Deno.renameSync(temporary, path);
  }

  [Symbol.dispose](): void {
    for (const client of [...this.#uploads.keys()]) this.dropUpload(client);
  }
}

function modelName(round: number): string {
  return join("models", `round-${String(round).padStart(6, "0")}.safetensors`);
}

function strategyName(round: number): string {
  return join("models", `round-${String(round).padStart(6, "0")}.strategy.safetensors`);
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
