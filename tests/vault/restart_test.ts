/** A vault whose process ends at any instant, and the one that opens its state directory next. */

import assert from "node:assert/strict";
import { join } from "node:path";
import type { StrategyName } from "../../src/strategies/mod.ts";
import type { RoundRecord } from "../../src/vault/ledger.ts";
import {
  assigned,
  CLIENTS,
  ENDING,
  finish,
  initial,
  openVault,
  partsOf,
  ROUNDS,
  send,
  train,
} from "./federation_of_five.ts";
import { StateDirectory } from "./state_directory.ts";

interface Result {
  readonly model: Uint8Array;
  /** How long a round took is all that may differ. */
  readonly history: readonly Omit<RoundRecord, "seconds">[];
}

function resultIn(directory: StateDirectory): Result {
  const history: RoundRecord[] = JSON.parse(
    Deno.readTextFileSync(join(directory.path, "history.json")),
  );
  return {
    model: Deno.readFileSync(join(directory.path, "model.safetensors")),
    history: history.map(({ seconds: _, ...record }) => record),
  };
}

/** A run whose process ends after its call number `lastCall`, and again so many calls later. */
function interrupted(strategy: StrategyName, lastCall: number): Result | undefined {
  using stack = new DisposableStack();
  let directory = stack.use(new StateDirectory());
  for (;;) {
    // The vault is not disposed, but left as it is: only the operating system cleans up.
    const vault = stack.use(openVault(directory.path, { strategy }));
    const steps = train(vault, vault.open(initial()));
    let calls = 0;
    while (calls < lastCall && !steps.next().done) calls++;
    if (calls < lastCall) {
      vault.finish(ROUNDS, ENDING);
      return resultIn(directory);
    }
    directory = stack.use(directory.copy());
  }
}

/** The run whose process does not end. */
function uninterrupted(strategy: StrategyName): Result & { calls: string[] } {
  using directory = new StateDirectory();
  using vault = openVault(directory.path, { strategy });
  const calls = [...train(vault, vault.open(initial()))];
  vault.finish(ROUNDS, ENDING);
  return { ...resultIn(directory), calls };
}

for (const strategy of ["fedavg", "fedadam"] as const) {
  Deno.test(`${strategy}: killed after any call, a run ends with the same model, to the bit`, () => {
    const { calls, ...expected } = uninterrupted(strategy);
    assert.deepEqual(expected.history.map((record) => record.clients), [
      ...Array.from({ length: ROUNDS }, () => [...CLIENTS].sort()),
    ]);
    for (const [index, call] of calls.entries()) {
      using stack = new DisposableStack();
      const directory = stack.use(new StateDirectory());
      const first = stack.use(openVault(directory.path, { strategy }));
      const steps = train(first, first.open(initial()));
      for (let done = 0; done <= index; done++) steps.next();
      const left = stack.use(directory.copy());
      const second = stack.use(openVault(left.path, { strategy }));
      finish(second, train(second, second.open(initial())));
      assert.deepEqual(resultIn(left), expected, `killed after ${call}`);
    }
  });

  // Every second process is killed, too: nothing depends on a clean first start.
  Deno.test(`${strategy}: killed again and again, a run ends with the same model`, () => {
    const { calls: _, ...expected } = uninterrupted(strategy);
    for (const lastCall of [4, 7, 11]) assert.deepEqual(interrupted(strategy, lastCall), expected);
  });
}

Deno.test("a run that goes on names its round, its tasks and who has answered", () => {
  using directory = new StateDirectory();
  using first = openVault(directory.path);
  const { runId } = first.open(initial());
  first.begin(1, assigned(1));
  for (const client of ["eve", "ann"]) send(first, partsOf(client, 1));
  send(first, partsOf("carol", 1).slice(0, 1));
  using left = directory.copy();
  using second = openVault(left.path);
  const opened = second.open(initial());
  assert.equal(opened.runId, runId);
  assert.equal(opened.closedRounds, 0);
  assert.equal(opened.nextTaskId, 19);
  assert.deepEqual(opened.open, { assigned: assigned(1), answered: ["ann", "eve"] });
  // An unfinished upload starts again at 0, whoever counts is not counted again.
  const [, rest] = partsOf("carol", 1);
  assert.deepEqual(second.part(rest ?? assert.fail()), { kind: "gap", nextOffset: 0 });
  assert.equal(send(second, partsOf("ann", 1)).kind, "stale");
});

Deno.test("a round that was closing is closed and saved when the run goes on", () => {
  using directory = new StateDirectory();
  using first = openVault(directory.path);
  first.open(initial());
  first.begin(1, assigned(1));
  send(first, partsOf("ann", 1));
  const made = first.close(1);
  using left = directory.copy();
  using second = openVault(left.path);
  const opened = second.open(initial());
  assert.equal(opened.closedRounds, 1);
  assert.equal(opened.open, undefined);
  assert.deepEqual(opened.history, [{
    ...made,
    evaluation: {},
    sha256: first.sha256(1),
    seconds: 0,
  }]);
});

Deno.test("a model that was written and not yet recorded is made again, to the bit", () => {
  const { calls: _, ...expected } = uninterrupted("fedadam");
  using directory = new StateDirectory();
  using first = openVault(directory.path, { strategy: "fedadam" });
  const steps = train(first, first.open(initial()));
  for (let step = steps.next(); step.value !== "close 2"; step = steps.next());
  using left = directory.copy();
  steps.next();
  for (const name of directory.files("models")) {
    Deno.copyFileSync(join(directory.path, name), join(left.path, name));
  }
  using second = openVault(left.path, { strategy: "fedadam" });
  finish(second, train(second, second.open(initial())));
  assert.deepEqual(resultIn(left), expected);
});

