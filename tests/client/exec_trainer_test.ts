import assert from "node:assert/strict";
import { join } from "node:path";
import { ExecTrainer } from "../../src/client/exec_trainer.ts";
import type { TrainProgress, TrainTask } from "../../src/client/trainer.ts";
import { encodeSafetensors } from "../../src/weights/safetensors.ts";
import type { Dtype, NamedTensors } from "../../src/weights/tensors.ts";
import { Awaitable } from "../support/awaitable.ts";
import { SampleFolder } from "./sample_folder.ts";

const signal = new AbortController().signal;
const TASK: TrainTask = { taskId: 7, round: 3, settings: { epochs: 2, learning_rate: 0.5 } };
const TOPOLOGY = { type: "text/plain", bytes: new TextEncoder().encode("a line") };

function tensor(name: string, dtype: Dtype, values: ArrayBufferView<ArrayBuffer>): NamedTensors {
  const { buffer, byteOffset, byteLength } = values;
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  const shape = "length" in values ? [Number(values.length)] : [];
  return new Map([[name, { name, dtype, shape, bytes }]]);
}

/** One float tensor, and a counter as PyTorch's BatchNorm keeps it. */
function model(...values: number[]): Uint8Array<ArrayBuffer> {
  return encodeSafetensors(
    new Map([
      ...tensor("w", "F32", Float32Array.from(values)),
      ...tensor("batches", "I64", BigInt64Array.of(41n)),
    ]),
  );
}

interface Workbench extends AsyncDisposable {
  readonly trainer: ExecTrainer;
  /** What the program wrote beside its progress. */
  readonly said: Awaitable<string>;
  /** Reads what the program left in `$HERE`. */
  left(name: string): Promise<string>;
  /** Where it left it. */
  readonly here: string;
}

