import assert from "node:assert/strict";
import { join } from "node:path";
import { ClientState } from "../../src/client/client_state.ts";
import { sha256 } from "../../src/client/sha256.ts";
import type { Update } from "../../src/client/upload.ts";
import { StateDirectory } from "../vault/state_directory.ts";

const MODEL = Uint8Array.from({ length: 100 }, (_, index) => index);
const UPDATE: Update = {
  taskId: 4,
  modelRound: 2,
  uploadId: new Uint8Array(16).fill(5),
  kind: 0,
  samples: 10,
  metrics: { loss: 0.5, accuracy: NaN },
  bytes: new Uint8Array(200).fill(9),
  heldBytes: 64,
};
const SESSION = {
  runId: "run",
  session: new Uint8Array(16).fill(1),
};

/** Opens a directory; what is reported goes to `reports`. */
async function open(path: string, { clientId, reports = [] }: {
  clientId?: string;
  reports?: string[];
} = {}): Promise<ClientState> {
  return await ClientState.open(path, {
    clientId,
    newClientId: () => "fresh",
    report: (sentence) => reports.push(sentence),
  });
}

async function fill(path: string, runId = "run"): Promise<void> {
  await using state = await open(path, { clientId: "a" });
  state.session({ ...SESSION, runId });
  state.model("run", { round: 2, bytes: MODEL, sha256: sha256(MODEL) });
  await state.update("run", UPDATE);
}

Deno.test("ClientState gives back what an earlier process has kept, once", async () => {
  using directory = new StateDirectory();
  const path = join(directory.path, "deep", "node");
  await fill(path);
  const reports: string[] = [];
  await using state = await open(path, { reports });
  assert.equal(state.clientId, "a");
  assert.deepEqual(state.takeKept(), {
    client: "a",
    ...SESSION,
    model: { runId: "run", round: 2, bytes: MODEL, sha256: sha256(MODEL) },
    update: { runId: "run", ...UPDATE, heldBytes: undefined },
  });
  assert.equal(state.takeKept(), undefined);
  assert.deepEqual(reports, []);
});

Deno.test(
  "ClientState keeps its directory to itself",
  { ignore: Deno.build.os === "windows" },
  async () => {
    using directory = new StateDirectory();
    const path = join(directory.path, "node");
    await fill(path);
    const modeOf = async (name: string) => (await Deno.stat(join(path, name))).mode ?? 0;
    assert.equal(await modeOf(".") & 0o777, 0o700);
    for (const { name } of Deno.readDirSync(path)) assert.equal(await modeOf(name) & 0o777, 0o600);
  },
);

Deno.test("ClientState holds its directory also where Deno, as 2.6, has no locks on files", async () => {
  using directory = new StateDirectory();
  const { prototype } = Deno.FsFile;
  const { tryLockSync } = prototype;
  Object.assign(prototype, { tryLockSync: undefined });
  try {
    await using _ = await open(directory.path);
    await assert.rejects(open(directory.path), /is in use by another client/);
  } finally {
    Object.assign(prototype, { tryLockSync });
  }
});

Deno.test("ClientState refuses a directory that another client has open, in a sentence", async () => {
  using directory = new StateDirectory();
  {
    await using _ = await open(directory.path);
    await assert.rejects(open(directory.path), /is in use by another client; give each one/);
  }
  await using _ = await open(directory.path);
});

Deno.test("ClientState refuses a path that can be no directory, in a sentence", async () => {
  using directory = new StateDirectory();
  const path = join(directory.path, "file");
  await Deno.writeTextFile(path, "");
  await assert.rejects(open(path), /file cannot be used: /);
});

Deno.test("ClientState makes a client id of its own, and knows it again", async () => {
  using directory = new StateDirectory();
  {
    await using state = await open(directory.path);
    assert.equal(state.clientId, "fresh");
    state.session(SESSION);
  }
  await using state = await ClientState.open(directory.path, {
    clientId: undefined,
    newClientId: () => "another",
    report: () => {},
  });
  assert.equal(state.clientId, "fresh");
});

