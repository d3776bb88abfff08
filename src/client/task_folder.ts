/** The files through which one task goes to a program and its answer comes back. */

import { join } from "node:path";
import { PrivateDirectory } from "../private_directory.ts";
import { type Topology, TrainerError } from "./trainer.ts";

/** What a program is asked; becomes `task.json`. */
export interface ProgramTask {
  /** `count`: how many training samples are there? Asked once, before the client joins. */
  readonly kind: "train" | "evaluate" | "count";
  readonly [field: string]: unknown;
}

export interface FolderContent {
  readonly task: ProgramTask;
  /** safetensors. */
  readonly model?: Uint8Array;
  readonly topology?: Topology;
}

const MAX_RESULT_BYTES = 64 * 1024;

/** A directory that this user alone can enter, until disposal; after a kill the next task removes it. */
export class TaskFolder implements Disposable {
  readonly #directory: PrivateDirectory;
  readonly #given: Readonly<Record<string, string>>;
  readonly #removeNow = () => this.#directory[Symbol.dispose]();

  private constructor(directory: PrivateDirectory, given: Readonly<Record<string, string>>) {
    this.#directory = directory;
    this.#given = given;
    globalThis.addEventListener("unload", this.#removeNow);
  }

  static async open({ task, model, topology }: FolderContent): Promise<TaskFolder> {
    const directory = PrivateDirectory.make();
    const { path } = directory;
    const given: Record<string, string> = { TRIBUTARY_TASK: join(path, "task.json") };
    if (model !== undefined) given.TRIBUTARY_MODEL = join(path, "model.safetensors");
    if (topology !== undefined && topology.bytes.length > 0) {
      given.TRIBUTARY_TOPOLOGY = join(path, "topology");
    }
    const folder = new TaskFolder(directory, given);
    try {
      await write(given.TRIBUTARY_TASK, new TextEncoder().encode(JSON.stringify(task)));
      await write(given.TRIBUTARY_MODEL, model);
      await write(given.TRIBUTARY_TOPOLOGY, topology?.bytes);
      return folder;
    } catch (error) {
      folder[Symbol.dispose]();
      throw error;
    }
  }

  /** Where everything is, by the names that the program knows. */
  get environment(): Readonly<Record<string, string>> {
    return {
      ...this.#given,
      TRIBUTARY_OUT: this.#weightsPath,
      TRIBUTARY_RESULT: this.#resultPath,
    };
  }

  get #weightsPath(): string {
    return join(this.#directory.path, "weights.safetensors");
  }

  get #resultPath(): string {
    return join(this.#directory.path, "result.json");
  }

  /** The weights that were written. @throws {TrainerError} when there are none. */
  async weights(mostBytes: number): Promise<Uint8Array<ArrayBuffer>> {
    const weights = await read(this.#weightsPath, { what: "weights", mostBytes });
    if (weights !== undefined) return weights;
    throw new TrainerError("The trainer wrote no weights to TRIBUTARY_OUT");
  }

  /** The JSON that was written; undefined where there is none. @throws {TrainerError} */
  async result(): Promise<unknown> {
    const what = "result";
    const bytes = await read(this.#resultPath, { what, mostBytes: MAX_RESULT_BYTES });
    if (bytes === undefined) return undefined;
    try {
      return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    } catch {
      throw new TrainerError("The trainer's result is not JSON in UTF-8 (which has no NaN)");
    }
  }

  [Symbol.dispose](): void {
    globalThis.removeEventListener("unload", this.#removeNow);
    this.#directory[Symbol.dispose]();
  }
}

async function write(path: string | undefined, bytes: Uint8Array | undefined): Promise<void> {
  if (path !== undefined && bytes !== undefined) await Deno.writeFile(path, bytes);
}

async function read(
  path: string,
  { what, mostBytes }: { what: string; mostBytes: number },
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  let size: number;
  try {
    const info = await Deno.stat(path);
    if (!info.isFile) throw new TrainerError(`What the trainer wrote as ${what} is no file`);
    size = info.size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  if (size <= mostBytes) return await Deno.readFile(path);
  throw new TrainerError(
    `The trainer wrote ${size} bytes of ${what}; at most ${mostBytes} are taken`,
  );
}
