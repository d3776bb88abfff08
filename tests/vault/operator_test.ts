/** What an operator can get wrong about a state directory: one sentence each, and nothing is changed. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { type Vault, VaultError } from "../../src/vault/vault.ts";
import {
  assigned,
  finish,
  initial,
  model,
  openVault,
  partsOf,
  send,
  train,
} from "./federation_of_five.ts";
import { DAMAGES } from "./damages.ts";
import { StateDirectory } from "./state_directory.ts";

/** Opening is refused with one sentence that fits. */
function refuses(open: () => Vault, sentence: RegExp): void {
  using stack = new DisposableStack();
  assert.throws(() => stack.use(open()).open(initial()), (error: Error) => {
    assert.ok(error instanceof VaultError, String(error.stack));
    assert.match(error.message, sentence);
    assert.ok(!error.message.includes("\n"), error.message);
    return true;
  });
}

/** A state directory with one closed round, and an open one in which ann has answered. */
function used(strategy: "fedavg" | "fedadam" = "fedavg"): StateDirectory {
  const directory = new StateDirectory();
  using vault = openVault(directory.path, { strategy });
  vault.open(initial());
  vault.begin(1, assigned(1));
  send(vault, partsOf("ann", 1));
  vault.close(1);
  vault.save(1, 1);
  vault.begin(2, assigned(2));
  send(vault, partsOf("ann", 2));
  return directory;
}

Deno.test("a state directory of another federation is refused by both names", () => {
  using directory = used();
  refuses(
    () => openVault(directory.path, { name: "other" }),
    /"default".*"other".*--state.*--name default/,
  );
});

Deno.test("a file in the place of the state directory is refused", () => {
  using directory = new StateDirectory();
  const path = join(directory.path, "file");
  Deno.writeTextFileSync(path, "text");
  refuses(() => openVault(path), /Cannot use the state directory .*file: .*; choose another/);
});

Deno.test({
  name: "a state directory that may not be written to is refused",
  ignore: Deno.uid() === 0, // root may write anywhere
  fn: () => {
    using directory = new StateDirectory();
    Deno.chmodSync(directory.path, 0o500);
    try {
      refuses(() => openVault(directory.path), /Cannot use the state directory/);
    } finally {
      Deno.chmodSync(directory.path, 0o700);
    }
  },
});

Deno.test({
  name: "a state directory with a ledger that may not be written to is refused",
  ignore: Deno.uid() === 0, // root may write anywhere
  fn: () => {
    using directory = used();
    Deno.chmodSync(join(directory.path, "ledger.sqlite"), 0o400);
    refuses(() => openVault(directory.path), /Cannot use the state directory/);
  },
});

Deno.test("a ledger that is none is refused", () => {
  using directory = used();
  Deno.writeFileSync(join(directory.path, "ledger.sqlite"), new Uint8Array(5000).fill(7));
  refuses(() => openVault(directory.path), /Cannot use the state directory .*not a database/);
});

Deno.test("a ledger with other tables is refused", () => {
  using directory = new StateDirectory();
  {
    using vault = openVault(directory.path);
    vault.open(initial());
  }
  const path = join(directory.path, "ledger.sqlite");
  const bytes = Deno.readFileSync(path);
  const text = new TextDecoder("latin1").decode(bytes);
  for (let at = text.indexOf("run_id"); at >= 0; at = text.indexOf("run_id", at + 1)) {
    bytes.set(new TextEncoder().encode("nur_id"), at);
  }
  Deno.writeFileSync(path, bytes);
  refuses(() => openVault(directory.path), /Cannot use the state directory/);
});

Deno.test("a state directory whose newest model is gone is refused, not begun anew", () => {
  using directory = used();
  Deno.removeSync(join(directory.path, "models", "round-000001.safetensors"));
  refuses(() => openVault(directory.path), /lacks the model of round 1.*--state/);
});

Deno.test("a damaged model is refused", () => {
  using directory = used();
  Deno.truncateSync(join(directory.path, "models", "round-000001.safetensors"), 100);
  refuses(() => openVault(directory.path), /Cannot read the model of round 1/);
});

for (const [damage, what] of DAMAGES) {
  Deno.test(`power: an update that was synced and is ${what} all the same is refused by its name`, () => {
    using directory = used();
    damage(join(directory.path, "updates", "2-20.safetensors"));
    refuses(
      () => openVault(directory.path, { durability: "power" }),
      /updates.2-20\.safetensors, an update of ann: its file is/,
    );
  });
}

Deno.test("the state of another strategy is refused", () => {
  using directory = used("fedadam");
  refuses(() => openVault(directory.path, { strategy: "fedadagrad" }), /fedadagrad/);
});

Deno.test("a state directory that another server uses is refused, and that one is not disturbed", () => {
  using directory = new StateDirectory();
  using first = openVault(directory.path);
  const steps = train(first, first.open(initial()));
  for (let count = 0; count < 4; count++) steps.next();
  refuses(() => openVault(directory.path), /another server is using it; choose another --state/);
  finish(first, steps);
});

Deno.test("a model that cannot be used leaves no run behind", () => {
  using directory = new StateDirectory();
  {
    using vault = openVault(directory.path);
    assert.throws(() => vault.open(model([NaN, 1, 2, 3], 0)), VaultError);
  }
  using vault = openVault(directory.path);
  assert.equal(vault.open(initial()).closedRounds, 0);
  assert.deepEqual(new Uint8Array(vault.copies(0, 1)[0] ?? new ArrayBuffer()), initial());
});