Deno.test("ClientState leaves the session of another client out, and says so", async () => {
  using directory = new StateDirectory();
  await fill(directory.path);
  const reports: string[] = [];
  await using state = await open(directory.path, { clientId: "b", reports });
  assert.equal(state.takeKept(), undefined);
  assert.equal(reports.length, 1);
  assert.match(reports.join(), /holds the session of a, not of b/);
});

Deno.test("ClientState has no use for the model and the update of an earlier run", async () => {
  using directory = new StateDirectory();
  await fill(directory.path, "later");
  await using state = await open(directory.path);
  const { runId, model, update } = state.takeKept() ?? assert.fail();
  assert.deepEqual([runId, model, update], ["later", undefined, undefined]);
});

for (const kind of ["model", "update"] as const) {
  Deno.test(`ClientState does without a damaged ${kind}, and says so in one sentence`, async () => {
    using directory = new StateDirectory();
    await fill(directory.path);
    const file = join(directory.path, `${kind}.tributary`);
    const bytes = await Deno.readFile(file);
    bytes[bytes.length - 1] = 0xff;
    await Deno.writeFile(file, bytes);
    const reports: string[] = [];
    await using state = await open(directory.path, { reports });
    const kept = state.takeKept() ?? assert.fail();
    assert.equal(kept[kind], undefined);
    assert.ok(kept[kind === "model" ? "update" : "model"]);
    assert.deepEqual(reports, [`${file} is damaged; it is left out`]);
  });
}

Deno.test("ClientState does without a session that is somebody else's file", async () => {
  using directory = new StateDirectory();
  await Deno.writeTextFile(join(directory.path, "session.tributary"), "# my notes\n");
  const reports: string[] = [];
  await using state = await open(directory.path, { reports });
  assert.equal(state.takeKept(), undefined);
  assert.match(reports.join(), /session.tributary is no file of a Tributary client; it is left/);
});

Deno.test("ClientState knows the run that it finished, until another one begins", async () => {
  using directory = new StateDirectory();
  await fill(directory.path);
  {
    await using state = await open(directory.path);
    state.finished({ runId: "run", modelSha256: sha256(MODEL) });
  }
  {
    await using state = await open(directory.path);
    assert.deepEqual(state.finishedRun, { runId: "run", modelSha256: sha256(MODEL) });
    assert.equal(state.takeKept(), undefined);
    assert.equal(state.clientId, "a");
    state.session({ ...SESSION, runId: "next" });
  }
  await using state = await open(directory.path);
  assert.equal(state.finishedRun, undefined);
});

Deno.test("ClientState forgets an update that is judged, also one that never was kept", async () => {
  using directory = new StateDirectory();
  await fill(directory.path);
  {
    await using state = await open(directory.path);
    await state.update("run", undefined);
    await state.update("run", undefined);
  }
  await using state = await open(directory.path);
  assert.equal(state.takeKept()?.update, undefined);
});

Deno.test("ClientState that cannot write says so once, goes on, and keeps again when it can", async () => {
  using directory = new StateDirectory();
  const obstacle = join(directory.path, "session.tributary.unfinished");
  await Deno.mkdir(join(obstacle, "deep"), { recursive: true });
  const reports: string[] = [];
  {
    await using state = await open(directory.path, { clientId: "a", reports });
    state.session(SESSION);
    await state.update("run", undefined); // which can be done
    state.session({ ...SESSION, runId: "next" });
  }
  assert.equal(reports.length, 1);
  assert.match(reports.join(), /Nothing can be kept in .* goes on without: /);
  await Deno.remove(obstacle, { recursive: true });
  {
    await using state = await open(directory.path, { clientId: "a", reports });
    state.session(SESSION);
  }
  await using state = await open(directory.path);
  assert.equal(state.takeKept()?.runId, "run");
  assert.equal(reports.length, 1);
});
