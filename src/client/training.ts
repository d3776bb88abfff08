/**
 * One client's local training: mini-batch gradient descent with momentum (McMahan et al.,
 * arXiv:1602.05629, ClientUpdate), optionally with FedProx's proximal term.
 */

import type { Dataset } from "./datasets/dataset.ts";
import { Descent } from "./descent.ts";
import type { Network } from "./network.ts";
import type { Random } from "./random.ts";
import type { TrainSettings } from "./train_settings.ts";
import { TrainerError, type TrainProgress } from "./trainer.ts";

export interface TrainRun {
  readonly dataset: Dataset;
  readonly settings: TrainSettings;
  /** Draws the order of the samples in each epoch. */
  readonly random: Random;
  /** Asked between two batches. */
  stopped(): Promise<boolean>;
  progress(progress: TrainProgress): void;
}

/**
 * Trains the network from the weights it has.
 *
 * @returns Whether it came to its end without being stopped.
 * @throws TrainerError when the loss is not finite any more.
 */
export async function trainLocally(network: Network, run: TrainRun): Promise<boolean> {
  const { dataset, settings } = run;
  const { epochs, batchSize } = settings;
  const rows = new Uint32Array(dataset.length);
  for (let i = 0; i < rows.length; i++) rows[i] = i;
  const batches = Math.ceil(rows.length / batchSize) * epochs;
  const fill = batchFiller(dataset, Math.min(batchSize, rows.length));
  using descent = new Descent(network.trainable, settings);
  let batch = 0;
  let percent = 0;
  for (let epoch = 1; epoch <= epochs; epoch++) {
    run.random.shuffle(rows);
    for (let start = 0; start < rows.length; start += batchSize) {
      if (await run.stopped()) return false;
      const loss = network.step(fill(rows.subarray(start, start + batchSize)), descent);
      if (!Number.isFinite(loss)) {
        throw new TrainerError(
          `Training diverged in epoch ${epoch}: the loss is ${loss}; lower learning_rate`,
        );
      }
      batch++;
      // At most a hundred reports, however many batches.
      const reached = Math.floor(100 * batch / batches);
      if (reached > percent) run.progress({ batch, batches, loss });
      percent = reached;
    }
  }
  return true;
}

/** Copies rows side by side; each batch is overwritten by the next. */
function batchFiller({ features, labels, length }: Dataset, capacity: number) {
  const width = features.length / length;
  const batchFeatures = new Float32Array(capacity * width);
  const batchLabels = new Int32Array(capacity);
  return (rows: Uint32Array) => {
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] as number;
      batchFeatures.set(features.subarray(row * width, (row + 1) * width), i * width);
      batchLabels[i] = labels[row] as number;
    }
    return {
      features: batchFeatures.subarray(0, rows.length * width),
      labels: batchLabels.subarray(0, rows.length),
    };
  };
}
