/** A state directory at its limit and a disk without room: updates wait, nothing accepted is lost. */

import assert from "node:assert/strict";
import { VaultError } from "../../src/vault/vault.ts";
import { fill, mountingTest, smallDisk } from "../support/small_disk.ts";
import {
  assigned,
  CLIENTS,
  initial,
  model,
  openVault,
  partsOf,
  ROUNDS,
  send,
} from "./federation_of_five.ts";
import { StateDirectory } from "./state_directory.ts";

const MIB = 1024 * 1024;

/** What a run needs for one update, as its own sentence says. */
function neededIn(path: string, first = initial()): number {
  using stack = new DisposableStack();
  try {
    stack.use(openVault(path, { stateMaxBytes: 1 })).open(first);
  } catch (error) {
    assert.ok(error instanceof VaultError);
    assert.match(error.message, /^--state-max-bytes is 1, but .* raise it, or .* --keep$/);
    return Number(/needs (\d+)/.exec(error.message)?.[1]);
  }
  throw new Error("It fits");
}

Deno.test("a limit below what a round needs is refused in one sentence, and nothing else changes", () => {
  using directory = new StateDirectory();
  const needed = neededIn(directory.path);
  assert.ok(needed > MIB && needed < 2 * MIB, `${needed}`);
  using vault = openVault(directory.path, { stateMaxBytes: needed + 8 * MIB });
  vault.open(initial());
});

Deno.test("an update beyond the limit is put off, and taken when others gave theirs back", () => {
  using directory = new StateDirectory();
  const stateMaxBytes = neededIn(directory.path) + MIB / 4;
  using vault = openVault(directory.path, { stateMaxBytes });
  vault.open(initial());
  vault.begin(1, assigned(1));
  // Uploads that are begun have reserved what they will need.
  const outcomes = CLIENTS.map((client) => {
    const [first] = partsOf(client, 1);
    assert.ok(first);
    return vault.part({ ...first, totalBytes: MIB / 8 });
  });
  const kinds = new Set(outcomes.map(({ kind }) => kind));
  assert.deepEqual(kinds, new Set(["held", "full"]));
  for (const client of CLIENTS) vault.discard(client);
  for (const client of CLIENTS) {
    assert.equal(send(vault, partsOf(client, 1, { uploadId: "01" })).kind, "accepted");
  }
  vault.close(1);
  assert.equal(vault.save(1, 1).clients.length, CLIENTS.length);
});

Deno.test("a run at its limit starts again: what was accepted goes with its round", () => {
  using directory = new StateDirectory();
  const big = model(new Array<number>(100_000).fill(0.1), 0);
  const parts = (client: string) => partsOf(client, 1, { partBytes: big.length, bytes: big });
  const stateMaxBytes = neededIn(directory.path, big) + 2.5 * big.length;
  const answered: string[] = [];
  {
    using vault = openVault(directory.path, { stateMaxBytes });
    vault.open(big);
    vault.begin(1, assigned(1));
    for (const client of CLIENTS) {
      const { kind } = send(vault, parts(client));
      if (kind === "accepted") answered.push(client);
      else assert.equal(kind, "full");
    }
    assert.equal(answered.length, 3);
  }
  using vault = openVault(directory.path, { stateMaxBytes });
  assert.deepEqual(vault.open(big).open?.answered, answered.sort());
  const [late] = CLIENTS.filter((client) => !answered.includes(client));
  assert.equal(send(vault, parts(late ?? "")).kind, "full");
  vault.close(1);
  assert.deepEqual(vault.save(1, 1).clients, answered);
});

mountingTest(
  "on a full disk updates wait and the run stops with one sentence; with room it goes on",
  () => {
    using disk = smallDisk("size=1m");
    assert.ok(disk);
    const filling = `${disk.path}/filling`;
    {
      using vault = openVault(disk.path);
      vault.open(initial());
      vault.begin(1, assigned(1));
      assert.equal(send(vault, partsOf("ann", 1)).kind, "accepted");
      const [first, second] = partsOf("Bob", 1);
      assert.ok(first && second);
      fill(filling);
      const full = vault.part(first);
      assert.equal(full.kind, "full");
      assert.equal(full.nextOffset, 0);
      Deno.removeSync(filling);
      assert.equal(send(vault, [first, second]).kind, "accepted");
      vault.close(1);
      fill(filling);
      assert.throws(() => vault.save(1, 1), (error: Error) => {
        assert.ok(error instanceof VaultError, String(error.stack));
        assert.match(error.message, /^The disk of .* is full: make room, .* nothing .* is lost$/);
        return true;
      });
    }
    Deno.removeSync(filling);
    using vault = openVault(disk.path);
    const opened = vault.open(initial());
    assert.deepEqual(opened.history.map(({ clients }) => clients), [["Bob", "ann"]]);
  },
);

mountingTest(
  "a round that a full disk cannot begin is said to be the disk's, and begins with room",
  () => {
    using disk = smallDisk("size=1m");
    assert.ok(disk);
    const filling = `${disk.path}/filling`;
    using vault = openVault(disk.path);
    vault.open(initial());
    fill(filling);
    // SQLite has rolled back by itself then: nothing may hide why.
    assert.throws(
      () => vault.begin(1, assigned(1)),
      (error) => error instanceof VaultError && error.isFull && /make room/.test(error.message),
    );
    Deno.removeSync(filling);
    vault.begin(1, assigned(1));
    assert.equal(send(vault, partsOf("ann", 1)).kind, "accepted");
  },
);

Deno.test("the ledger keeps the records of the newest rounds, and forgets older ones", () => {
  using directory = new StateDirectory();
  {
    using vault = openVault(directory.path, { keepRounds: 2 });
    vault.open(initial());
    for (let round = 1; round <= ROUNDS + 1; round++) {
      vault.begin(round, assigned(round));
      send(vault, partsOf("ann", round));
      vault.close(round);
      vault.save(round, 1);
    }
  }
  using vault = openVault(directory.path, { keepRounds: 2 });
  const { history, closedRounds } = vault.open(initial());
  assert.equal(closedRounds, ROUNDS + 1);
  assert.deepEqual(history.map(({ round }) => round), [ROUNDS, ROUNDS + 1]);
});
