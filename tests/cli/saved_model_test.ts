import assert from "node:assert/strict";
import { join } from "node:path";
import { Failure } from "../../src/cli/exit.ts";
import { saveModel } from "../../src/cli/saved_model.ts";
import { StateDirectory } from "../vault/state_directory.ts";

const MODEL = new Uint8Array(100).fill(7);

Deno.test("saveModel() writes a file, and replaces the one before", async () => {
  using directory = new StateDirectory();
  const path = join(directory.path, "m.safetensors");
  for (const value of [1, 2]) {
    await saveModel(path, new Uint8Array(100).fill(value));
    assert.deepEqual(await Deno.readFile(path), new Uint8Array(100).fill(value));
  }
  assert.deepEqual(directory.files(), ["m.safetensors"]);
});

Deno.test("saveModel() keeps a link a link", { ignore: Deno.build.os === "windows" }, async () => {
  using directory = new StateDirectory();
  const [path, link] = [join(directory.path, "m"), join(directory.path, "newest")];
  await Deno.writeTextFile(path, "");
  await Deno.symlink(path, link);
  await saveModel(link, MODEL);
  assert.ok((await Deno.lstat(link)).isSymlink);
  assert.deepEqual(await Deno.readFile(path), MODEL);
});

Deno.test("saveModel() replaces no device", { ignore: Deno.build.os === "windows" }, async () => {
  await saveModel("/dev/null", MODEL);
  assert.ok((await Deno.stat("/dev/null")).isCharDevice);
});

Deno.test("saveModel() that cannot write says why in a sentence", async () => {
  using directory = new StateDirectory();
  const path = join(directory.path, "none", "m");
  await assert.rejects(saveModel(path, MODEL), (error) => {
    assert.ok(error instanceof Failure);
    assert.match(error.message, /^The final model could not be written to .*none.m: /);
    return true;
  });
});