/** A trainer whose program is this script; `$HERE` is a folder of the test's. */
async function workbench(
  script: string,
  { samples = 100, graceMs, data }: { samples?: number; graceMs?: number; data?: string } = {},
): Promise<Workbench> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await SampleFolder.open());
  const path = await folder.write("program.sh", script);
  const said = new Awaitable<string>();
  const trainer = stack.use(
    await ExecTrainer.open({
      command: `HERE='${folder.path}' sh '${path}'`,
      samples,
      data,
      said: (line) => said.push(line),
      ...(graceMs === undefined ? {} : { graceMs }),
    }),
  );
  await trainer.prepare(TOPOLOGY);
  const owned = stack.move();
  return {
    trainer,
    said,
    here: folder.path,
    left: (name) => Deno.readTextFile(join(folder.path, name)),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const ECHO = `cp "$TRIBUTARY_MODEL" "$TRIBUTARY_OUT"\n`;

Deno.test("ExecTrainer.train() hands over task, model, topology and data, and takes weights and metrics", async () => {
  await using bench = await workbench(
    `cp "$TRIBUTARY_TASK" "$HERE/task"
     cp "$TRIBUTARY_MODEL" "$HERE/model"
     cp "$TRIBUTARY_TOPOLOGY" "$HERE/topology"
     printf %s "$TRIBUTARY_DATA" > "$HERE/data"
     cp "$HERE/trained" "$TRIBUTARY_OUT"
     echo '{"samples": 40, "metrics": {"loss": 0.25, "accuracy": 1}}' > "$TRIBUTARY_RESULT"`,
    { data: "my data.csv" },
  );
  const { trainer, here, left } = bench;
  const trained = model(3, 4);
  await Deno.writeFile(join(here, "trained"), trained);
  assert.deepEqual(await trainer.train(model(1, 2), TASK, { signal }), {
    weights: trained,
    samples: 40,
    metrics: { loss: 0.25, accuracy: 1 },
  });
  assert.deepEqual(JSON.parse(await left("task")), {
    kind: "train",
    task_id: 7,
    round: 3,
    settings: { epochs: 2, learning_rate: 0.5 },
    samples: 100,
    topology_type: "text/plain",
  });
  assert.deepEqual(await Deno.readFile(join(here, "model")), model(1, 2));
  assert.deepEqual([await left("topology"), await left("data")], ["a line", "my data.csv"]);
});

Deno.test("ExecTrainer.train() counts the declared samples where the program gives no result", async () => {
  await using bench = await workbench(ECHO);
  const result = await bench.trainer.train(model(1), TASK, { signal });
  assert.deepEqual(result, { weights: model(1), samples: 100, metrics: {} });
});

Deno.test("ExecTrainer.train() gives its program this process's environment, but not the client's token", async () => {
  Deno.env.set("TRIBUTARY_TOKEN", "a.b.c");
  try {
    await using bench = await workbench(
      'echo "$HOME/${TRIBUTARY_TOKEN-none}" > "$HERE/seen"; cp "$TRIBUTARY_MODEL" "$TRIBUTARY_OUT"',
    );
    await bench.trainer.train(model(1), TASK, { signal });
    assert.equal(await bench.left("seen"), `${Deno.env.get("HOME")}/none\n`);
  } finally {
    Deno.env.delete("TRIBUTARY_TOKEN");
  }
});

Deno.test("ExecTrainer's files are the user's alone, and gone when the program has ended", async () => {
  await using bench = await workbench(`
    dirname "$TRIBUTARY_TASK" > "$HERE/folder"
    ls -ld "$(dirname "$TRIBUTARY_TASK")" > "$HERE/mode"
    ${ECHO} exit "$(cat "$HERE/code")"`);
  for (const code of ["0", "1"]) {
    await Deno.writeTextFile(join(bench.here, "code"), code);
    await bench.trainer.train(model(1), TASK, { signal }).catch(() => {});
    assert.match(await bench.left("mode"), /^drwx------/);
    const folder = (await bench.left("folder")).trim();
    await assert.rejects(Deno.stat(folder), Deno.errors.NotFound);
  }
});

Deno.test("ExecTrainer.evaluate() runs the same program, which writes no weights", async () => {
  await using bench = await workbench(`
    cp "$TRIBUTARY_TASK" "$HERE/task"
    echo '{"metrics": {"accuracy": 0.5}}' > "$TRIBUTARY_RESULT"`);
  const { trainer, left } = bench;
  const result = await trainer.evaluate(model(1), TASK, { signal });
  assert.deepEqual(result, { samples: 100, metrics: { accuracy: 0.5 } });
  assert.equal(JSON.parse(await left("task")).kind, "evaluate");
});

Deno.test("ExecTrainer.train() passes progress on, and everything else to who wants to read it", async () => {
  await using bench = await workbench(`
    echo 'loading'
    echo '{"batch": 1, "batches": 2, "loss": 0.75}'
    echo '{"batch": 2, "batches": 2, "loss": 0.5}'
    printf '10 %%\\r20 %%\\r' >&2
    ${ECHO}`);
  const reports: TrainProgress[] = [];
  await bench.trainer.train(model(1), TASK, { signal, progress: (each) => reports.push(each) });
  assert.deepEqual(reports, [
    { batch: 1, batches: 2, loss: 0.75 },
    { batch: 2, batches: 2, loss: 0.5 },
  ]);
  assert.deepEqual([...bench.said.all].sort(), ["10 %", "20 %", "loading"]);
});

const FAILURES: readonly [what: string, script: string, sentence: string | RegExp][] = [
  [
    "a crash",
    `echo 'Traceback:' >&2; echo 'ValueError: no such label' >&2; exit 3`,
    "The trainer ended with exit code 3: ValueError: no such label",
  ],
  [
    "a signal",
    `kill -KILL $$`,
    // As the shell says it where it has not made way for the program.
    /^The trainer (was ended by SIGKILL|ended with exit code 137\b.*)$/,
  ],
  [
    "missing weights",
    `echo 'nothing to do' >&2`,
    "The trainer wrote no weights to TRIBUTARY_OUT: nothing to do",
  ],
  [
    "weights that are none",
    `echo x > "$TRIBUTARY_OUT"`,
    "The trainer's weights are not a safetensors file: 2 bytes are too few for a header",
  ],
  [
    "a directory for weights",
    `mkdir "$TRIBUTARY_OUT"`,
    "What the trainer wrote as weights is no file",
  ],
  [
    "weights of another shape",
    `cp "$HERE/other" "$TRIBUTARY_OUT"`,
    `The trainer's weights do not fit the model: tensor "w" is F32 [3], the model's is F32 [1]`,
  ],
  [
    "weights without end",
    `head -c 2000000 /dev/zero > "$TRIBUTARY_OUT"`,
    "The trainer wrote 2000000 bytes of weights; at most 1048856 are taken",
  ],
  [
    "a result with NaN",
    `${ECHO} echo '{"metrics": {"loss": NaN}}' > "$TRIBUTARY_RESULT"`,
    "The trainer's result is not JSON in UTF-8 (which has no NaN)",
  ],
  [
    "a metric that is no number",
    `${ECHO} echo '{"metrics": {"loss": "low"}}' > "$TRIBUTARY_RESULT"`,
    `The trainer's metric loss is "low", which is no number`,
  ],
  [
    "more samples than were declared",
    `${ECHO} echo '{"samples": 101}' > "$TRIBUTARY_RESULT"`,
    "The trainer's result claims 101 samples, but the client declared 100",
  ],
];

for (const [what, script, message] of FAILURES) {
  Deno.test(`ExecTrainer.train() says ${what} in one sentence, and goes on`, async () => {
    await using bench = await workbench(
      `if [ -e "$HERE/failed" ]; then ${ECHO} exit; fi; touch "$HERE/failed"; ${script}`,
    );
    await Deno.writeFile(join(bench.here, "other"), model(1, 2, 3));
    const failed = bench.trainer.train(model(1), TASK, { signal });
    await assert.rejects(failed, { name: "TrainerError", message });
    assert.deepEqual((await bench.trainer.train(model(1), TASK, { signal })).weights, model(1));
  });
}

Deno.test("ExecTrainer.train() says that there is no such program", async () => {
  await using trainer = await ExecTrainer.open({ command: "no-such-program", samples: 1 });
  await assert.rejects(trainer.train(model(1), TASK, { signal }), {
    name: "TrainerError",
    message: /^The trainer ended with exit code 127: .*no-such-program: not found$/,
  });
});

Deno.test("ExecTrainer.evaluate() needs a result", async () => {
  await using bench = await workbench("true");
  await assert.rejects(bench.trainer.evaluate(model(1), TASK, { signal }), {
    name: "TrainerError",
    message: "The trainer wrote no result to TRIBUTARY_RESULT",
  });
});

Deno.test("ExecTrainer.open() asks the program for its samples where they are not declared", async () => {
  await using folder = await SampleFolder.open();
  const path = await folder.write(
    "program.sh",
    `cp "$TRIBUTARY_TASK" '${folder.path}/task'; echo '{"samples": 60}' > "$TRIBUTARY_RESULT"`,
  );
  await using trainer = await ExecTrainer.open({ command: `sh '${path}'` });
  assert.equal(trainer.samples, 60);
  assert.deepEqual(JSON.parse(await Deno.readTextFile(join(folder.path, "task"))), {
    kind: "count",
  });
  for (const command of ["true", `echo '{"samples": 0}' > "$TRIBUTARY_RESULT"`]) {
    await assert.rejects(ExecTrainer.open({ command }), {
      name: "TrainerError",
      message: "The trainer does not say how many samples it has",
    });
  }
});

/** Makes `$HERE/fifo`. What it gives resolves once every process that wrote to it is dead. */
async function watchWriters({ here }: Workbench): Promise<{ readonly dead: Promise<string> }> {
  const path = join(here, "fifo");
  const { success } = await new Deno.Command("mkfifo", { args: [path] }).output();
  assert.ok(success);
  return { dead: Deno.readTextFile(path) };
}

Deno.test("ExecTrainer.train() lets a program end by itself when its signal fires, then rejects with its reason", async () => {
  await using bench = await workbench(`
    trap 'echo saved > "$HERE/ending"; exit 0' TERM
    echo ready
    while :; do sleep 1000 & wait $!; done`);
  const reason = new Error("the round has closed");
  const controller = new AbortController();
  const training = bench.trainer.train(model(1), TASK, { signal: controller.signal });
  await bench.said.find((line) => line === "ready");
  controller.abort(reason);
  await assert.rejects(training, reason);
  assert.equal(await bench.left("ending"), "saved\n");
});

Deno.test("ExecTrainer.train() kills the whole group of a program that does not end", async () => {
  // SIG_IGN is inherited: neither the program nor its child heeds SIGTERM. Both hold the fifo.
  await using bench = await workbench(
    `trap '' TERM
     exec 3> "$HERE/fifo"
     sleep 1000 &
     echo ready
     wait`,
    { graceMs: 1 },
  );
  const writers = await watchWriters(bench);
  const controller = new AbortController();
  const training = bench.trainer.train(model(1), TASK, { signal: controller.signal });
  const rejected = assert.rejects(training, { name: "AbortError" });
  await bench.said.find((line) => line === "ready");
  controller.abort();
  await rejected;
  await writers.dead;
});

Deno.test("ExecTrainer.train() does not wait for what a program leaves in the background, and ends it", async () => {
  await using bench = await workbench(`exec 3> "$HERE/fifo"\nsleep 1000 &\n${ECHO}`);
  const writers = await watchWriters(bench);
  assert.deepEqual((await bench.trainer.train(model(1), TASK, { signal })).weights, model(1));
  await writers.dead;
});

Deno.test("ExecTrainer starts the next training when the one before has ended, and evaluates beside it", async () => {
  await using bench = await workbench(`
    case "$(cat "$TRIBUTARY_TASK")" in
      *evaluate*) echo '{}' > "$TRIBUTARY_RESULT"; exit ;;
      *'"round":1'*) ;;
      *) echo second >> "$HERE/order"; ${ECHO} exit ;;
    esac
    trap 'echo first >> "$HERE/order"; exit' TERM
    echo ready
    while :; do sleep 1000 & wait $!; done`);
  const { trainer, said, left } = bench;
  const controller = new AbortController();
  const first = trainer.train(model(1), { ...TASK, round: 1 }, { signal: controller.signal });
  const rejected = assert.rejects(first, { name: "AbortError" });
  await said.find((line) => line === "ready");
  await trainer.evaluate(model(1), TASK, { signal });
  controller.abort();
  await trainer.train(model(1), { ...TASK, round: 2 }, { signal });
  await rejected;
  assert.equal(await left("order"), "first\nsecond\n");
});

Deno.test("ExecTrainer is over once disposed: what runs is ended, later calls reject", async () => {
  await using bench = await workbench(`exec 3> "$HERE/fifo"; echo ready; sleep 1000`);
  const writers = await watchWriters(bench);
  const { trainer, said } = bench;
  const rejected = assert.rejects(
    trainer.train(model(1), TASK, { signal }),
    /The trainer is closed/,
  );
  await said.find((line) => line === "ready");
  await trainer[Symbol.asyncDispose]();
  await trainer[Symbol.asyncDispose]();
  await writers.dead;
  await rejected;
  await assert.rejects(trainer.train(model(1), TASK, { signal }), /The trainer is closed/);
});
