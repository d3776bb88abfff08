import assert from "node:assert/strict";
import { join } from "node:path";
import { ConfigError } from "../../src/config/config_error.ts";
import { openTokenKey, tokenRule } from "../../src/server/token_key.ts";
import { StateDirectory } from "../vault/state_directory.ts";
import { smallConfig } from "./small_config.ts";

Deno.test("openTokenKey() makes a key in the state directory once, for its owner alone", async () => {
  using directory = new StateDirectory();
  const state = join(directory.path, "run");
  const keys = await Promise.all(Array.from({ length: 8 }, () => openTokenKey({ state })));
  const file = join(state, "token.key");
  const kept = await Deno.readFile(file);
  assert.equal(kept.length, 32);
  for (const key of keys) assert.equal(key.toHex(), kept.toHex());
  assert.equal((await Deno.stat(file)).mode ?? 0, 0o100600);
  assert.deepEqual([...Deno.readDirSync(state)].map(({ name }) => name), ["token.key"]);
  assert.equal((await openTokenKey({ state })).toHex(), kept.toHex());
});

Deno.test("openTokenKey() reads a key of the operator's, before the state directory's", async () => {
  using directory = new StateDirectory();
  const tokenKey = join(directory.path, "key");
  await Deno.writeFile(tokenKey, new Uint8Array(32).fill(9));
  const key = await openTokenKey({ tokenKey, state: directory.path });
  assert.equal(key.toHex(), "09".repeat(32));
});

Deno.test("openTokenKey() says what is wrong with a key", async () => {
  using directory = new StateDirectory();
  const tokenKey = join(directory.path, "key");
  const says = (pattern: RegExp) => (error: unknown) =>
    error instanceof ConfigError && pattern.test(error.sentences.join());
  await assert.rejects(openTokenKey({ tokenKey }), says(/there is no such file/));
  await Deno.writeFile(tokenKey, new Uint8Array(31));
  await assert.rejects(openTokenKey({ tokenKey }), says(/31 bytes, but a token key has 32/));
  await assert.rejects(openTokenKey({}), says(/--state or --token-key/));
});

Deno.test("tokenRule() is the key and the federation's name, where tokens are required", async () => {
  using directory = new StateDirectory();
  const state = join(directory.path, "run");
  assert.equal(await tokenRule(smallConfig(directory.path, { state })), undefined);
  const config = smallConfig(directory.path, { state, tokens: "required", name: "digits" });
  assert.equal((await tokenRule(config))?.federation, "digits");
});
