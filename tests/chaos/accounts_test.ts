import assert from "node:assert/strict";
import { join } from "node:path";
import { weights } from "../support/federation.ts";
import { StateDirectory } from "../vault/state_directory.ts";
import { Accounts } from "./accounts.ts";

const INDICES = new Map([["a", 0], ["b", 1], ["c", 2]]);

/** Accounts of a state directory in which round 1 made a model of these values. */
async function accountsOf(directory: StateDirectory, values: readonly number[]): Promise<Accounts> {
  await Deno.mkdir(join(directory.path, "models"), { recursive: true });
  const file = join(directory.path, "models", "round-000001.safetensors");
  await Deno.writeFile(file, weights(values));
  return new Accounts(INDICES, directory.path);
}

Deno.test("Accounts.check() has nothing against a model with everybody in it once", async () => {
  using directory = new StateDirectory();
  const accounts = await accountsOf(directory, [1 / 3, 1 / 3, 1 / 3, 0]);
  for (const client of INDICES.keys()) accounts.heard({ client, round: 1 }, "ACCEPTED");
  assert.deepEqual(await accounts.check(1), []);
  assert.deepEqual(accounts.totals, { promises: 3, models: 1 });
});

Deno.test("Accounts.check() lets those be in a model who heard of no verdict", async () => {
  using directory = new StateDirectory();
  const accounts = await accountsOf(directory, [0.5, 0.5, 0, 0]);
  accounts.heard({ client: "a", round: 1 }, "ACCEPTED");
  accounts.heard({ client: "c", round: 1 }, "STALE");
  assert.deepEqual(await accounts.check(1), []);
});

Deno.test("Accounts.check() finds an update that was promised to count and does not", async () => {
  using directory = new StateDirectory();
  for (const verdict of ["ACCEPTED", "DUPLICATE"]) {
    const accounts = await accountsOf(directory, [0.5, 0.5, 0, 0]);
    accounts.heard({ client: "c", round: 1 }, verdict);
    assert.deepEqual(await accounts.check(1), [
      "round 1: c was told that its update counts, and it does not",
    ]);
  }
});

Deno.test("Accounts.check() finds an update that counts twice", async () => {
  using directory = new StateDirectory();
  const accounts = await accountsOf(directory, [0.5, 0.25, 0.25, 0]);
  const [sentence = ""] = await accounts.check(1);
  assert.match(sentence, /^round 1: a weighs 0\.5, and should 0\.333/);
});

Deno.test("Accounts.check() finds weights of nobody, and a model that is not there", async () => {
  using directory = new StateDirectory();
  const accounts = await accountsOf(directory, [0.5, 0, 0, 0.25]);
  assert.ok((await accounts.check(1)).some((sentence) => sentence.includes("nobody (3)")));
  assert.deepEqual(await accounts.check(2), ["round 2 closed, and its model is not there"]);
});
