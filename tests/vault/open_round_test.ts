/** Updates of the open round that a power cut took, as it may under `--durability process`. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { DAMAGES } from "./damages.ts";
import {
  assigned,
  finish,
  initial,
  openVault,
  partsOf,
  ROUNDS,
  send,
  train,
} from "./federation_of_five.ts";
import { StateDirectory } from "./state_directory.ts";

/** The SHA-256 of the run's last model, when nothing goes wrong. */
function undisturbed(): string {
  using vault = openVault(undefined);
  finish(vault, train(vault, vault.open(initial())));
  return vault.sha256(ROUNDS);
}

/** What a process leaves that ends after all but dan and eve have answered in round 1. */
function interrupted(more: (vault: ReturnType<typeof openVault>) => void = () => {}) {
  using directory = new StateDirectory();
  using vault = openVault(directory.path);
  vault.open(initial());
  vault.begin(1, assigned(1));
  for (const client of ["ann", "Bob", "carol"]) send(vault, partsOf(client, 1));
  more(vault);
  return directory.copy();
}

/** Of Bob in round 1. */
const FILE = join("updates", "1-12.safetensors");

for (const [damage, what] of DAMAGES) {
  Deno.test(`an update whose file is ${what} is dropped and named, and its client's next one counts`, () => {
    using left = interrupted();
    damage(join(left.path, FILE));
    using vault = openVault(left.path);
    const opened = vault.open(initial());
    assert.deepEqual(opened.lost.map(({ client, round, file }) => ({ client, round, file })), [
      { client: "Bob", round: 1, file: FILE },
    ]);
    assert.match(opened.lost[0]?.reason ?? "", /its file is (missing|damaged)/);
    assert.deepEqual(opened.open?.answered, ["ann", "carol"]);
    assert.ok(!opened.counted.some(({ client }) => client === "Bob"));
    assert.equal(send(vault, partsOf("Bob", 1)).kind, "accepted");
    assert.equal(send(vault, partsOf("Bob", 1)).kind, "stale");
    finish(
      vault,
      train(vault, { ...opened, open: { assigned: [], answered: ["ann", "Bob", "carol"] } }),
    );
    assert.equal(vault.sha256(ROUNDS), undisturbed());
  });
}

Deno.test("what was dropped is dropped once: the next start knows nothing of it", () => {
  using left = interrupted();
  Deno.removeSync(join(left.path, FILE));
  {
    using vault = openVault(left.path);
    assert.equal(vault.open(initial()).lost.length, 1);
  }
  using vault = openVault(left.path);
  const opened = vault.open(initial());
  assert.deepEqual(opened.lost, []);
  finish(vault, train(vault, opened));
  assert.equal(vault.sha256(ROUNDS), undisturbed());
});

Deno.test("a round that had been decided and lost an update is open again for it", () => {
  using left = interrupted((vault) => {
    for (const client of ["dan", "eve"]) send(vault, partsOf(client, 1));
    vault.close(1);
  });
  Deno.truncateSync(join(left.path, FILE), 10);
  using vault = openVault(left.path);
  const opened = vault.open(initial());
  assert.equal(opened.closedRounds, 0);
  assert.deepEqual(opened.open, {
    assigned: assigned(1),
    answered: ["ann", "carol", "dan", "eve"],
  });
  finish(vault, train(vault, opened));
  assert.equal(vault.sha256(ROUNDS), undisturbed());
});

Deno.test("a round that had been decided and lost all is open again, and waits for all", () => {
  using left = interrupted((vault) => vault.close(1));
  for (const name of left.files("updates")) Deno.removeSync(join(left.path, name));
  using vault = openVault(left.path);
  const opened = vault.open(initial());
  assert.deepEqual(opened.lost.map(({ client }) => client), ["Bob", "ann", "carol"]);
  assert.deepEqual(opened.open, { assigned: assigned(1), answered: [] });
  finish(vault, train(vault, opened));
  assert.equal(vault.sha256(ROUNDS), undisturbed());
});

Deno.test("a round on a model that is lost goes with it: what is in it is named, too", () => {
  using left = interrupted((vault) => {
    vault.close(1);
    vault.begin(2, assigned(2));
    send(vault, partsOf("eve", 2));
  });
  Deno.removeSync(join(left.path, FILE));
  using vault = openVault(left.path);
  const opened = vault.open(initial());
  assert.deepEqual(opened.lost.map(({ client, round, reason }) => ({ client, round, reason })), [
    { client: "Bob", round: 1, reason: "its file is missing" },
    { client: "eve", round: 2, reason: "the model that it was trained from is lost" },
  ]);
  assert.deepEqual(opened.open?.answered, ["ann", "carol"]);
  assert.equal(opened.nextTaskId, 29); // nobody's task id of before means another's now
  finish(vault, train(vault, opened));
  assert.deepEqual(left.files("updates"), []);
  assert.equal(vault.sha256(ROUNDS), undisturbed());
});

Deno.test("a state directory of a server that kept no checksums goes on", () => {
  using left = interrupted();
  {
    using ledger = new DatabaseSync(join(left.path, "ledger.sqlite"));
    ledger.exec("ALTER TABLE updates DROP COLUMN checksum");
  }
  using vault = openVault(left.path);
  const opened = vault.open(initial());
  assert.deepEqual(opened.open?.answered, ["Bob", "ann", "carol"]);
  assert.deepEqual(opened.lost, []);
  finish(vault, train(vault, opened));
  assert.equal(vault.sha256(ROUNDS), undisturbed());
});
