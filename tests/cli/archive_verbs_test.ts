/** runs, rounds and models on a state directory, beside the vault that writes it. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { OperatorError } from "../../src/cli/exit.ts";
import type { Io } from "../../src/cli/io.ts";
import type { ExitCode } from "../../src/cli/exit.ts";
import { run as models } from "../../src/cli/models.ts";
import { run as rounds } from "../../src/cli/rounds.ts";
import { run as runs } from "../../src/cli/runs.ts";
import {
  assigned,
  ENDING,
  initial,
  openVault,
  partsOf,
  send,
} from "../vault/federation_of_five.ts";
import { StateDirectory } from "../vault/state_directory.ts";
import { capturedIo } from "./captured_io.ts";

type Run = (args: readonly string[], io: Io) => Promise<ExitCode>;

async function text(run: Run, ...args: string[]): Promise<string> {
  const io = capturedIo();
  assert.equal(await run(args, io), 0);
  assert.equal(io.written("stderr"), "");
  return io.written("stdout");
}

async function json(run: Run, ...args: string[]) {
  return JSON.parse(await text(run, ...args, "--format", "json"));
}

/** Round 1 is closed, in round 2 Bob has answered; the vault goes on. */
function training(path: string) {
  const vault = openVault(path);
  const { runId } = vault.open(initial());
  vault.keepSession({
    client: "ann",
    session: new Uint8Array(16),
    nonce: new Uint8Array(16),
    samples: 7,
    software: "test/1",
    labels: { site: "north" },
    downlinkWire: undefined,
    present: true,
    converged: false,
  });
  vault.begin(1, assigned(1));
  for (const client of ["ann", "Bob"]) send(vault, partsOf(client, 1));
  vault.close(1);
  const { sha256 } = vault.save(1, 2.5);
  vault.evaluated(1, { loss: 0.25, accuracy: 0.875 });
  vault.begin(2, assigned(2));
  send(vault, partsOf("Bob", 2));
  return { vault, runId, sha256 };
}

Deno.test("runs lists a run beside the server that writes it, and says when it is over", async () => {
  using directory = new StateDirectory();
  const { vault, runId } = training(directory.path);
  using _ = vault;
  const [run] = await json(runs, "--state", directory.path);
  assert.equal(run.run_id, runId);
  assert.equal(run.state, "unfinished");
  assert.deepEqual(run.open_round, { round: 2, clients: 5, updates: 1 });
  assert.deepEqual(run.clients, [{
    client: "ann",
    samples: 7,
    software: "test/1",
    labels: { site: "north" },
    present: true,
    converged: false,
  }]);
  assert.deepEqual(run.contributors, ["Bob", "ann"]);
  assert.match(await text(runs, "--state", directory.path), / unfinished +1 +2 /);
  vault.close(2);
  vault.save(2, 1);
  vault.finish(2, ENDING);
  assert.equal((await json(runs, "--state", directory.path))[0].state, "ending");
  vault.end();
  const [over] = await json(runs, "--state", directory.path);
  assert.deepEqual([over.state, over.reason, over.rounds], ["over", ENDING.sentence, 2]);
});

Deno.test("runs finds every run in a directory of state directories", async () => {
  using directory = new StateDirectory();
  for (const name of ["one", "two"]) {
    using vault = openVault(join(directory.path, name));
    vault.open(initial());
  }
  const found = await json(runs, "--state", directory.path);
  assert.deepEqual(found.map((run: { directory: string }) => run.directory), [
    join(directory.path, "one"),
    join(directory.path, "two"),
  ]);
  assert.match(await text(runs, "--state", directory.path), /^RUN .*\n.* unfinished .*\n.* unfin/);
  using empty = new StateDirectory();
  assert.equal(await text(runs, "--state", empty.path), `No run is in ${empty.path}.\n`);
});

