import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import { Descent } from "../../src/client/descent.ts";
import { Network } from "../../src/client/network.ts";
import { parseTopology } from "../../src/client/topology.ts";
import { TrainerError } from "../../src/client/trainer.ts";
import { narrow, widen } from "../../src/weights/convert.ts";
import {
  type Dtype,
  isFloatTensor,
  type NamedTensors,
  type Tensor,
} from "../../src/weights/tensors.ts";
import { CLOUDS_TOPOLOGY, sequential } from "./sample_folder.ts";

tf.enableProdMode();
await tf.setBackend("cpu");

const BATCH = { features: new Float32Array([1, 2, -1, 0.5]), labels: new Int32Array([2, 0]) };

function clouds(): Promise<Network> {
  return Network.build(parseTopology(CLOUDS_TOPOLOGY));
}

/** All float values, tensor after tensor. */
function valuesOf(tensors: NamedTensors): number[] {
  return [...tensors.values()].flatMap((t) => isFloatTensor(t) ? [...widen(t)] : []);
}

function filled(tensors: NamedTensors, dtype: "F32" | "F16", value: number): NamedTensors {
  return new Map([...tensors].map(([name, tensor]) => {
    const count = tensor.shape.reduce((product, extent) => product * extent, 1);
    const bytes = narrow(dtype, new Float64Array(count).fill(value));
    return [name, { ...tensor, dtype, bytes }];
  }));
}

Deno.test("Network names its weights after layer and weight, also when built twice", async () => {
  const names = ["hidden/kernel", "hidden/bias", "scores/kernel", "scores/bias"];
  using first = await clouds();
  using second = await clouds();
  assert.deepEqual([...first.save().keys()], names);
  assert.deepEqual([...second.save().keys()], names);
});

Deno.test("Network.save() gives what was loaded, to the bit", async () => {
  using network = await clouds();
  const tensors = filled(network.save(), "F32", Math.fround(0.1));
  network.load(tensors);
  assert.deepEqual(network.save(), tensors);
});

Deno.test("Network.save() keeps the dtype of the model loaded", async () => {
  using network = await clouds();
  const tensors = filled(network.save(), "F16", 0.5);
  network.load(tensors);
  assert.deepEqual(network.save(), tensors);
});

Deno.test("Network.load() finds tensors by name whatever their order and alignment", async () => {
  using network = await clouds();
  const saved = network.save();
  const moved = [...saved].reverse().map(([name, tensor]) => {
    const room = new Uint8Array(tensor.bytes.length + 1);
    room.set(tensor.bytes, 1);
    return [name, { ...tensor, bytes: room.subarray(1) }] as const;
  });
  network.load(new Map(moved));
  assert.deepEqual(network.save(), saved);
});

/** A tensor of zeros to be put under its name among others. */
function zeros(name: string, dtype: Dtype, shape: number[]): [string, Tensor] {
  const count = shape.reduce((product, extent) => product * extent, 1);
  return [name, { name, dtype, shape, bytes: new Uint8Array(count * 4) }];
}

for (
  const [what, change] of [
    ["a missing tensor", (t: NamedTensors) => new Map([...t].slice(1))],
    [
      "a tensor of another shape",
      (t: NamedTensors) => new Map([...t, zeros("hidden/kernel", "F32", [8, 2])]),
    ],
    [
      "a tensor of integers",
      (t: NamedTensors) => new Map([...t, zeros("hidden/bias", "I32", [8])]),
    ],
    ["a tensor too many", (t: NamedTensors) => new Map([...t, zeros("x", "F32", [0])])],
  ] as const
) {
  Deno.test(`Network.load() refuses ${what}`, async () => {
    using network = await clouds();
    assert.throws(() => network.load(change(network.save())), TrainerError);
  });
}

Deno.test("Network.step() follows the gradient of softmax cross-entropy", async () => {
  using network = await Network.build(
    parseTopology(sequential(["Dense", {
      name: "d",
      batch_input_shape: [null, 2],
      units: 3,
      use_bias: false,
      activation: "softmax",
    }])),
  );
  network.load(filled(network.save(), "F32", 0));
  using descent = new Descent(network.trainable, { learningRate: 1, momentum: 0, mu: 0 });
  const loss = network.step(
    { features: new Float32Array([1, 2]), labels: new Int32Array([2]) },
    descent,
  );
  assert.ok(Math.abs(loss - Math.log(3)) < 1e-6);
  // By hand: the gradient is x (p - y) with p = 1/3 each.
  const expected = [-1 / 3, -1 / 3, 2 / 3, -2 / 3, -2 / 3, 4 / 3];
  for (const [i, value] of valuesOf(network.save()).entries()) {
    assert.ok(Math.abs(value - (expected[i] as number)) < 1e-6);
  }
});

Deno.test("Network.step() counts what the topology's regularizers ask for", async () => {
  using network = await Network.build(
    parseTopology(sequential(["Dense", {
      name: "d",
      batch_input_shape: [null, 2],
      units: 2,
      use_bias: false,
      kernel_regularizer: { class_name: "L1L2", config: { l1: 0, l2: 0.25 } },
    }])),
  );
  network.load(filled(network.save(), "F32", 2));
  using descent = new Descent(network.trainable, { learningRate: 0, momentum: 0, mu: 0 });
  const batch = { features: new Float32Array(2), labels: new Int32Array(1) };
  const loss = network.step(batch, descent);
  assert.ok(Math.abs(loss - (Math.log(2) + 0.25 * 4 * 2 ** 2)) < 1e-5, `${loss}`);
});

Deno.test("Network leaves no tensors behind", async () => {
  const before = tf.memory().numTensors;
  {
    using network = await clouds();
    using descent = new Descent(network.trainable, { learningRate: 0.1, momentum: 0.9, mu: 1 });
    network.load(network.save());
    network.step(BATCH, descent);
    network.scores(BATCH);
  }
  assert.equal(tf.memory().numTensors, before);
});

for (
  const [what, topology] of [
    ["a layer nobody knows", sequential(["Quantum", { name: "q" }])],
    [
      "an output that is no list of scores",
      sequential(["Dense", { batch_input_shape: [null, 4, 4], units: 3 }]),
    ],
    ["an input of open size", sequential(["ReLU", { batch_input_shape: [null, null] }])],
  ] as const
) {
  Deno.test(`Network.build() refuses ${what}`, async () => {
    await assert.rejects(() => Network.build(parseTopology(topology)), TrainerError);
  });
}
