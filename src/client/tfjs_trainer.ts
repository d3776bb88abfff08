/** Trains with TensorFlow.js in a Worker of its own, so that the client's heartbeats go on. */

import type {
  EvaluateResult,
  Topology,
  Trainer,
  TrainOptions,
  TrainResult,
  TrainTask,
} from "./trainer.ts";
import type { Samples } from "./trainer_calls.ts";
import { TrainerLink } from "./trainer_link.ts";

export class TfjsTrainer implements Trainer {
  readonly #link: TrainerLink;
  readonly samples: number;
  /** Samples of each class. */
  readonly classCounts: readonly number[];

  private constructor(link: TrainerLink, { samples, classCounts }: Samples) {
    this.#link = link;
    this.samples = samples;
    this.classCounts = classCounts;
  }

  /**
   * Starts the Worker, which loads the samples.
   *
   * @param data Where the samples are, in the form of `--data` (see `parseSpec`).
   * @param options.cpuShare For how much of the time it may compute, above 0 and at most 1.
   * @throws DatasetError
   */
  static async open(data: string, options: { cpuShare?: number } = {}): Promise<TfjsTrainer> {
    const link = new TrainerLink(data);
    try {
      return new TfjsTrainer(link, await link.open(data, options));
    } catch (error) {
      link[Symbol.dispose]();
      throw error;
    }
  }

  /** @throws TrainerError, or DatasetError when the samples do not fit the topology */
  async prepare(topology: Topology): Promise<void> {
    await this.#link.call({ kind: "prepare", topology });
  }

  async train(
    model: Uint8Array,
    task: TrainTask,
    { signal, progress }: TrainOptions,
  ): Promise<TrainResult> {
    const copy = new Uint8Array(model); // the model stays the caller's
    return await this.#link.call(
      { kind: "train", model: copy, task },
      { signal, progress, transfer: [copy.buffer] },
    ) as TrainResult;
  }

  /** `task.settings` play no part. */
  async evaluate(
    model: Uint8Array,
    _task: TrainTask,
    { signal }: { signal: AbortSignal },
  ): Promise<EvaluateResult> {
    const copy = new Uint8Array(model);
    return await this.#link.call(
      { kind: "evaluate", model: copy },
      { signal, transfer: [copy.buffer] },
    ) as EvaluateResult;
  }

  /** Ends the Worker, whatever it does. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#link[Symbol.dispose]();
    return Promise.resolve();
  }
}
