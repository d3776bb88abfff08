/** A trainer that learns what the test tells it, and waits where the test wants it to. */

import type {
  EvaluateResult,
  Topology,
  Trainer,
  TrainOptions,
  TrainResult,
  TrainTask,
} from "../../src/client/trainer.ts";
import { Awaitable } from "../support/awaitable.ts";

export interface Call {
  readonly kind: "prepare" | "train" | "evaluate";
  readonly task?: TrainTask;
  readonly model?: Uint8Array;
  readonly signal?: AbortSignal;
}

export class GivenTrainer implements Trainer {
  samples = 10;
  readonly calls = new Awaitable<Call>();
  /** What a training makes of a model; may take its time. */
  learn: (model: Uint8Array, task: TrainTask, signal: AbortSignal) =>
    | Uint8Array<ArrayBuffer>
    | Promise<Uint8Array<ArrayBuffer>>;

  constructor(learn: GivenTrainer["learn"]) {
    this.learn = learn;
  }

  prepare(_topology: Topology): Promise<void> {
    this.calls.push({ kind: "prepare" });
    return Promise.resolve();
  }

  async train(
    model: Uint8Array,
    task: TrainTask,
    { signal, progress }: TrainOptions,
  ): Promise<TrainResult> {
    this.calls.push({ kind: "train", task, model: model.slice(), signal });
    progress?.({ batch: 1, batches: 2, loss: 1 });
    const weights = await this.learn(model, task, signal);
    return { weights, samples: this.samples, metrics: { loss: 0.5 } };
  }

  evaluate(
    model: Uint8Array,
    task: TrainTask,
    { signal }: { signal: AbortSignal },
  ): Promise<EvaluateResult> {
    this.calls.push({ kind: "evaluate", task, model: model.slice(), signal });
    return Promise.resolve({ samples: this.samples, metrics: { accuracy: task.round / 10 } });
  }

  /** The next train call for a round. */
  async training(round: number, from = 0): Promise<Call> {
    return await this.calls.find(
      (call) => call.kind === "train" && call.task?.round === round,
      from,
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

/** Resolves or rejects when the test, or the signal, says so. */
export function held<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => reject(signal.reason));
  return Promise.race([promise, aborted]);
}
