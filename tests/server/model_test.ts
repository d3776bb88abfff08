import assert from "node:assert/strict";
import { join } from "node:path";
import { DEFAULT_TOPOLOGY } from "../../src/client/topology.ts";
import { type Config, readConfig } from "../../src/config.ts";
import { ConfigError } from "../../src/config/config_error.ts";
import { readModel } from "../../src/server/model.ts";
import { decodeSafetensors } from "../../src/weights/safetensors.ts";
import { isRejection } from "../../src/weights/tensors.ts";
import { initial, openVault } from "../vault/federation_of_five.ts";
import { StateDirectory } from "../vault/state_directory.ts";
import { MODEL, smallConfig } from "./small_config.ts";

async function refuses(config: Config, sentence: RegExp): Promise<void> {
  await assert.rejects(readModel(config), (error) => {
    assert.ok(error instanceof ConfigError);
    assert.match(error.message, sentence);
    return true;
  });
}

Deno.test("readModel() takes the operator's model as it is, and leaves the topology to the clients", async () => {
  using directory = new StateDirectory();
  const { bytes, topology } = await readModel(smallConfig(directory.path));
  assert.deepEqual(bytes, MODEL);
  assert.deepEqual(topology, { type: "", bytes: new Uint8Array() });
});

Deno.test("readModel() takes a model together with what clients are to build from it", async () => {
  using directory = new StateDirectory();
  const path = join(directory.path, "layers.json");
  Deno.writeTextFileSync(path, "{}");
  const { bytes, topology } = await readModel(smallConfig(directory.path, { topology: path }));
  assert.deepEqual(bytes, MODEL);
  assert.deepEqual(topology.bytes, new TextEncoder().encode("{}"));
});

Deno.test("without a model, the digit classifier begins with weights of its seed", async () => {
  const of = async (seed: string) => (await readModel(readConfig({ flags: { seed } }).config));
  const [one, again, other] = [await of("1"), await of("1"), await of("2")];
  assert.deepEqual(one.topology, DEFAULT_TOPOLOGY);
  assert.ok(!isRejection(decodeSafetensors(one.bytes)));
  assert.ok(one.bytes.every((byte, index) => byte === again.bytes[index]));
  assert.ok(one.bytes.some((byte, index) => byte !== other.bytes[index]));
});

Deno.test("a file that cannot be used is refused by its flag and its name", async () => {
  using directory = new StateDirectory();
  const missing = join(directory.path, "missing");
  await refuses(smallConfig(directory.path, { model: missing }), /--model.*missing.*no such file/);
  await refuses(smallConfig(directory.path, { topology: missing }), /--topology.*missing/);
  await refuses(smallConfig(directory.path, { model: directory.path }), /--model/);
  const text = join(directory.path, "text");
  Deno.writeTextFileSync(text, "this is no model");
  await refuses(
    smallConfig(directory.path, { model: text }),
    /--model.*which is not a safetensors file/,
  );
  Deno.writeFileSync(text, new Uint8Array(64 * 1024 + 1));
  await refuses(smallConfig(directory.path, { topology: text }), /--topology.*65537 bytes; 65536/);
});

Deno.test("readModel() makes no model where a run goes on, and refuses a wrong --model all the same", async () => {
  using directory = new StateDirectory();
  const state = join(directory.path, "run");
  const { config } = readConfig({ flags: { state } });
  assert.ok((await readModel(config)).bytes.length > 0);
  {
    using vault = openVault(state);
    vault.open(initial());
  }
  assert.deepEqual(await readModel(config), {
    bytes: new Uint8Array(),
    topology: DEFAULT_TOPOLOGY,
  });
  await refuses(
    readConfig({ flags: { state, model: join(directory.path, "none") } }).config,
    /--model names .*none, but there is no such file/,
  );
});
