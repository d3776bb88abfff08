/** The model a run begins with: the operator's, or fresh weights of a topology. */

import { DEFAULT_TOPOLOGY, LAYERS_TYPE } from "../client/topology.ts";
import { initialModel } from "../client/initial_model.ts";
import { type Topology, TrainerError } from "../client/trainer.ts";
import type { Config } from "../config.ts";
import { ConfigError } from "../config/config_error.ts";
import { holdsRun } from "../vault/archive.ts";
import { decodeSafetensors } from "../weights/safetensors.ts";
import { isRejection } from "../weights/tensors.ts";
import { readNamedFile } from "./named_file.ts";

/** Welcome carries the topology to every client. */
const MAX_TOPOLOGY_BYTES = 64 * 1024;

export interface StartModel {
  /** safetensors; empty where a run goes on. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Empty where clients build the model by themselves. */
  readonly topology: Topology;
}

/**
 * Of a run that goes on only the topology: its model is in its state directory, and to make one takes
 * as long as all the rest of the start. With neither `model` nor `topology`, the digit classifier of the demo.
 * @throws {ConfigError} for files that cannot be used.
 */
export async function readModel({ training, state }: Config): Promise<StartModel> {
  const topology = await readTopology(training);
  if (training.model === undefined) {
    if (state !== undefined && holdsRun(state)) return { bytes: new Uint8Array(), topology };
    return { bytes: await freshModel(topology, training.seed), topology };
  }
  const bytes = await readNamedFile("--model", training.model);
  const tensors = decodeSafetensors(bytes);
  if (isRejection(tensors)) {
    throw new ConfigError([
      `--model names ${training.model}, which is ${tensors.detail}`,
    ]);
  }
  return { bytes, topology };
}

async function freshModel(topology: Topology, seed: number): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await initialModel(topology, seed);
  } catch (error) {
    if (!(error instanceof TrainerError)) throw error;
    throw new ConfigError([`--topology cannot be used: ${error.message}`], { cause: error });
  }
}

async function readTopology({ model, topology }: Config["training"]): Promise<Topology> {
  if (topology === undefined) {
    return model === undefined ? DEFAULT_TOPOLOGY : { type: "", bytes: new Uint8Array() };
  }
  const bytes = await readNamedFile("--topology", topology);
  if (bytes.length > MAX_TOPOLOGY_BYTES) {
    throw new ConfigError([
      `--topology names ${topology}, which has ${bytes.length} bytes; ${MAX_TOPOLOGY_BYTES} is the most`,
    ]);
  }
  return { type: LAYERS_TYPE, bytes };
}
