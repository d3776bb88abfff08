/** The numbers of a train task that this trainer understands. */

import { TrainerError, type TrainTask } from "./trainer.ts";

export interface TrainSettings {
  /** Passes over the share. */
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  /** 0: plain stochastic gradient descent. */
  readonly momentum: number;
  /** FedProx's weight of the proximal term; 0: none. */
  readonly mu: number;
  /** Seeds the order of the samples, together with round and share. */
  readonly seed: number;
}

/**
 * What a task leaves out. With these, five clients with Dirichlet(0.5) shares of MNIST train
 * DEFAULT_TOPOLOGY to a global test accuracy of about 0.965 in five rounds.
 */
export const DEFAULT_SETTINGS = {
  epochs: 2,
  batch_size: 64,
  learning_rate: 0.05,
  momentum: 0.9,
  mu: 0,
  seed: 0,
} as const;

/**
 * Reads a task's settings. Those of other names belong to others and are passed over.
 *
 * @throws TrainerError when one is out of its range.
 */
export function readSettings(settings: TrainTask["settings"]): TrainSettings {
  const read = (name: keyof typeof DEFAULT_SETTINGS, fits: (value: number) => boolean) => {
    const value = settings[name] ?? DEFAULT_SETTINGS[name];
    if (!fits(value)) throw new TrainerError(`The task's setting ${name} must not be ${value}`);
    return value;
  };
  const isCount = (value: number) => Number.isSafeInteger(value) && value >= 1;
  const isAmount = (value: number) => Number.isFinite(value) && value >= 0;
  return {
    epochs: read("epochs", isCount),
    batchSize: read("batch_size", isCount),
    learningRate: read("learning_rate", (value) => isAmount(value) && value > 0),
    momentum: read("momentum", (value) => isAmount(value) && value < 1),
    mu: read("mu", isAmount),
    seed: read("seed", Number.isSafeInteger),
  };
}