Deno.test("rounds lists closed rounds and the open one, with every update", async () => {
  using directory = new StateDirectory();
  const { vault, sha256 } = training(directory.path);
  using _ = vault;
  const [first, second] = await json(rounds, "--state", directory.path);
  assert.deepEqual(first.clients, ["Bob", "ann"]);
  assert.equal(first.model_sha256, sha256);
  assert.deepEqual(first.evaluation, { loss: 0.25, accuracy: 0.875 });
  assert.deepEqual(first.updates[1], {
    client: "ann",
    task_id: 10,
    kind: "weights",
    samples: 7,
    metrics: { loss: 1 / 7 },
  });
  assert.equal(second.stage, "open");
  assert.deepEqual(second.clients, ["Bob"]);
  assert.equal(
    await text(rounds, "--state", directory.path),
    `ROUND  STAGE   CLIENTS  SAMPLES    LOSS  ACCURACY  SECONDS  MODEL
    1  closed        2      107  0.2500    0.8750      2.5  ${sha256.slice(0, 12)}
    2  open          1      100       -         -      0.0  -
`,
  );
});

Deno.test("models lists what is kept and exports a model, bit for bit", async () => {
  using directory = new StateDirectory();
  using elsewhere = new StateDirectory();
  const { vault, sha256 } = training(directory.path);
  using _ = vault;
  const state = ["--state", directory.path];
  const listed = await json(models, ...state);
  assert.deepEqual(
    listed.map((model: { round: number; sha256: string }) => [model.round, model.sha256]),
    [[0, ""], [1, sha256]],
  );
  const out = join(elsewhere.path, "m.safetensors");
  for (const round of ["1", "newest"]) {
    const exported = await json(models, "export", round, ...state, "--out", out);
    assert.deepEqual([exported.round, exported.sha256], [1, sha256]);
    const bytes = Deno.readFileSync(out);
    assert.equal(createHash("sha256").update(bytes).digest("hex"), sha256);
    assert.deepEqual(elsewhere.files(), ["m.safetensors"]);
  }
  await models(["export", "0", ...state, "--out", out], capturedIo());
  assert.deepEqual(Deno.readFileSync(out), initial());
});

for (
  const [what, verb, args, sentence] of [
    ["no state directory", runs, [], /--state <dir>/],
    ["a directory that is not there", rounds, ["--state", "/nowhere/at/all"], /holds no run/],
    ["a directory that is not there", runs, ["--state", "/nowhere/at/all"], /no such directory/],
    ["an unknown format", runs, ["--state", ".", "--format", "xml"], /text or json/],
    ["an unknown word", models, ["import", "1", "--state", "."], /write export/],
    ["an export of no round", models, ["export", "--state", "."], /whose model/],
    ["an export to nowhere", models, ["export", "1", "--state", "."], /--out FILE/],
  ] as const
) {
  Deno.test(`${verb === runs ? "runs" : verb === rounds ? "rounds" : "models"} refuses ${what} in one sentence`, async () => {
    await assert.rejects(verb(args, capturedIo()), (error: Error) => {
      assert.ok(error instanceof OperatorError, String(error.stack));
      assert.match(error.message, sentence);
      return true;
    });
  });
}

Deno.test(
  "models export replaces no device, keeps a link, and leaves nothing where it cannot write",
  {
    ignore: Deno.build.os === "windows",
  },
  async () => {
    using directory = new StateDirectory();
    using elsewhere = new StateDirectory();
    const { vault } = training(directory.path);
    using _ = vault;
    const exported = (out: string) =>
      models(["export", "0", "--state", directory.path, "--out", out], capturedIo());
    await exported("/dev/null");
    assert.ok((await Deno.stat("/dev/null")).isCharDevice);
    const [file, link] = [join(elsewhere.path, "m"), join(elsewhere.path, "newest")];
    await Deno.writeTextFile(file, "");
    await Deno.symlink(file, link);
    await exported(link);
    assert.ok((await Deno.lstat(link)).isSymlink);
    assert.deepEqual(Deno.readFileSync(file), initial());
    await assert.rejects(exported(elsewhere.path), OperatorError);
    assert.deepEqual(elsewhere.files(), ["m", "newest"]);
  },
);

Deno.test("models export names the rounds there are for one there is not", async () => {
  using directory = new StateDirectory();
  const { vault } = training(directory.path);
  using _ = vault;
  const args = ["export", "7", "--state", directory.path, "--out", "x"];
  await assert.rejects(models(args, capturedIo()), /no model of round "7"; those it keeps: 0, 1/);
});

Deno.test("the verbs read what a killed server left", async () => {
  using directory = new StateDirectory();
  const { vault } = training(directory.path);
  using left = directory.copy();
  vault[Symbol.dispose]();
  assert.equal((await json(rounds, "--state", left.path)).length, 2);
});
