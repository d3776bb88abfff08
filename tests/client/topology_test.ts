import assert from "node:assert/strict";
import { DEFAULT_TOPOLOGY, LAYERS_TYPE, parseTopology } from "../../src/client/topology.ts";
import { TrainerError } from "../../src/client/trainer.ts";
import { sequential } from "./sample_folder.ts";

function topologyOf(value: unknown) {
  return { type: LAYERS_TYPE, bytes: new TextEncoder().encode(JSON.stringify(value)) };
}

Deno.test("DEFAULT_TOPOLOGY fits into a Welcome", () => {
  assert.ok(DEFAULT_TOPOLOGY.bytes.length <= 64 * 1024);
  assert.equal(parseTopology(DEFAULT_TOPOLOGY).class_name, "Sequential");
});

Deno.test("parseTopology() takes the softmax off the last layer and no other", () => {
  const parsed = parseTopology(sequential(
    ["Dense", { name: "a", activation: "softmax" }],
    ["Dense", { name: "b", activation: "softmax" }],
  ));
  assert.deepEqual(parsed.config.layers, [
    { class_name: "Dense", config: { name: "a", activation: "softmax" } },
    { class_name: "Dense", config: { name: "b", activation: "linear" } },
  ]);
});

Deno.test("parseTopology() makes a last layer Softmax the identity", () => {
  const parsed = parseTopology(sequential(["Softmax", { name: "s", axis: -1 }]));
  assert.deepEqual(parsed.config.layers, [
    { class_name: "Activation", config: { name: "s", activation: "linear" } },
  ]);
});

Deno.test("parseTopology() finds the output layer of a functional model by its name", () => {
  const out = { class_name: "Dense", config: { name: "out", activation: "softmax" } };
  const other = { class_name: "Dense", config: { name: "other", activation: "softmax" } };
  const config = { layers: [out, other], output_layers: [["out", 0, 0]] };
  const parsed = parseTopology(topologyOf({ class_name: "Model", config }));
  assert.deepEqual(parsed.config.layers, [
    { class_name: "Dense", config: { name: "out", activation: "linear" } },
    other,
  ]);
});

Deno.test("parseTopology() reads the bare list of layers of early writers", () => {
  const layer = { class_name: "Dense", config: { name: "a", activation: "softmax" } };
  const parsed = parseTopology(topologyOf({ class_name: "Sequential", config: [layer] }));
  assert.deepEqual(parsed.config, [
    { class_name: "Dense", config: { name: "a", activation: "linear" } },
  ]);
});

Deno.test("parseTopology() says what to do where the federation sends none", () => {
  assert.throws(() => parseTopology({ type: "", bytes: new Uint8Array() }), {
    name: "TrainerError",
    message: /no topology: join with --exec/,
  });
});

for (
  const [what, topology] of [
    ["another media type", { type: "application/onnx", bytes: new Uint8Array(1) }],
    ["bytes that are no JSON", { type: LAYERS_TYPE, bytes: new Uint8Array([0xff, 0x7b]) }],
    ["JSON that is no model", topologyOf([1, 2])],
    ["a model without config", topologyOf({ class_name: "Sequential" })],
  ] as const
) {
  Deno.test(`parseTopology() refuses ${what}`, () => {
    assert.throws(() => parseTopology(topology), TrainerError);
  });
}
