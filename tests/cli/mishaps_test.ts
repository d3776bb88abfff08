/**
 * What goes wrong on an operator's machine, done to the program as a process: one sentence each, the
 * exit code that is documented, and the state as it was.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { lastingPort } from "../support/lasting_port.ts";
import { LINE_TOPOLOGY, linePoints } from "../support/line_model.ts";
import { Program, sourcesThrough } from "../support/program.ts";
import { fill, mountingTest, smallDisk } from "../support/small_disk.ts";
import { canDropOverride, WITHOUT_OVERRIDE } from "../support/surroundings.ts";
import { StateDirectory } from "../vault/state_directory.ts";

/** What a small federation needs. */
function workshop(): StateDirectory {
  const shop = new StateDirectory();
  Deno.writeTextFileSync(join(shop.path, "topology.json"), LINE_TOPOLOGY);
  for (const seed of [1, 2]) {
    Deno.writeTextFileSync(join(shop.path, `train${seed}.csv`), linePoints(200, seed));
  }
  return shop;
}

const SERVE = ["serve", "--topology", "topology.json", "--no-web"];
const GRPC = [...SERVE, "--protocols", "grpc"];
const URL_OF_GRPC = /'(grpc:\/\/[^']*)'/;

/** The one sentence with which a process ends, and its code. */
async function ending(
  args: readonly string[],
  cwd: string,
  through: readonly string[] = [],
): Promise<{ code: number; sentence: string }> {
  await using program = new Program(args, cwd, sourcesThrough(through));
  const { code, stdout, stderr } = await program.ended();
  assert.equal(stdout, "");
  const errors = stderr.split("\n").filter((line) => line !== "" && !isLog(line));
  assert.equal(errors.length, 1, stderr);
  return { code, sentence: errors[0] ?? "" };
}

/** A line of the log, which tells what was begun before it came to the error. */
function isLog(line: string): boolean {
  return /^\d{4}-\d\d-\d\dT/.test(line);
}

/** A run is begun in `run`, and stopped. */
async function begun(shop: StateDirectory): Promise<string> {
  await using server = new Program([...GRPC, "--grpc-port", "0", "--state", "run"], shop.path);
  const runId = await server.says(/, run (\S+)/);
  server.kill("SIGINT");
  assert.equal((await server.ended()).code, 0);
  return runId;
}

Deno.test("serve refuses a path at which there is no libddsc before it begins anything", async () => {
  using shop = workshop();
  const before = shop.files();
  const args = [...SERVE, "--dds-library", "./none.so", "--state", "run"];
  assert.deepEqual(await ending(args, shop.path), {
    code: 2,
    sentence: "error: --dds-library names ./none.so, but there is no such file; name libddsc of " +
      "Cyclone DDS, or leave it out, and one is looked for",
  });
  assert.deepEqual(shop.files(), before);
});

Deno.test("serve refuses a file that is no libddsc, and the run in its state goes on without it", async () => {
  using shop = workshop();
  const runId = await begun(shop);
  const args = [...SERVE, "--protocols", "dds", "--dds-port", "0", "--state", "run"];
  const { code, sentence } = await ending(
    [...args, "--dds-library", "./topology.json"],
    shop.path,
  );
  assert.equal(code, 2);
  assert.match(sentence, /^error: Cannot use \.\/topology\.json as libddsc: .*; .*--dds-library$/);
  assert.equal(await begun(shop), runId);
});

for (
  const [what, text, line] of [
    ["in the name of a table", "[training]\nrounds = 3\n[limi", 3],
    ["in a key", "[training]\nrounds = 3\nmin_cl", 3],
    ["before a value", "[training]\nrounds = ", 2],
    ["in a string", '[training]\nrounds = 3\n[mqtt]\nhostname = "127.0', 4],
    ["in a list", 'protocols = ["mqtt", "gr', 1],
    ["in an inline table", "[training]\nsettings = { epochs = 2, learning_r", 2],
  ] as const
) {
  Deno.test(`serve refuses a configuration that is cut ${what}, and names file and line`, async () => {
    using shop = workshop();
    Deno.writeTextFileSync(join(shop.path, "cut.toml"), text);
    const { code, sentence } = await ending([...GRPC, "--config", "cut.toml"], shop.path);
    assert.equal(code, 2);
    assert.match(sentence, new RegExp(`^error: cut\\.toml line ${line} is not TOML: .*; correct`));
  });
}

Deno.test({
  name: "serve refuses a state directory that its user may not write to, and leaves it as it is",
  ignore: !canDropOverride, // needs root, and setpriv to be less than root
  fn: async () => {
    using shop = workshop();
    const runId = await begun(shop);
    const path = join(shop.path, "run");
    const places = [path, ...["models", "uploads", "updates"].map((room) => join(path, room))];
    for (const place of places) Deno.chmodSync(place, 0o500);
    for (const name of ["ledger.sqlite", "ledger.lock"]) Deno.chmodSync(join(path, name), 0o400);
    const args = [...GRPC, "--grpc-port", "0", "--state", "run"];
    const { code, sentence } = await ending(args, shop.path, WITHOUT_OVERRIDE);
    assert.equal(code, 2);
    assert.match(
      sentence,
      /^error: Cannot use the state directory run: Permission denied .*--state$/,
    );
    for (const place of places) Deno.chmodSync(place, 0o700);
    for (const name of ["ledger.sqlite", "ledger.lock"]) Deno.chmodSync(join(path, name), 0o600);
    assert.equal(await begun(shop), runId);
  },
});

