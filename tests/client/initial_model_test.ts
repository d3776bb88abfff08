import assert from "node:assert/strict";
import { initialModel } from "../../src/client/initial_model.ts";
import { DEFAULT_TOPOLOGY, LAYERS_TYPE } from "../../src/client/topology.ts";
import { widen } from "../../src/weights/convert.ts";
import { decodeSafetensors } from "../../src/weights/safetensors.ts";
import { isFloatTensor, isRejection } from "../../src/weights/tensors.ts";

Deno.test("initialModel() gives the same bytes for the same seed, others for another", async () => {
  const first = await initialModel(DEFAULT_TOPOLOGY, 1);
  assert.deepEqual(await initialModel(DEFAULT_TOPOLOGY, 1), first);
  assert.notDeepEqual(await initialModel(DEFAULT_TOPOLOGY, 2), first);
});

Deno.test("initialModel() draws Glorot-uniform kernels and zero biases", async () => {
  const tensors = decodeSafetensors(await initialModel(DEFAULT_TOPOLOGY, 1));
  assert.ok(!isRejection(tensors));
  assert.deepEqual([...tensors.values()].map(({ name, dtype, shape }) => [name, dtype, shape]), [
    ["hidden/kernel", "F32", [784, 64]],
    ["hidden/bias", "F32", [64]],
    ["scores/kernel", "F32", [64, 10]],
    ["scores/bias", "F32", [10]],
  ]);
  for (const tensor of tensors.values()) {
    assert.ok(isFloatTensor(tensor));
    const values = widen(tensor);
    const [rows = 0, columns = 0] = tensor.shape;
    // Glorot and Bengio 2010, eq. 16.
    const limit = tensor.name.endsWith("bias") ? 0 : Math.sqrt(6 / (rows + columns));
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    assert.ok(largest <= limit && largest >= 0.98 * limit, `${tensor.name}: ${largest}`);
  }
});

Deno.test("initialModel() refuses a topology it cannot build", async () => {
  const bytes = new TextEncoder().encode(`{"class_name":"Sequential","config":{"layers":[]}}`);
  await assert.rejects(initialModel({ type: LAYERS_TYPE, bytes }, 1), { name: "TrainerError" });
});
