/** The model to build, as Welcome carries it: the JSON of Keras and of TensorFlow.js layers. */

import { type Topology, TrainerError } from "./trainer.ts";

/** Media type of a topology: UTF-8 JSON as `model.toJSON()` of tfjs or `to_json()` of Keras 2 gives. */
export const LAYERS_TYPE = "application/vnd.tensorflow.layers+json";

/** One layer of a topology, or a model: that is a layer too. */
export interface LayerJson {
  class_name: string;
  config: Record<string, unknown>;
}

/** A classifier for MNIST: 784 pixels, 64 hidden units, 10 classes; 50,890 weights. */
export const DEFAULT_TOPOLOGY: Topology = {
  type: LAYERS_TYPE,
  bytes: new TextEncoder().encode(JSON.stringify({
    class_name: "Sequential",
    config: {
      name: "mnist",
      layers: [
        dense("hidden", { batch_input_shape: [null, 784], units: 64, activation: "relu" }),
        dense("scores", { units: 10, activation: "softmax" }),
      ],
    },
    keras_version: "tfjs-layers 4.22.0",
    backend: "tensor_flow.js",
  })),
};

/**
 * The topology ready to be built as a function from features to logits: a softmax at its end is
 * taken off, because the loss and its gradient are exact only on what goes into it.
 *
 * @throws TrainerError when it is absent, of another type, or no layers JSON.
 */
export function parseTopology({ type, bytes }: Topology): LayerJson {
  if (bytes.length === 0) {
    throw new TrainerError(
      "The federation sends no topology: join with --exec and a trainer of yours",
    );
  }
  if (type !== LAYERS_TYPE) {
    throw new TrainerError(
      `The federation's topology is ${type || "of no type"}, but only ${LAYERS_TYPE} can be ` +
        `built here: join with --exec and a trainer of yours`,
    );
  }
  let model: unknown;
  try {
    model = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new TrainerError("The topology is not JSON in UTF-8");
  }
  if (!isLayer(model)) throw new TrainerError("The topology has no class_name and config");
  const last = outputLayer(model);
  if (last !== undefined) removeSoftmax(last);
  return model;
}

function dense(name: string, config: Record<string, unknown>): LayerJson {
  // Named, because what is taken when it is not differs between Keras and tfjs.
  const kernel_initializer = { class_name: "GlorotUniform", config: { seed: null } };
  return { class_name: "Dense", config: { name, kernel_initializer, ...config } };
}

function isLayer(value: unknown): value is LayerJson {
  return typeof value === "object" && value !== null && "class_name" in value &&
    typeof value.class_name === "string" && "config" in value &&
    typeof value.config === "object" && value.config !== null;
}

/** The layer the scores come from: the last of a Sequential, else the one named as output. */
function outputLayer({ class_name, config }: LayerJson): LayerJson | undefined {
  // Keras 1 and early tfjs write a Sequential's config as the bare list of layers.
  const list = Array.isArray(config) ? config : config.layers;
  const layers = Array.isArray(list) ? list.filter(isLayer) : [];
  if (class_name === "Sequential") return layers.at(-1);
  const outputs = config.output_layers;
  const output: unknown = Array.isArray(outputs) ? outputs.flat()[0] : undefined;
  return layers.find((layer) => layer.config.name === output);
}

function removeSoftmax(layer: LayerJson): void {
  if (layer.config.activation === "softmax") layer.config.activation = "linear";
  if (layer.class_name === "Softmax") {
    layer.class_name = "Activation";
    layer.config = { name: layer.config.name, activation: "linear" };
  }
}
