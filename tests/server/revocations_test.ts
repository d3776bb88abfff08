import assert from "node:assert/strict";
import { join } from "node:path";
import { ConfigError } from "../../src/config/config_error.ts";
import { LOOK_MS, readRevocations, RevocationWatch, revoke } from "../../src/server/revocations.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { NOW_MS } from "../support/tokens.ts";
import { StateDirectory } from "../vault/state_directory.ts";

const NOW_S = NOW_MS / 1000;

Deno.test("revoke() adds a line of its own, and the newest of a client's counts", async () => {
  using directory = new StateDirectory();
  const state = directory.path;
  assert.deepEqual(await readRevocations(state), new Map());
  await revoke(state, { clientId: "a", nowMs: NOW_MS });
  await revoke(state, { clientId: "b", nowMs: NOW_MS + 999 });
  await revoke(state, { clientId: "a", nowMs: NOW_MS + 5000 });
  assert.deepEqual(await readRevocations(state), new Map([["a", NOW_S + 5], ["b", NOW_S]]));
  const text = await Deno.readTextFile(join(state, "revoked"));
  assert.match(text, /^\S+Z a\n\S+Z b\n\S+Z a\n$/);
});

Deno.test("readRevocations() passes over a line that is being written, and names one that is none", async () => {
  using directory = new StateDirectory();
  const path = join(directory.path, "revoked");
  await Deno.writeTextFile(path, "2026-11-22T09:30:00.000Z a\n2026-11-22T09:3");
  assert.deepEqual([...(await readRevocations(directory.path)).keys()], ["a"]);
  await Deno.writeTextFile(path, "2026-11-22T09:30:00.000Z a\nnever b\n");
  await assert.rejects(readRevocations(directory.path), (error) => {
    assert.ok(error instanceof ConfigError);
    assert.match(error.message, /revoked, line 2 is "never b", but must be a time and a client/);
    return true;
  });
});

Deno.test("revoke() names a directory that is not there", async () => {
  using directory = new StateDirectory();
  await assert.rejects(
    revoke(join(directory.path, "none"), { clientId: "a", nowMs: NOW_MS }),
    /no such directory; name the server's --state/,
  );
});

Deno.test("RevocationWatch tells what was revoked since, once, and keeps what it knows of a broken list or an empty one", async () => {
  using directory = new StateDirectory();
  const state = directory.path;
  await revoke(state, { clientId: "a", nowMs: NOW_MS });
  const clock = new ManualClock();
  const said: string[][] = [];
  await using _ = new RevocationWatch(await readRevocations(state), {
    state,
    clock,
    changed: (revoked) => void said.push([...revoked.keys()]),
    failed: () => void said.push(["failed"]),
  });
  // The next one is set when a look has ended: none is under way while the list is written.
  const look = async () => {
    clock.pass(LOOK_MS);
    while (clock.timers === 0) await new Promise((resolve) => setImmediate(resolve));
  };
  await look();
  await revoke(state, { clientId: "b", nowMs: NOW_MS });
  await look();
  const path = join(state, "revoked");
  const good = await Deno.readTextFile(path);
  await Deno.writeTextFile(path, "nonsense\n");
  for (let looks = 0; looks < 3; looks++) await look();
  await Deno.writeTextFile(path, "");
  await look();
  await Deno.writeTextFile(path, good);
  await look();
  await revoke(state, { clientId: "c", nowMs: NOW_MS });
  await look();
  assert.deepEqual(said, [["a", "b"], ["failed"], ["a", "b", "c"]]);
});
