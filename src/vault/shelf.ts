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
    // An upload that was not finished when the process ended starts again at 0.
    for (const entry of Deno.readDirSync(join(directory, "uploads"))) {
      Deno.removeSync(join(directory, "uploads", entry.name));
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

  append(client: string, bytes: Uint8Array): void {
    const file = this.#uploads.get(client)?.file;
    if (file === undefined) return;
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

  /** The upload becomes an update of the round. Gives back its name. */
  finishUpload(client: string, round: number): string {
    const upload = this.#uploads.get(client);
    if (upload === undefined || this.#directory === undefined) return "";
    upload.file.close();
    this.#uploads.delete(client);
    const name = join("updates", `${round}-${client}.safetensors`);
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
    for (const name of [modelName(round - keep), strategyName(round - keep)]) {
      removeIfThere(join(this.#directory, name));
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
