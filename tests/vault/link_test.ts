import assert from "node:assert/strict";
import { join } from "node:path";
import type { VaultStart } from "../../src/vault/calls.ts";
import { permissions, VaultLink } from "../../src/vault/link.ts";
import { VaultError } from "../../src/vault/vault.ts";
import {
  assigned,
  ENDING,
  finish,
  initial,
  openVault,
  partsOf,
  ROUNDS,
  train,
} from "./federation_of_five.ts";
import { StateDirectory } from "./state_directory.ts";

function start(more: Partial<VaultStart> = {}): VaultStart {
  return {
    stateDirectory: undefined,
    name: "default",
    strategy: { name: "fedavg", options: {} },
    keepModels: 2,
    durability: "process",
    keepRounds: 1000,
    initialModel: initial().buffer,
    ...more,
  };
}

Deno.test("VaultLink.open() starts the Worker with the initial model, which it takes", async () => {
  const begin = start();
  const { vault, opened } = await VaultLink.open(begin);
  await using _ = vault;
  assert.ok(begin.initialModel.detached);
  assert.equal(opened.model.bytes, initial().length);
  const [copy] = await vault.calls.copies(0, 1);
  assert.deepEqual(new Uint8Array(copy ?? new ArrayBuffer()), initial());
});

Deno.test("a part is moved to the vault, never copied", async () => {
  const { vault } = await VaultLink.open(start());
  await using _ = vault;
  await vault.calls.begin(1, assigned(1));
  const [part] = partsOf("ann", 1);
  assert.ok(part);
  const outcome = vault.calls.part(part);
  assert.ok(part.bytes.buffer instanceof ArrayBuffer && part.bytes.buffer.detached);
  assert.equal((await outcome).kind, "held");
});

Deno.test("the Worker makes the same model as the vault in process, whatever the order", async () => {
  using vault = openVault(undefined, { strategy: "fedadam" });
  finish(vault, train(vault, vault.open(initial())));
  const { vault: link } = await VaultLink.open(
    start({ strategy: { name: "fedadam", options: {} } }),
  );
  await using _ = link;
  for (let round = 1; round <= ROUNDS; round++) {
    await link.calls.begin(round, assigned(round));
    const clients = assigned(round).map(({ client }) => client).reverse();
    const outcomes = await Promise.all(
      clients.flatMap((client) => partsOf(client, round, { partBytes: 77 }))
        .map((part) => link.calls.part(part)),
    );
    assert.equal(outcomes.filter((outcome) => outcome.kind === "accepted").length, clients.length);
    await link.calls.close(round);
    const record = await link.calls.save(round, 1);
    assert.equal(record.sha256, await link.calls.sha256(round));
  }
  const done = await link.calls.finish(ROUNDS, ENDING);
  assert.equal(done.sha256, vault.sha256(ROUNDS));
});

Deno.test("a call that cannot be carried out rejects alone", async () => {
  const { vault } = await VaultLink.open(start());
  await using _ = vault;
  await assert.rejects(vault.calls.close(1), /Cannot close round 1/);
  await assert.rejects(vault.calls.copies(7, 1), /round 7 is not held/);
  await vault.calls.begin(1, assigned(1));
  assert.deepEqual((await vault.calls.close(1)).clients, []);
});

Deno.test("an operator's mistake crosses as a VaultError, and the Worker ends", async () => {
  using directory = new StateDirectory();
  {
    const { vault } = await VaultLink.open(start({ stateDirectory: directory.path }));
    await using _ = vault;
  }
  await assert.rejects(
    VaultLink.open(start({ stateDirectory: directory.path, name: "other" })),
    (error: Error) => error instanceof VaultError && /--name default/.test(error.message),
  );
  const file = join(directory.path, "file");
  Deno.writeTextFileSync(file, "");
  await assert.rejects(VaultLink.open(start({ stateDirectory: file })), VaultError);
  await assert.rejects(VaultLink.open(start({ initialModel: new ArrayBuffer(20) })), VaultError);
});

Deno.test("a run goes on in another Worker after the first was closed", async () => {
  using directory = new StateDirectory();
  const begin = () => start({ stateDirectory: directory.path });
  let runId: string;
  {
    const { vault, opened } = await VaultLink.open(begin());
    await using _ = vault;
    runId = opened.runId;
    await vault.calls.begin(1, assigned(1));
    for (const part of partsOf("ann", 1)) await vault.calls.part(part);
  }
  const { vault, opened } = await VaultLink.open(begin());
  await using _ = vault;
  assert.equal(opened.runId, runId);
  assert.deepEqual(opened.open?.answered, ["ann"]);
});

Deno.test("what was asked before the vault closes is done, what is asked after it is refused", async () => {
  const { vault } = await VaultLink.open(start());
  const begun = vault.calls.begin(1, assigned(1));
  const closed = vault.calls.close(1);
  await vault[Symbol.asyncDispose]();
  await begun;
  assert.equal((await closed).round, 1);
  await vault.closed;
  await assert.rejects(vault.calls.sha256(0), /The vault is closed/);
  await vault[Symbol.asyncDispose]();
});

/** What a Worker with the vault's permissions may do. */
async function probe(stateDirectory: string | undefined, elsewhere: string) {
  const worker = new Worker(new URL("./permission_probe.ts", import.meta.url), {
    type: "module",
    deno: { permissions: permissions(stateDirectory) },
  });
  const { promise, resolve, reject } = Promise.withResolvers<Record<string, string>>();
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = (event) => {
    event.preventDefault();
    reject(new Error(event.message));
  };
  worker.postMessage({ stateDirectory, elsewhere });
  try {
    return await promise;
  } finally {
    worker.terminate();
  }
}

Deno.test("the vault's Worker may read and write its state directory, and nothing else", async () => {
  using directory = new StateDirectory();
  using elsewhere = new StateDirectory();
  Deno.writeTextFileSync(join(elsewhere.path, "secret"), "secret");
  assert.deepEqual(await probe(directory.path, elsewhere.path), {
    "write its own": "done",
    "read its own": "done",
    "read elsewhere": "NotCapable",
    "write elsewhere": "NotCapable",
    "link elsewhere": "NotCapable",
    "connect": "NotCapable",
    "run a program": "NotCapable",
    "read the environment": "NotCapable",
  });
  assert.deepEqual(elsewhere.files(), ["secret"]);
});

Deno.test("without a state directory the vault's Worker may touch no file", async () => {
  using elsewhere = new StateDirectory();
  Deno.writeTextFileSync(join(elsewhere.path, "secret"), "secret");
  const outcomes = await probe(undefined, elsewhere.path);
  assert.ok(Object.values(outcomes).every((outcome) => outcome === "NotCapable"));
});
