/** How good a network is on some samples. */

import type { Dataset } from "./datasets/dataset.ts";
import type { Network } from "./network.ts";
import type { EvaluateResult } from "./trainer.ts";

/** Samples scored at a time: bounds the memory for what the layers put out. */
const CHUNK_SAMPLES = 1000;

/** Mean cross-entropy (nats) and accuracy on all samples; undefined once `stopped`. */
export async function measure(
  network: Network,
  dataset: Dataset,
  stopped: () => Promise<boolean>,
): Promise<EvaluateResult | undefined> {
  const { length, labels, features } = dataset;
  const width = network.inputSize;
  let loss = 0;
  let right = 0;
  for (let start = 0; start < length; start += CHUNK_SAMPLES) {
    if (await stopped()) return undefined;
    const end = Math.min(length, start + CHUNK_SAMPLES);
    const chunk = labels.subarray(start, end);
    const logits = network.scores({
      features: features.subarray(start * width, end * width),
      labels: chunk,
    });
    for (const [i, label] of chunk.entries()) {
      const row = logits.subarray(i * network.classes, (i + 1) * network.classes);
      const { highest, logSum } = summarise(row);
      loss += logSum - (row[label] as number);
      if (highest === label) right++;
    }
  }
  return { samples: length, metrics: { loss: loss / length, accuracy: right / length } };
}

/** Index of the highest logit (the first of equals), and the logarithm of the sum of exponentials. */
function summarise(logits: Float32Array): { highest: number; logSum: number } {
  let highest = 0;
  for (let i = 1; i < logits.length; i++) {
    if ((logits[i] as number) > (logits[highest] as number)) highest = i;
  }
  const largest = logits[highest] as number; // taken out, so that no exponential overflows
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += Math.exp((logits[i] as number) - largest);
  return { highest, logSum: largest + Math.log(sum) };
}
