/** The state directory's files. What must be whole is written to a temporary name, synced, renamed. */

import { dirname, join } from "node:path";
import { crc32 } from "node:zlib";
import { FileLock } from "../file_lock.ts";
import { type Durability, syncDirectory } from "./durability.ts";
import { IN_MEMORY, type RoundRecord } from "./ledger.ts";

/** What was removed of an ended process's. */
export interface Swept {
  readonly files: number;
  readonly bytes: number;
}

const ROOMS = ["models", "uploads", "updates"] as const;
/** Ends the name of a file that is being written. */
const UNFINISHED = ".new";
const STRATEGY_ENDING = ".strategy.safetensors";

interface Upload {
  readonly file: Deno.FsFile;
  readonly name: string;
  readonly totalBytes: number;
  /** Of what is written so far. */
  checksum: number;
}

/** CRC-32: it tells what a power cut left of a file, at no cost beside writing it. */
export function checksumOf(bytes: Uint8Array, before = 0): number {
  return crc32(bytes, before);
}

/** Without a directory, only what the vault itself holds in memory is there. */
export class Shelf implements Disposable {
  readonly #directory: string | undefined;
  readonly #durability: Durability;
  readonly #uploads = new Map<string, Upload>();
  /** Bytes by file name, of whole files; and of all of them, and what uploads have reserved. */
  readonly #sizes = new Map<string, number>();
  #usedBytes = 0;
  /** Held as long as the shelf is: two servers must not write one run. */
  #lock: FileLock | undefined;
  #nextUpload = 0;

