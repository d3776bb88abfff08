/** The state directory's files. What must be whole is written to a temporary name, synced, renamed. */

import { dirname, join } from "node:path";
import { type Durability, syncDirectory } from "./durability.ts";
import type { RoundRecord } from "./ledger.ts";

/** What was removed of an ended process's. */
export interface Swept {
  readonly files: number;
  readonly bytes: number;
}

const ROOMS = ["models", "uploads", "updates"] as const;
/** Ends the name of a file that is being written. */
const UNFINISHED = ".new";

/** Without a directory, only what the vault itself holds in memory is there. */
export class Shelf implements Disposable {
  readonly #directory: string | undefined;
  readonly #durability: Durability;
  readonly #uploads = new Map<string, { file: Deno.FsFile; name: string }>();
  /** Held as long as the shelf is: two servers must not write one run. */
  #lock: Deno.FsFile | undefined;
  #nextUpload = 0;

  /** @throws {Error} at once where another server uses the directory. */
  constructor(directory: string | undefined, durability: Durability) {
    this.#directory = directory;
    this.#durability = durability;
    if (directory === undefined) return;
    for (const room of ROOMS) Deno.mkdirSync(join(directory, room), { recursive: true });
    // The operating system lets go of it when the process ends, however that comes.
    const lock = Deno.openSync(join(directory, "ledger.lock"), { write: true, create: true });
    if (!lock.tryLockSync(true)) {
      lock.close();
      throw new Error("another server is using it");
    }
    this.#lock = lock;
    if (durability !== "none") syncDirectory(directory);
  }

  /**
   * Removes what an ended process left behind: uploads that were not finished, which start again at
   * 0, updates that nobody has recorded, and files that were not written to their end.
   */
  sweep(recorded: ReadonlySet<string>): Swept {
    const left = (["", ...ROOMS] as const).flatMap((room) =>
      this.#names(room).filter((name) =>
        name.endsWith(UNFINISHED) || room === "uploads" ||
        room === "updates" && !recorded.has(name)
      )
    );
    let bytes = 0;
    for (const name of left) {
      const path = join(this.#directory ?? "", name);
      bytes += Deno.statSync(path).size;
      Deno.removeSync(path);
    }
    return { files: left.length, bytes };
  }

  /** Of the files in one room, each as the ledger writes it. */
  #names(room: string): string[] {
    if (this.#directory === undefined) return [];
    const entries = [...Deno.readDirSync(join(this.#directory, room))];
    return entries.filter(({ isFile }) => isFile).map(({ name }) => join(room, name));
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
    const power = this.#durability === "power";
    if (power) upload.file.syncDataSync();
    upload.file.close();
    this.#uploads.delete(client);
    // Not by client: where a file system ignores case, two clients would be one.
    const name = join("updates", `${round}-${taskId}.safetensors`);
    Deno.renameSync(join(this.#directory, upload.name), join(this.#directory, name));
    if (power) syncDirectory(join(this.#directory, "updates"));
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
    const temporary = path + UNFINISHED;
    const synced = this.#durability !== "none";
    {
      using file = Deno.openSync(temporary, { write: true, create: true, truncate: true });
      for (let written = 0; written < bytes.length;) {
        written += file.writeSync(bytes.subarray(written));
      }
      if (synced) file.syncSync();
    }
    Deno.renameSync(temporary, path);
    if (synced) syncDirectory(dirname(path));
  }

  [Symbol.dispose](): void {
    for (const client of [...this.#uploads.keys()]) this.dropUpload(client);
    this.#lock?.close();
    this.#lock = undefined;
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
