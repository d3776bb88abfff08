/** What is on the disk before a verdict is given: which files the vault syncs, and when. */

import assert from "node:assert/strict";
import type { Durability } from "../../src/vault/durability.ts";
import { assigned, initial, openVault, partsOf, send } from "./federation_of_five.ts";
import { StateDirectory } from "./state_directory.ts";

/** Counts what is synced while it is in scope. SQLite syncs by itself, and is not counted. */
class Syncs implements Disposable {
  readonly #own = {
    syncSync: Deno.FsFile.prototype.syncSync,
    syncDataSync: Deno.FsFile.prototype.syncDataSync,
  };
  files = 0;
  directories = 0;

  constructor() {
    const see = (file: Deno.FsFile) =>
      file.statSync().isDirectory ? this.directories++ : this.files++;
    for (const [name, own] of Object.entries(this.#own)) {
      Object.assign(Deno.FsFile.prototype, {
        [name](this: Deno.FsFile) {
          see(this);
          own.call(this);
        },
      });
    }
  }

  take(): { files: number; directories: number } {
    const { files, directories } = this;
    this.files = this.directories = 0;
    return { files, directories };
  }

  [Symbol.dispose](): void {
    Object.assign(Deno.FsFile.prototype, this.#own);
  }
}

/** What is synced for an accepted update, and for a saved model. */
function synced(durability: Durability) {
  using directory = new StateDirectory();
  using vault = openVault(directory.path, { durability });
  vault.open(initial());
  vault.begin(1, assigned(1));
  using syncs = new Syncs();
  assert.equal(send(vault, partsOf("ann", 1)).kind, "accepted");
  const update = syncs.take();
  vault.close(1);
  vault.save(1, 1);
  return { update, model: syncs.take() };
}

const one = { files: 1, directories: 1 };
const nothing = { files: 0, directories: 0 };

Deno.test("process: an update is left to the operating system, a model is synced with its name", () => {
  assert.deepEqual(synced("process"), { update: nothing, model: one });
});

Deno.test("power: an update is synced with its name before it is accepted", () => {
  assert.deepEqual(synced("power"), { update: one, model: one });
});

Deno.test("none: nothing is synced", () => {
  assert.deepEqual(synced("none"), { update: nothing, model: nothing });
});

for (const durability of ["power", "none"] as const) {
  Deno.test(`${durability}: a run goes on as with any other durability`, () => {
    using directory = new StateDirectory();
    using first = openVault(directory.path, { durability });
    first.open(initial());
    first.begin(1, assigned(1));
    send(first, partsOf("ann", 1));
    using left = directory.copy();
    using second = openVault(left.path, { durability });
    assert.deepEqual(second.open(initial()).open?.answered, ["ann"]);
  });
}
