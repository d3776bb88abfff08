/** A classifier built from a topology with tfjs: weights in and out, one gradient step, scores. */

import * as tf from "@tensorflow/tfjs";
import type { LayersModel, LayerVariable } from "@tensorflow/tfjs";
import { narrow, widen } from "../weights/convert.ts";
import {
  compareSpecs,
  type FloatDtype,
  isFloatTensor,
  type NamedTensors,
  type Tensor,
  type TensorSpec,
} from "../weights/tensors.ts";
import type { Descent } from "./descent.ts";
import type { LayerJson } from "./topology.ts";
import { TrainerError } from "./trainer.ts";

/** Features and labels of some samples. */
export interface Batch {
  /** float32, one row of the network's input size for each label. */
  readonly features: Float32Array;
  readonly labels: Int32Array;
}

export class Network implements Disposable {
  readonly #model: LayersModel;
  readonly #dtypes = new Map<string, FloatDtype>();
  /** Shape of one sample. */
  readonly inputShape: readonly number[];
  /** Numbers in one sample. */
  readonly inputSize: number;
  /** Scores for one sample: as many as there are classes. */
  readonly classes: number;

  private constructor(model: LayersModel) {
    this.#model = model;
    const [input, ...furtherInputs] = model.inputs;
    const [output, ...furtherOutputs] = model.outputs;
    if (
      input === undefined || output === undefined || furtherInputs.length + furtherOutputs.length
    ) {
      throw new TrainerError("The topology must have one input and one output");
    }
    const inputShape = input.shape.slice(1);
    const [classes, ...rest] = output.shape.slice(1);
    if (!inputShape.every((size) => size !== null) || typeof classes !== "number" || rest.length) {
      throw new TrainerError(
        "The topology must have an input of fixed shape and one score a class",
      );
    }
    this.inputShape = inputShape;
    this.inputSize = inputShape.reduce((product, size) => product * size, 1);
    this.classes = classes;
  }

  /** Builds the layers; their initializers draw from Math.random. @throws TrainerError */
  static async build(topology: LayerJson): Promise<Network> {
    let model: LayersModel;
    try {
      model = await tf.models.modelFromJSON(toDictionary(topology));
    } catch (error) {
      throw new TrainerError(`The topology cannot be built: ${reason(error)}`);
    }
    return new Network(model);
  }

  /** The weights that a step moves. */
  get trainable(): readonly tf.Variable[] {
    return this.#model.trainableWeights.map(variableOf);
  }

  /** Takes over weights, matched by layer weight name. @throws TrainerError */
  load(tensors: NamedTensors): void {
    const variables = this.#model.weights;
    const specs = new Map(variables.map((variable) => [variable.originalName, specOf(variable)]));
    const mismatch = compareSpecs(specs, tensors);
    if (mismatch !== undefined) {
      throw new TrainerError(`The model does not fit the topology: ${mismatch.detail}`);
    }
    this.#dtypes.clear();
    for (const variable of variables) {
      const tensor = tensors.get(variable.originalName);
      if (tensor === undefined || !isFloatTensor(tensor)) continue; // ruled out by compareSpecs
      const values = new Float32Array(widen(tensor));
      tf.tidy(() => void variable.write(tf.tensor(values, [...tensor.shape], "float32")));
      this.#dtypes.set(tensor.name, tensor.dtype);
    }
  }

  /** All weights in the order of the layers, each with the dtype it was loaded with. */
  save(): NamedTensors {
    return new Map(this.#model.weights.map((variable): [string, Tensor] => {
      const spec = specOf(variable);
      const dtype = this.#dtypes.get(spec.name) ?? "F32";
      const bytes = narrow(dtype, Float64Array.from(variable.read().dataSync()));
      return [spec.name, { ...spec, dtype, bytes }];
    }));
  }

  /** Moves the weights once against the gradient; gives the batch's mean loss before it. */
  step(batch: Batch, descent: Descent): number {
    const variables = [...this.trainable];
    return tf.tidy(() => {
      const classes = tf.oneHot(tf.tensor1d(batch.labels, "int32"), this.classes);
      const input = this.#input(batch);
      const { value, grads } = tf.variableGrads(() => {
        const logits = this.#model.apply(input, { training: true }) as tf.Tensor2D;
        let loss: tf.Tensor = tf.losses.softmaxCrossEntropy(classes, logits);
        // What the topology's regularizers ask for.
        for (const penalty of this.#model.calculateLosses()) loss = tf.add(loss, penalty);
        return loss as tf.Scalar;
      }, variables);
      descent.move(grads);
      return value.dataSync()[0] ?? NaN;
    });
  }

  /** float32 logits, one row of `classes` numbers for each sample. */
  scores(batch: Batch): Float32Array {
    return tf.tidy(() => {
      const logits = this.#model.apply(this.#input(batch), { training: false }) as tf.Tensor2D;
      return logits.dataSync<"float32">();
    });
  }

  [Symbol.dispose](): void {
    this.#model.dispose();
  }

  #input({ features, labels }: Batch): tf.Tensor {
    return tf.tensor(features, [labels.length, ...this.inputShape], "float32");
  }
}

/** A LayerVariable's `read` gives the tfjs variable itself, typed as the Tensor it also is. */
function variableOf(variable: LayerVariable): tf.Variable {
  return variable.read() as tf.Variable;
}

/** A copy, because tfjs renames the keys in place. */
function toDictionary(topology: LayerJson): Parameters<typeof tf.models.modelFromJSON>[0] {
  return JSON.parse(JSON.stringify(topology));
}

/** The name without the suffix by which tfjs keeps two models' variables apart. */
function specOf({ originalName, shape }: LayerVariable): TensorSpec {
  return { name: originalName, dtype: "F32", shape: shape.map(Number) };
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