  /** @throws {Error} at once where another server uses the directory. */
  constructor(directory: string | undefined, durability: Durability) {
    this.#directory = directory;
    this.#durability = durability;
    if (directory === undefined) return;
    for (const room of ["", ...ROOMS]) {
      Deno.mkdirSync(join(directory, room), { recursive: true, mode: 0o700 });
    }
    // The operating system lets go of it when the process ends, however that comes.
    this.#lock = FileLock.take(join(directory, "ledger.lock"));
    if (this.#lock === undefined) throw new Error("another server is using it");
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
      const path = this.#path(name);
      bytes += Deno.statSync(path).size;
      Deno.removeSync(path);
    }
    for (const name of ["", ...ROOMS].flatMap((room) => this.#names(room))) {
      if (!isLedger(name)) this.#measure(name, Deno.statSync(this.#path(name)).size);
    }
    return { files: left.length, bytes };
  }

  /** What the state directory holds, with what uploads under way have reserved. */
  get usedBytes(): number {
    if (this.#directory === undefined) return 0;
    const ledger = this.#names("").filter(isLedger);
    const sizes = ledger.map((name) => Deno.statSync(this.#path(name)).size);
    return sizes.reduce((sum, size) => sum + size, this.#usedBytes);
  }

  #measure(name: string, bytes: number): void {
    this.#usedBytes += bytes - (this.#sizes.get(name) ?? 0);
    if (bytes === 0) this.#sizes.delete(name);
    else this.#sizes.set(name, bytes);
  }

  #path(name: string): string {
    return join(this.#directory ?? "", name);
  }

  /** Of the strategy's newest state; 0 where there is none. */
  get strategyBytes(): number {
    const states = [...this.#sizes].filter(([name]) => name.endsWith(STRATEGY_ENDING));
    return Math.max(0, ...states.map(([, bytes]) => bytes));
  }

  /** Of the accepted updates. */
  get updateBytes(): number {
    const updates = [...this.#sizes].filter(([name]) => dirname(name) === "updates");
    return updates.reduce((sum, [, bytes]) => sum + bytes, 0);
  }

  /** Of the files in one room, each as the ledger writes it. */
  #names(room: string): string[] {
    if (this.#directory === undefined) return [];
    const entries = [...Deno.readDirSync(join(this.#directory, room))];
    return entries.filter(({ isFile }) => isFile).map(({ name }) => join(room, name));
  }

  get ledgerPath(): string {
    return this.#directory === undefined ? IN_MEMORY : join(this.#directory, "ledger.sqlite");
  }

  startUpload(client: string, totalBytes: number): void {
    this.dropUpload(client);
    if (this.#directory === undefined) return;
    const name = join("uploads", `${this.#nextUpload++}.part`);
    const path = this.#path(name);
    const file = Deno.openSync(path, { write: true, create: true, truncate: true });
    this.#uploads.set(client, { file, name, totalBytes, checksum: 0 });
    this.#usedBytes += totalBytes;
  }

  /** What follows on what was written, at its offset: a write may have failed half-way before. */
  write(client: string, bytes: Uint8Array, offset: number): void {
    const upload = this.#uploads.get(client);
    if (upload === undefined) return;
    const { file } = upload;
    file.seekSync(offset, Deno.SeekMode.Start);
    for (let written = 0; written < bytes.length;) {
      written += file.writeSync(bytes.subarray(written));
    }
    upload.checksum = checksumOf(bytes, upload.checksum);
  }

  dropUpload(client: string): void {
    const upload = this.#uploads.get(client);
    if (upload === undefined || this.#directory === undefined) return;
    upload.file.close();
    this.#uploads.delete(client);
    this.#usedBytes -= upload.totalBytes;
    Deno.removeSync(this.#path(upload.name));
  }

  /** The upload becomes the answer to a task. Gives back its name, and the checksum to know it by. */
  finishUpload(
    client: string,
    { round, taskId }: { round: number; taskId: number },
  ): { file: string; checksum: number | undefined } {
    const upload = this.#uploads.get(client);
    if (upload === undefined || this.#directory === undefined) {
      return { file: "", checksum: undefined };
    }
    const power = this.#durability === "power";
    if (power) upload.file.syncDataSync();
    upload.file.close();
    this.#uploads.delete(client);
    this.#usedBytes -= upload.totalBytes;
    // Not by client: where a file system ignores case, two clients would be one.
    const name = join("updates", `${round}-${taskId}.safetensors`);
    Deno.renameSync(join(this.#directory, upload.name), join(this.#directory, name));
    this.#measure(name, upload.totalBytes);
    if (power) syncDirectory(this.#path("updates"));
    return { file: name, checksum: upload.checksum };
  }

  /** Undefined where there is no such file. */
  update(name: string): Uint8Array<ArrayBuffer> | undefined {
    return this.#read(name);
  }

  dropUpdates(names: readonly string[]): void {
    if (this.#directory === undefined) return;
    for (const name of names) this.#remove(name);
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
    for (const name of this.#names("models")) {
      const [, of] = /round-(\d+)\.[^/\\]*$/.exec(name) ?? [];
      if (of !== undefined && Number(of) <= round - keep) this.#remove(name);
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
    try {
      using file = Deno.openSync(temporary, { write: true, create: true, truncate: true });
      for (let written = 0; written < bytes.length;) {
        written += file.writeSync(bytes.subarray(written));
      }
      if (synced) file.syncSync();
    } catch (error) {
      removeIfThere(temporary); // half a file is of no use, and takes room
      throw error;
    }
    Deno.renameSync(temporary, path);
    this.#measure(name, bytes.length);
    if (synced) syncDirectory(dirname(path));
  }

  #remove(name: string): void {
    removeIfThere(this.#path(name));
    this.#measure(name, 0);
  }

  [Symbol.dispose](): void {
    for (const client of [...this.#uploads.keys()]) this.dropUpload(client);
    this.#lock?.[Symbol.dispose]();
    this.#lock = undefined;
  }
}

function modelName(round: number): string {
  return join("models", `round-${String(round).padStart(6, "0")}.safetensors`);
}

function strategyName(round: number): string {
  return join("models", `round-${String(round).padStart(6, "0")}${STRATEGY_ENDING}`);
}

/** SQLite's own files grow by themselves. */
function isLedger(name: string): boolean {
  return name.startsWith("ledger.");
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
