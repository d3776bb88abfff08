/** The client's end of the pipe to the trainer's Worker. */

import { DatasetError } from "./datasets/dataset.ts";
import { datasetFiles } from "./datasets/mod.ts";
import { TrainerError, type TrainProgress } from "./trainer.ts";
import type { Samples, TrainerReply, TrainerRequest } from "./trainer_calls.ts";
import { wasmFolder } from "./wasm_files.ts";

/** A request without its number. */
type Call = TrainerRequest extends infer Request ? Request extends unknown ? Omit<Request, "id">
  : never
  : never;

interface Pending extends PromiseWithResolvers<unknown> {
  readonly progress: ((progress: TrainProgress) => void) | undefined;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly progress?: ((progress: TrainProgress) => void) | undefined;
  readonly transfer?: Transferable[];
}

/** A trainer's Worker. Calls are carried out in the order they are made. */
export class TrainerLink implements Disposable {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #over: Error | undefined;

  /**
   * @param data What to let the Worker read besides the .wasm files, in the form of `--data`.
   * @throws DatasetError when `data` cannot be read that way.
   */
  constructor(data: string | undefined) {
    this.#worker = new Worker(new URL("./trainer_worker.ts", import.meta.url), {
      type: "module",
      deno: {
        permissions: {
          read: [wasmFolder(), ...(data === undefined ? [] : datasetFiles(data))],
          write: false,
          net: false,
          run: false,
          env: false,
          ffi: false,
          sys: false,
          import: false,
        },
      },
    });
    this.#worker.onmessage = (event: MessageEvent<TrainerReply>) => this.#receive(event.data);
    this.#worker.onerror = (event) => {
      event.preventDefault(); // else the error would end the whole process
      this.#end(new Error(`The trainer failed: ${event.message}`));
    };
  }

  /** Loads the samples. @throws DatasetError */
  async open(data: string): Promise<Samples> {
    return await this.call({ kind: "open", data }) as Samples;
  }

  /** Rejects with the signal's reason as soon as it fires; the Worker then stops between batches. */
  async call(call: Call, { signal, progress, transfer = [] }: CallOptions = {}): Promise<unknown> {
    signal?.throwIfAborted();
    if (this.#over !== undefined) throw this.#over;
    const id = this.#nextId++;
    const pending = { ...Promise.withResolvers<unknown>(), progress };
    this.#pending.set(id, pending);
    const stop = () => {
      if ("stop" in call) Atomics.store(call.stop, 0, 1);
      pending.reject(signal?.reason);
    };
    signal?.addEventListener("abort", stop);
    try {
      this.#worker.postMessage({ ...call, id }, transfer);
      return await pending.promise;
    } finally {
      signal?.removeEventListener("abort", stop);
      this.#pending.delete(id);
    }
  }

  #receive(reply: TrainerReply): void {
    const pending = this.#pending.get(reply.id);
    switch (reply.kind) {
      case "result":
        return pending?.resolve(reply.result);
      case "progress":
        return pending?.progress?.(reply.progress);
      case "rejected":
        return pending?.reject(errorOf(reply));
      default:
        reply satisfies never;
    }
  }

  #end(error: Error): void {
    if (this.#over !== undefined) return;
    this.#over = error;
    this.#worker.terminate();
    for (const pending of this.#pending.values()) pending.reject(error);
  }

  [Symbol.dispose](): void {
    this.#end(new Error("The trainer is closed"));
  }
}

function errorOf({ error, reason }: Extract<TrainerReply, { kind: "rejected" }>): Error {
  switch (error) {
    case "DatasetError":
      return new DatasetError(reason);
    case "TrainerError":
      return new TrainerError(reason);
    case "Error":
      return new Error(`The trainer failed: ${reason}`);
    default:
      return error satisfies never;
  }
}
