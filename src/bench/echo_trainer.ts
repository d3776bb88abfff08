/** Learns nothing and takes no time: sends the weights back as they came. */

import type { EvaluateResult, Trainer, TrainResult } from "../client/trainer.ts";

export class EchoTrainer implements Trainer {
  readonly samples = 1;

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  train(model: Uint8Array): Promise<TrainResult> {
    return Promise.resolve({ weights: new Uint8Array(model), samples: 1, metrics: {} });
  }

  evaluate(): Promise<EvaluateResult> {
    return Promise.resolve({ samples: 1, metrics: {} });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}
