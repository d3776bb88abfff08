import assert from "node:assert/strict";
import { join } from "node:path";
import { placeFile } from "../../src/server/placed_file.ts";
import { openTokenKey } from "../../src/server/token_key.ts";
import { readRevocations, revoke } from "../../src/server/revocations.ts";
import { NOW_MS } from "../support/tokens.ts";
import { StateDirectory } from "../vault/state_directory.ts";

const NOBODY = 65534;

Deno.test("placeFile() leaves what is there, and nothing beside it", async () => {
  using directory = new StateDirectory();
  await placeFile(directory.path, "a", new Uint8Array([1, 2]));
  await assert.rejects(
    placeFile(directory.path, "a", new Uint8Array([3])),
    Deno.errors.AlreadyExists,
  );
  assert.deepEqual([...await Deno.readFile(join(directory.path, "a"))], [1, 2]);
  assert.deepEqual([...Deno.readDirSync(directory.path)].map(({ name }) => name), ["a"]);
});

Deno.test({
  name: "what root puts into a server's state directory is the server's to read, and nobody else's",
  ignore: Deno.build.os === "windows" || Deno.uid() !== 0, // only root gives files away
  fn: async () => {
    using directory = new StateDirectory();
    const state = directory.path;
    await Deno.chown(state, NOBODY, NOBODY);
    await openTokenKey({ state });
    await revoke(state, { clientId: "a", nowMs: NOW_MS });
    await revoke(state, { clientId: "b", nowMs: NOW_MS });
    assert.deepEqual([...(await readRevocations(state)).keys()], ["a", "b"]);
    for (const name of ["token.key", "revoked"]) {
      const { uid, mode } = await Deno.stat(join(state, name));
      assert.deepEqual([uid, (mode ?? 0) & 0o777], [NOBODY, 0o600], name);
    }
  },
});
