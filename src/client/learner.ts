/** What goes on inside the trainer's Worker: samples, network and backend, one call after another. */

import * as tf from "@tensorflow/tfjs";
import { decodeSafetensors, encodeSafetensors } from "../weights/safetensors.ts";
import { isRejection, type NamedTensors } from "../weights/tensors.ts";
import { closeWasm, openBackend } from "./backend.ts";
import { classCounts, type Dataset, DatasetError } from "./datasets/dataset.ts";
import { openDataset } from "./datasets/mod.ts";
import { Descent } from "./descent.ts";
import { measure } from "./measuring.ts";
import { Network } from "./network.ts";
import { Random } from "./random.ts";
import { type LayerJson, parseTopology } from "./topology.ts";
import { readSettings } from "./train_settings.ts";
import {
  type EvaluateResult,
  type Topology,
  TrainerError,
  type TrainProgress,
  type TrainResult,
  type TrainTask,
} from "./trainer.ts";
import type { Samples } from "./trainer_calls.ts";
import { trainLocally } from "./training.ts";

interface Prepared {
  readonly topology: LayerJson;
  network: Network;
  /** Whether the backend has been seen to have all the gradients. */
  trainable: boolean;
}

export class Learner {
  #samples: { readonly spec: string; readonly dataset: Dataset } | undefined;
  #prepared: Prepared | undefined;
  readonly #backend = openBackend();

  /** Loads the samples. @throws DatasetError */
  async open(spec: string): Promise<Samples> {
    const dataset = await openDataset(spec);
    this.#samples = { spec, dataset };
    const { length, labels, classes } = dataset;
    return { samples: length, classCounts: classCounts(labels, classes) };
  }

  /** Builds the network. @throws TrainerError, or DatasetError when the samples do not fit it */
  async prepare(topology: Topology): Promise<void> {
    const layers = parseTopology(topology);
    const network = await this.#build(layers);
    if (this.#samples !== undefined) {
      const { spec, dataset } = this.#samples;
      const mismatch = compare(network, dataset);
      if (mismatch !== undefined) {
        network[Symbol.dispose]();
        throw new DatasetError(`${spec} does not fit the federation's model: ${mismatch}`);
      }
    }
    this.#prepared?.network[Symbol.dispose]();
    this.#prepared = { topology: layers, network, trainable: false };
  }

  /** The topology's initial weights as safetensors; the same seed gives the same. */
  async initialise(topology: Topology, seed: number): Promise<Uint8Array<ArrayBuffer>> {
    const layers = parseTopology(topology);
    const random = Random.seeded(seed);
    seedTfjs(random);
    using network = await this.#build(layers);
    return encodeSafetensors(network.save());
  }

  /** Trains on all samples; undefined when stopped before the end. @throws TrainerError */
  async train(
    model: Uint8Array,
    task: TrainTask,
    watch: { stopped(): Promise<boolean>; progress(progress: TrainProgress): void },
  ): Promise<TrainResult | undefined> {
    const settings = readSettings(task.settings);
    const dataset = this.#dataset();
    const network = await this.#trainableNetwork();
    network.load(decode(model));
    const seeds = [settings.seed, task.round, fingerprint(dataset)];
    seedTfjs(Random.seeded(...seeds, 1));
    const random = Random.seeded(...seeds);
    if (!await trainLocally(network, { dataset, settings, random, ...watch })) return undefined;
    const result = await measure(network, dataset, watch.stopped);
    return result && { ...result, weights: encodeSafetensors(network.save()) };
  }

  /** Measures the model on all samples; undefined when stopped. @throws TrainerError */
  async evaluate(
    model: Uint8Array,
    stopped: () => Promise<boolean>,
  ): Promise<EvaluateResult | undefined> {
    const dataset = this.#dataset();
    const { network } = this.#ready();
    network.load(decode(model));
    return await measure(network, dataset, stopped);
  }

  #dataset(): Dataset {
    if (this.#samples === undefined) throw new TrainerError("No samples have been opened");
    return this.#samples.dataset;
  }

  #ready(): Prepared {
    if (this.#prepared === undefined) throw new TrainerError("No topology has been prepared");
    return this.#prepared;
  }

  async #build(layers: LayerJson): Promise<Network> {
    await this.#backend;
    return await Network.build(layers);
  }

  /** Asks by a first step whether the backend has every gradient; goes on without WebAssembly if not. */
  async #trainableNetwork(): Promise<Network> {
    const prepared = this.#ready();
    if (prepared.trainable) return prepared.network;
    let lack = findLack(prepared.network);
    if (lack !== undefined && tf.getBackend() === "wasm") {
      prepared.network[Symbol.dispose]();
      await closeWasm();
      prepared.network = await Network.build(prepared.topology);
      lack = findLack(prepared.network);
    }
    if (lack !== undefined) throw new TrainerError(`The topology cannot be trained: ${lack}`);
    prepared.trainable = true;
    return prepared.network;
  }
}

/** Why no gradient step can be done; undefined when it can. Changes the weights. */
function findLack(network: Network): string | undefined {
  using descent = new Descent(network.trainable, { learningRate: 0, momentum: 0, mu: 0 });
  try {
    const features = new Float32Array(network.inputSize);
    network.step({ features, labels: new Int32Array(1) }, descent);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/**
 * Where a topology gives no seed, tfjs draws initial weights and dropout from Math.random. The Worker
 * is the trainer's own, so its Math.random can be the task's.
 */
function seedTfjs(random: Random): void {
  Math.random = () => random.uniform();
}

function decode(model: Uint8Array): NamedTensors {
  const tensors = decodeSafetensors(model);
  if (isRejection(tensors)) throw new TrainerError(`The model is ${tensors.detail}`);
  return tensors;
}

function compare(network: Network, dataset: Dataset): string | undefined {
  const features = dataset.featureShape.reduce((product, size) => product * size, 1);
  if (features !== network.inputSize) {
    return `it has ${features} features a sample, the model takes ${network.inputSize}`;
  }
  if (dataset.classes > network.classes) {
    return `its labels go up to ${dataset.classes - 1}, the model knows ${network.classes} classes`;
  }
  return undefined;
}

/** A number made of the labels, so that clients with other shares draw other orders (FNV-1a). */
function fingerprint({ labels }: Dataset): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < labels.length; i++) {
    hash = Math.imul(hash ^ (labels[i] as number), 0x01000193);
  }
  return hash >>> 0;
}