Deno.test("a round that is saved while the next one trains loses neither", () => {
  using directory = new StateDirectory();
  using first = openVault(directory.path);
  first.open(initial());
  first.begin(1, assigned(1));
  send(first, partsOf("ann", 1));
  first.close(1);
  first.begin(2, assigned(2));
  send(first, partsOf("Bob", 2));
  using left = directory.copy();
  using second = openVault(left.path);
  const opened = second.open(initial());
  assert.equal(opened.closedRounds, 1);
  assert.deepEqual(opened.open, { assigned: assigned(2), answered: ["Bob"] });
  first.save(1, 1);
  first.close(2);
  second.close(2);
  assert.equal(second.sha256(2), first.sha256(2));
});

Deno.test("a round that was abandoned stays so, and its task ids are not used again", () => {
  using directory = new StateDirectory();
  using first = openVault(directory.path);
  first.open(initial());
  first.begin(1, assigned(1));
  send(first, partsOf("ann", 1));
  first.abandon(1);
  using left = directory.copy();
  using second = openVault(left.path);
  const opened = second.open(initial());
  assert.equal(opened.open, undefined);
  assert.equal(opened.nextTaskId, 19);
  assert.deepEqual(left.files("updates"), []);
});

Deno.test("a run keeps its evaluations, and remembers that it is over", () => {
  using directory = new StateDirectory();
  {
    using vault = openVault(directory.path);
    finish(vault, train(vault, vault.open(initial())));
    vault.evaluated(2, { accuracy: 0.5 });
    vault.evaluated(9, { accuracy: 1 });
  }
  using vault = openVault(directory.path);
  const opened = vault.open(initial());
  assert.equal(opened.finished, "the rounds are done");
  assert.deepEqual(opened.history.map((record) => record.evaluation), [{}, { accuracy: 0.5 }, {}]);
});

Deno.test("the final model, the history and the newest models stay, and nothing else", () => {
  using directory = new StateDirectory();
  using vault = openVault(directory.path, { keepModels: 2, strategy: "fedadam" });
  finish(vault, train(vault, vault.open(initial())));
  assert.deepEqual(directory.files().filter((name) => !name.startsWith("ledger")), [
    "history.json",
    "model.safetensors",
    "models/round-000002.safetensors",
    "models/round-000002.strategy.safetensors",
    "models/round-000003.safetensors",
    "models/round-000003.strategy.safetensors",
  ]);
  assert.deepEqual(
    Deno.readFileSync(join(directory.path, "model.safetensors")),
    Deno.readFileSync(join(directory.path, "models/round-000003.safetensors")),
  );
});

Deno.test("a run that is to keep fewer models than before lets all the others go", () => {
  using directory = new StateDirectory();
  {
    using vault = openVault(directory.path, { keepModels: 9 });
    const steps = train(vault, vault.open(initial()));
    for (let step = steps.next(); step.value !== "save 2"; step = steps.next());
  }
  assert.equal(directory.files("models").length, 3);
  using vault = openVault(directory.path, { keepModels: 1 });
  finish(vault, train(vault, vault.open(initial())));
  assert.deepEqual(directory.files("models"), ["models/round-000003.safetensors"]);
});

Deno.test("what an ended process left half-way is swept away when the run goes on", () => {
  using directory = new StateDirectory();
  using first = openVault(directory.path);
  first.open(initial());
  first.begin(1, assigned(1));
  send(first, partsOf("ann", 1));
  send(first, partsOf("Bob", 1).slice(0, 1));
  using left = directory.copy();
  // Renamed, and then the process ended before it was recorded.
  Deno.writeFileSync(join(left.path, "updates", "1-999.safetensors"), new Uint8Array(10));
  Deno.writeFileSync(join(left.path, "models", "round-000001.safetensors.new"), new Uint8Array(5));
  assert.equal(left.files("uploads").length, 1);
  using second = openVault(left.path);
  assert.deepEqual(second.open(initial()).swept, { files: 3, bytes: 150 + 10 + 5 });
  assert.deepEqual(left.files("uploads"), []);
  assert.deepEqual(left.files("updates"), ["updates/1-10.safetensors"]);
});

Deno.test("updates of clients whose ids differ in case only are kept apart", () => {
  using directory = new StateDirectory();
  using vault = openVault(directory.path);
  vault.open(initial());
  const twins = assigned(1).slice(0, 2).map((each, index) => ({
    ...each,
    client: "aA"[index] ?? "",
  }));
  vault.begin(1, twins);
  const parts = [...partsOf("ann", 1), ...partsOf("Bob", 1)];
  for (const part of parts) {
    assert.notEqual(
      vault.part({ ...part, client: part.client === "ann" ? "a" : "A" }).kind,
      "stale",
    );
  }
  const names = directory.files("updates").map((name) => name.toLowerCase());
  assert.equal(new Set(names).size, 2);
});

Deno.test("a process killed by the operating system leaves a run that goes on", async () => {
  const { calls: _, ...expected } = uninterrupted("fedadam");
  for (const lastCall of [3, 12, 18]) {
    using directory = new StateDirectory();
    const { signal } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--allow-all",
        "--no-check",
        "--quiet",
        new URL("./killed.ts", import.meta.url).pathname,
        directory.path,
        String(lastCall),
      ],
    }).output();
    assert.equal(signal, "SIGKILL");
    using vault = openVault(directory.path, { strategy: "fedadam" });
    finish(vault, train(vault, vault.open(initial())));
    assert.deepEqual(resultIn(directory), expected);
  }
});
