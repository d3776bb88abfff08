/** Who may read what the vault writes. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { assigned, initial, openVault, partsOf, send } from "./federation_of_five.ts";
import { StateDirectory } from "./state_directory.ts";

function modeOf(path: string): string {
  return ((Deno.statSync(path).mode ?? 0) & 0o777).toString(8);
}

Deno.test({
  name: "a state directory that the vault makes, and its ledger, are their owner's alone",
  ignore: Deno.build.os === "windows", // which has no modes
  fn: () => {
    using parent = new StateDirectory();
    const path = join(parent.path, "run");
    const umask = Deno.umask(0); // takes nothing away
    try {
      using vault = openVault(path);
      vault.open(initial());
      vault.begin(1, assigned(1));
      send(vault, partsOf("ann", 1));
      assert.equal(modeOf(path), "700");
      for (const journal of ["", "-wal", "-shm"]) {
        assert.equal(modeOf(join(path, `ledger.sqlite${journal}`)), "600", journal);
      }
    } finally {
      Deno.umask(umask);
    }
  },
});

Deno.test({
  name: "a state directory of the operator's keeps the mode that it has",
  ignore: Deno.build.os === "windows", // which has no modes
  fn: () => {
    using directory = new StateDirectory();
    Deno.chmodSync(directory.path, 0o750);
    {
      using vault = openVault(directory.path);
      vault.open(initial());
    }
    const ledger = join(directory.path, "ledger.sqlite");
    Deno.chmodSync(ledger, 0o640);
    using vault = openVault(directory.path);
    vault.open(initial());
    assert.deepEqual([modeOf(directory.path), modeOf(ledger)], ["750", "640"]);
  },
});
