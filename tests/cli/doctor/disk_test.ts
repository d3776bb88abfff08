import assert from "node:assert/strict";
import { join } from "node:path";
import { checkDisk } from "../../../src/cli/doctor/disk.ts";
import { checkMemory } from "../../../src/cli/doctor/memory.ts";
import { readConfig } from "../../../src/config.ts";
import { fill, mountingTest, smallDisk } from "../../support/small_disk.ts";
import { StateDirectory } from "../../vault/state_directory.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

function configOf(state: string, flags: Readonly<Record<string, string>> = {}) {
  return readConfig({ flags: { state, ...flags } }).config;
}

Deno.test("checkDisk() tries what the vault does, and leaves nothing behind", async () => {
  using directory = new StateDirectory();
  const finding = await checkDisk(configOf(directory.path), 100 * KIB);
  assert.equal(finding.state, "ok", finding.seen);
  assert.match(
    finding.seen,
    /can be written and synced, .* are free, and what is kept takes .* \(3 models and a/,
  );
  const absent = join(directory.path, "a", "b");
  assert.equal((await checkDisk(configOf(absent), 100 * KIB)).state, "ok");
  assert.deepEqual(directory.files(), []);
});

Deno.test("checkDisk() finds a state directory whose parent is a file", async () => {
  using directory = new StateDirectory();
  const file = join(directory.path, "file");
  Deno.writeTextFileSync(file, "");
  const finding = await checkDisk(configOf(join(file, "run")), 100 * KIB);
  assert.equal(finding.state, "failed");
  assert.match(finding.seen, /cannot be written: Not a directory$/);
});

Deno.test("checkDisk() warns of --state-max-bytes below what is to be kept", async () => {
  using directory = new StateDirectory();
  const config = configOf(directory.path, { "state-max-bytes": `${9 * MIB}` });
  const finding = await checkDisk(config, MIB);
  assert.equal(finding.state, "warning");
  assert.match(finding.todo, /raise --state-max-bytes, .* --keep/);
});

mountingTest("checkDisk() finds a read-only disk, a full one, and one that will be", async () => {
  using readOnly = smallDisk("ro");
  using small = smallDisk("size=4m");
  assert.ok(readOnly && small);
  const refused = await checkDisk(configOf(join(readOnly.path, "run")), KIB);
  assert.equal(refused.state, "failed");
  assert.match(refused.seen, /run cannot be written: Read-only file system$/);
  assert.match(refused.todo, /choose another --state/);
  assert.equal((await checkDisk(configOf(small.path), 100 * KIB)).state, "warning");
  const large = await checkDisk(configOf(small.path), MIB);
  assert.equal(large.state, "failed");
  assert.match(large.seen, /but only .* are free, and a round takes 7\.0 MiB$/);
  fill(join(small.path, "filling"));
  const full = await checkDisk(configOf(small.path), KIB);
  assert.deepEqual([full.state, full.todo], ["failed", "make room"]);
});

Deno.test("checkMemory() warns where a round takes more than there is", () => {
  const { config } = readConfig({ flags: { "min-clients": "10" } });
  assert.equal(checkMemory(config, 100 * KIB).state, "ok");
  const finding = checkMemory(config, 100 * MIB, 1024 * MIB);
  assert.equal(finding.state, "warning");
  assert.match(finding.todo, /--max-bytes-in-flight/);
  assert.equal(checkMemory(config, undefined, 64 * MIB).state, "failed");
});