mountingTest("serve refuses a read-only disk, and a full one, in one sentence", async () => {
  using shop = workshop();
  using readOnly = smallDisk("ro");
  using small = smallDisk("size=256k");
  assert.ok(readOnly && small);
  const serve = (state: string) =>
    ending([...GRPC, "--grpc-port", "0", "--state", state], shop.path);
  const refused = await serve(join(readOnly.path, "run"));
  assert.equal(refused.code, 2);
  assert.match(
    refused.sentence,
    /^error: Cannot use .*run: Read-only file system .*another --state$/,
  );
  fill(join(small.path, "filling"));
  const full = await serve(join(small.path, "run"));
  assert.equal(full.code, 3);
  assert.match(
    full.sentence,
    /^error: Cannot use .*: its disk is full; make room there, or choose/,
  );
  Deno.removeSync(join(small.path, "filling"));
  await using server = new Program(
    [...GRPC, "--grpc-port", "0", "--state", join(small.path, "run")],
    shop.path,
  );
  await server.says(URL_OF_GRPC);
});

mountingTest(
  "serve whose disk fills up ends with 3, and with room goes on with what it had accepted",
  async () => {
    using shop = workshop();
    using disk = smallDisk("size=2m");
    assert.ok(disk);
    const state = join(disk.path, "run");
    const run = ["--rounds", "2", "--min-clients", "2", "--state", state, "--log-level", "debug"];
    const port = String(lastingPort());
    await using first = new Program([...GRPC, ...run, "--grpc-port", port], shop.path);
    const url = await first.says(URL_OF_GRPC);
    const joining = (id: string, ...how: string[]) =>
      new Program(["join", url, "--id", id, "--once", ...how], shop.path);
    await using quick = joining("quick", "--data", "train1.csv");
    await using idle = joining("idle", "--exec", "sleep 1000000", "--samples", "200");
    await first.logs(/update accepted .*client=quick/);
    fill(join(disk.path, "filling"));
    idle.kill("SIGINT"); // nobody else is waited for: the round closes, and cannot be saved
    const { code, stderr } = await first.ended();
    assert.equal(code, 3, stderr);
    const errors = stderr.split("\n").filter((line) => line !== "" && !isLog(line));
    assert.deepEqual(errors, [
      `error: The run cannot go on: The disk of ${state} is full: make room, and start with the ` +
      "same --state again; nothing that was accepted is lost",
    ]);
    assert.equal((await idle.ended()).code, 0);
    await using early = new Program([...GRPC, ...run, "--grpc-port", "0"], shop.path);
    assert.equal((await early.ended()).code, 3, "with 2 nothing would start it again");

    Deno.removeSync(join(disk.path, "filling"));
    await using second = new Program([...GRPC, ...run, "--grpc-port", port], shop.path);
    await second.logs(/run restored from its state/);
    await using back = joining("idle", "--data", "train2.csv"); // else its session is waited for
    const ended = await second.ended();
    assert.equal(ended.code, 0, ended.stderr);
    for (const client of [quick, back]) assert.equal((await client.ended()).code, 0);
    const history = JSON.parse(Deno.readTextFileSync(join(state, "history.json")));
    assert.deepEqual(
      history.map(({ clients }: { clients: string[] }) => clients),
      [["idle", "quick"], ["idle", "quick"]],
    );
    const trained = quick.stderr.all.filter((line) => /update judged .*round=1 /.test(line));
    assert.equal(trained.length, 1, "what was accepted is not asked for again");
  },
);

Deno.test({
  name:
    "a server goes on when its log has no room; a command that cannot write its answer ends with 1",
  ignore: Deno.build.os !== "linux", // has /dev/full
  fn: async () => {
    using shop = workshop();
    const onFull = (stream: string) => ["sh", "-c", `exec "$0" "$@" ${stream}>/dev/full`];
    const args = [...GRPC, "--grpc-port", "0", "--state", "run", "--log-level", "debug"];
    await using server = new Program(args, shop.path, sourcesThrough(onFull("2")));
    await using client = new Program(
      ["join", await server.says(URL_OF_GRPC), "--data", "train1.csv", "--once"],
      shop.path,
    );
    assert.equal((await server.ended()).code, 0);
    assert.equal((await client.ended()).code, 0);
    assert.deepEqual(await ending(["runs", "--state", "run"], shop.path, onFull("1")), {
      code: 1,
      sentence: "error: Cannot write: No space left on device (os error 28)",
    });
  },
});
