/** The server's own evaluation of the global model, in a Worker beside the next round. */

import { TfjsTrainer } from "./tfjs_trainer.ts";
import type { EvaluateResult, Topology } from "./trainer.ts";

export class Evaluator implements AsyncDisposable {
  readonly #trainer: TfjsTrainer;

  private constructor(trainer: TfjsTrainer) {
    this.#trainer = trainer;
  }

  /**
   * @param data The test samples, in the form of `--data`, e.g. `mnist:test`.
   * @throws DatasetError, TrainerError
   */
  static async open(data: string, topology: Topology): Promise<Evaluator> {
    const trainer = await TfjsTrainer.open(data);
    try {
      await trainer.prepare(topology);
      return new Evaluator(trainer);
    } catch (error) {
      await trainer[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Test samples. */
  get samples(): number {
    return this.#trainer.samples;
  }

  /** @param model safetensors; it stays the caller's. */
  async evaluate(model: Uint8Array, options: { signal: AbortSignal }): Promise<EvaluateResult> {
    return await this.#trainer.evaluate(model, { taskId: 0, round: 0, settings: {} }, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#trainer[Symbol.asyncDispose]();
  }
}
