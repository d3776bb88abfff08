import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import {
  ForeignFile,
  readStateFile,
  removeUnfinished,
  writeStateFile,
} from "../../src/client/state_file.ts";
import { StateDirectory } from "../vault/state_directory.ts";

const contents = fc.record({
  fields: fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer())),
  // Longer and shorter than what is read at once to find the head.
  bytes: fc.oneof(
    fc.uint8Array({ maxLength: 50 }),
    fc.integer({ min: 60_000, max: 140_000 }).map((length) => new Uint8Array(length).fill(7)),
  ),
});

Deno.test("readStateFile() gives back what writeStateFile() was given, the newest", async () => {
  using directory = new StateDirectory();
  const path = join(directory.path, "file");
  assert.equal(await readStateFile(path), undefined);
  await fc.assert(
    fc.asyncProperty(contents, async ({ fields, bytes }) => {
      await writeStateFile(path, { fields, bytes });
      const read = await readStateFile(path);
      assert.deepEqual({ ...read?.fields }, { ...fields });
      assert.deepEqual(read?.bytes, new Uint8Array(bytes));
    }),
    { numRuns: 30 },
  );
  assert.deepEqual(directory.files(), ["file"]);
});

Deno.test("a state file is its user's alone", { ignore: Deno.build.os === "windows" }, async () => {
  using directory = new StateDirectory();
  const path = join(directory.path, "file");
  await writeStateFile(path, { fields: {}, bytes: new Uint8Array(3) });
  const { mode } = await Deno.stat(path);
  assert.equal((mode ?? 0) & 0o777, 0o600);
});

Deno.test("writing a state file follows no link and takes over no file that others can read", {
  ignore: Deno.build.os === "windows",
}, async () => {
  using directory = new StateDirectory();
  const [path, other] = [join(directory.path, "file"), join(directory.path, "other")];
  const content = { fields: {}, bytes: new Uint8Array(3) };
  await Deno.writeTextFile(other, "not ours");
  await Deno.symlink(other, `${path}.unfinished`);
  await writeStateFile(path, content);
  assert.equal(await Deno.readTextFile(other), "not ours");
  await Deno.writeTextFile(`${path}.unfinished`, "", { mode: 0o644 });
  await writeStateFile(path, content);
  assert.equal(((await Deno.lstat(path)).mode ?? 0) & 0o777, 0o600);
  assert.deepEqual(directory.files(), ["file", "other"]);
});

Deno.test("whatever bit of a state file is turned over, it is refused", async () => {
  using directory = new StateDirectory();
  const path = join(directory.path, "file");
  await writeStateFile(path, { fields: { round: 3 }, bytes: new Uint8Array(20) });
  const whole = await Deno.readFile(path);
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(7), async (at, bit) => {
      const damaged = whole.slice();
      damaged[at] = (damaged[at] ?? 0) ^ (1 << bit);
      await Deno.writeFile(path, damaged);
      await assert.rejects(readStateFile(path), ForeignFile);
    }),
  );
});

Deno.test("a state file that is cut short or goes on is refused, wherever", async () => {
  using directory = new StateDirectory();
  const path = join(directory.path, "file");
  await writeStateFile(path, { fields: { round: 3 }, bytes: new Uint8Array(20) });
  const whole = await Deno.readFile(path);
  for (let length = 0; length < whole.length; length++) {
    await Deno.writeFile(path, whole.subarray(0, length));
    await assert.rejects(readStateFile(path), ForeignFile);
  }
  await Deno.writeFile(path, new Uint8Array([...whole, 0]));
  await assert.rejects(readStateFile(path), /is cut short, or goes on/);
});

Deno.test("a file of somebody else's is refused, however large, and stays as it is", async () => {
  using directory = new StateDirectory();
  const path = join(directory.path, "file");
  await Deno.writeTextFile(path, "x,y\n".repeat(50_000));
  await assert.rejects(readStateFile(path), /is no file of a Tributary client/);
  assert.equal((await Deno.stat(path)).size, 200_000);
});

Deno.test("what a process left unfinished is no state, and can be removed", async () => {
  using directory = new StateDirectory();
  const path = join(directory.path, "file");
  await Deno.writeTextFile(`${path}.unfinished`, "half");
  assert.equal(await readStateFile(path), undefined);
  await removeUnfinished(path);
  await removeUnfinished(path);
  assert.deepEqual(directory.files(), []);
});

Deno.test("a state file that cannot be written leaves the one before, and nothing else", async () => {
  using directory = new StateDirectory();
  const path = join(directory.path, "file");
  await writeStateFile(path, { fields: { round: 3 }, bytes: new Uint8Array(20) });
  await Deno.mkdir(`${path}.unfinished/full`, { recursive: true });
  await assert.rejects(writeStateFile(path, { fields: {}, bytes: new Uint8Array() }));
  assert.equal((await readStateFile(path))?.fields.round, 3);
});
