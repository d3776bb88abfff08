/** The client's end of the pipe to the trainer's Worker. */

import { DatasetError } from "./datasets/dataset.ts";
import { TrainerError, TrainerLost, type TrainProgress } from "./trainer.ts";
import { spawnTrainer } from "./spawn_trainer.ts";
import type { Samples, TrainerCall, TrainerReply, TrainerRequest } from "./trainer_calls.ts";

/** A call without its number. */
type Call = TrainerCall extends infer Each ? Each extends unknown ? Omit<Each, "id">
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
    this.#worker = spawnTrainer(data);
    this.#worker.onmessage = (event: MessageEvent<TrainerReply>) => this.#receive(event.data);
    this.#worker.onerror = (event) => {
      event.preventDefault(); // else the error would end the whole process
      this.#end(new TrainerLost(`The trainer failed: ${event.message}`));
    };
  }

  /** Loads the samples. @throws DatasetError */
  async open(data: string, { cpuShare = 1 }: { cpuShare?: number } = {}): Promise<Samples> {
    return await this.call({ kind: "open", data, cpuShare }) as Samples;
  }

  /** Rejects with the signal's reason as soon as it fires; the Worker then stops between batches. */
  async call(call: Call, { signal, progress, transfer = [] }: CallOptions = {}): Promise<unknown> {
    signal?.throwIfAborted();
    if (this.#over !== undefined) throw this.#over;
    const id = this.#nextId++;
    const pending = { ...Promise.withResolvers<unknown>(), progress };
    this.#pending.set(id, pending);
    const stop = () => {
      this.#worker.postMessage({ kind: "stop", id } satisfies TrainerRequest);
      pending.reject(signal?.reason);
    };
    signal?.addEventListener("abort", stop);
    try {
      this.#worker.postMessage({ ...call, id } satisfies TrainerRequest, transfer);
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
