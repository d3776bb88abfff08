import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { DatasetError } from "../../src/client/datasets/dataset.ts";
import { initialModel } from "../../src/client/initial_model.ts";
import { TfjsTrainer } from "../../src/client/tfjs_trainer.ts";
import { DEFAULT_TOPOLOGY } from "../../src/client/topology.ts";
import {
  type Topology,
  TrainerError,
  type TrainProgress,
  type TrainTask,
} from "../../src/client/trainer.ts";
import { widen } from "../../src/weights/convert.ts";
import { decodeSafetensors } from "../../src/weights/safetensors.ts";
import { isFloatTensor, isRejection } from "../../src/weights/tensors.ts";
import { CLOUDS_TOPOLOGY, SampleFolder, sequential, threeClouds } from "./sample_folder.ts";

const signal = new AbortController().signal;

function task(settings: TrainTask["settings"] = {}): TrainTask {
  return { taskId: 2, round: 1, settings };
}

/** A trainer on 300 points of three clouds, ready for `topology`, and the model to begin with. */
async function openClouds(topology: Topology = CLOUDS_TOPOLOGY) {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await SampleFolder.open());
  const trainer = stack.use(await TfjsTrainer.open(await folder.write("a.csv", threeClouds(300))));
  await trainer.prepare(topology);
  const model = await initialModel(topology, 1);
  const owned = stack.move();
  return { trainer, model, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function weightsOf(model: Uint8Array): number[] {
  const tensors = decodeSafetensors(model);
  assert.ok(!isRejection(tensors));
  return [...tensors.values()].flatMap((t) => isFloatTensor(t) ? [...widen(t)] : []);
}

function distance(a: readonly number[], b: readonly number[]): number {
  return Math.hypot(...a.map((value, i) => value - (b[i] as number)));
}

Deno.test("TfjsTrainer.open() counts the samples of each class", async () => {
  await using clouds = await openClouds();
  assert.equal(clouds.trainer.samples, 300);
  assert.deepEqual(clouds.trainer.classCounts, [100, 100, 100]);
});

Deno.test("TfjsTrainer.train() learns what can be learnt", async () => {
  await using clouds = await openClouds();
  const { trainer, model } = clouds;
  const before = await trainer.evaluate(model, task(), { signal });
  const result = await trainer.train(model, task({ epochs: 5 }), { signal });
  assert.equal(result.samples, 300);
  assert.ok((result.metrics.accuracy ?? 0) > 0.99, JSON.stringify(result.metrics));
  assert.ok((result.metrics.loss ?? 9) < (before.metrics.loss ?? 0) / 5);
});

Deno.test("TfjsTrainer.train() reports the metrics of the weights it gives", async () => {
  await using clouds = await openClouds();
  const { trainer, model } = clouds;
  const { weights, metrics } = await trainer.train(model, task(), { signal });
  assert.deepEqual(await trainer.evaluate(weights, task(), { signal }), { samples: 300, metrics });
});

Deno.test("TfjsTrainer.train() gives the same bits for the same task", async () => {
  const settings = { seed: 5 };
  await using clouds = await openClouds();
  const { trainer, model } = clouds;
  const first = await trainer.train(model, task(settings), { signal });
  await trainer.train(first.weights, task(), { signal });
  const second = await trainer.train(model, task(settings), { signal });
  await using again = await openClouds();
  const third = await again.trainer.train(model, task(settings), { signal });
  assert.deepEqual(second, first);
  assert.deepEqual(third, first);
});

Deno.test("TfjsTrainer.train() takes another order of samples in another round or by another seed", async () => {
  await using clouds = await openClouds();
  const { trainer, model } = clouds;
  const { weights } = await trainer.train(model, task(), { signal });
  const round = await trainer.train(model, { ...task(), round: 2 }, { signal });
  const seed = await trainer.train(model, task({ seed: 1 }), { signal });
  assert.notDeepEqual(round.weights, weights);
  assert.notDeepEqual(seed.weights, weights);
});

Deno.test("TfjsTrainer.train() gives the same bits with dropout too", async () => {
  await using clouds = await openClouds(sequential(
    ["Dense", { name: "h", batch_input_shape: [null, 2], units: 16, activation: "relu" }],
    ["Dropout", { name: "drop", rate: 0.5 }],
    ["Dense", { name: "s", units: 3, activation: "softmax" }],
  ));
  const { trainer, model } = clouds;
  const first = await trainer.train(model, task(), { signal });
  assert.deepEqual(await trainer.train(model, task(), { signal }), first);
});

Deno.test("TfjsTrainer.train() leaves the model to the caller", async () => {
  await using clouds = await openClouds();
  const copy = clouds.model.slice();
  await clouds.trainer.train(clouds.model, task(), { signal });
  assert.deepEqual(clouds.model, copy);
});

Deno.test("TfjsTrainer.train() stays the nearer to the global model the larger mu is", async () => {
  await using clouds = await openClouds();
  const { trainer, model } = clouds;
  const start = weightsOf(model);
  const distances: number[] = [];
  for (const mu of [0, 0.1, 1, 10]) {
    const { weights } = await trainer.train(model, task({ mu, momentum: 0 }), { signal });
    distances.push(distance(weightsOf(weights), start));
  }
  const [free = 0, weak = 0, middling = 0, strong = 0] = distances;
  assert.ok(free > weak && weak > middling && middling > strong, `${distances}`);
  assert.ok(strong < free / 3, `${distances}`);
});

Deno.test("TfjsTrainer.train() reports its progress up to the last batch", async () => {
  await using clouds = await openClouds();
  const reports: TrainProgress[] = [];
  await clouds.trainer.train(clouds.model, task({ epochs: 3, batch_size: 100 }), {
    signal,
    progress: (report) => reports.push(report),
  });
  assert.deepEqual(reports.map(({ batch }) => batch), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.ok(reports.every(({ batches, loss }) => batches === 9 && loss > 0));
});

Deno.test("TfjsTrainer.train() stops between two batches when its signal fires", async () => {
  await using clouds = await openClouds();
  const { trainer, model } = clouds;
  const controller = new AbortController();
  let reports = 0;
  const training = trainer.train(model, task({ epochs: 2000 }), {
    signal: controller.signal,
    progress: () => {
      reports++;
      controller.abort();
    },
  });
  await assert.rejects(training, { name: "AbortError" });
  // The Worker carries out calls in order: this one is answered once the training has stopped.
  await trainer.evaluate(model, task(), { signal });
  assert.ok(reports < 100, `${reports} of 100 reports`);
});

Deno.test("TfjsTrainer.train() rejects at once when its signal has fired, with its reason", async () => {
  await using clouds = await openClouds();
  const reason = new Error("deadline");
  const aborted = AbortSignal.abort(reason);
  await assert.rejects(clouds.trainer.train(clouds.model, task(), { signal: aborted }), reason);
  await assert.rejects(clouds.trainer.evaluate(clouds.model, task(), { signal: aborted }), reason);
});

Deno.test("TfjsTrainer.train() says when training diverges", async () => {
  await using clouds = await openClouds();
  await assert.rejects(
    clouds.trainer.train(clouds.model, task({ learning_rate: 1e30 }), { signal }),
    { name: "TrainerError", message: /Training diverged in epoch 1: .* lower learning_rate/ },
  );
});

Deno.test("TfjsTrainer.train() trains convolutions, whose gradients WebAssembly lacks", async () => {
  await using folder = await SampleFolder.open();
  // 4 x 4 images: an upright or a lying bar.
  const rows = Array.from({ length: 64 }, (_, i) => {
    const at = (i >> 1) % 4;
    const pixels = Array.from({ length: 16 }, (_, p) => (i % 2 ? p % 4 : p >> 2) === at ? 1 : 0);
    return [...pixels, i % 2].join();
  });
  const path = await folder.write("bars.csv", rows.join("\n"));
  const topology = sequential(
    ["Conv2D", {
      name: "edges",
      batch_input_shape: [null, 4, 4, 1],
      filters: 4,
      kernel_size: [3, 3],
      activation: "relu",
    }],
    ["Flatten", { name: "flat" }],
    ["Dense", { name: "scores", units: 2, activation: "softmax" }],
  );
  await using trainer = await TfjsTrainer.open(path);
  await trainer.prepare(topology);
  const model = await initialModel(topology, 1);
  const settings = { epochs: 40, batch_size: 16 };
  const result = await trainer.train(model, task(settings), { signal });
  assert.equal(result.metrics.accuracy, 1);
  assert.deepEqual(await trainer.train(model, task(settings), { signal }), result);
});

for (
  const [what, settings, model] of [
    ["a setting out of range", { epochs: 0 }, undefined],
    ["a model that is no safetensors file", {}, new Uint8Array(3)],
    ["a model of another topology", {}, await initialModel(DEFAULT_TOPOLOGY, 1)],
  ] as const
) {
  Deno.test(`TfjsTrainer.train() refuses ${what} and goes on`, async () => {
    await using clouds = await openClouds();
    const refused = clouds.trainer.train(model ?? clouds.model, task(settings), { signal });
    await assert.rejects(refused, TrainerError);
    await clouds.trainer.train(clouds.model, task(), { signal });
  });
}

Deno.test("TfjsTrainer.train() needs a topology", async () => {
  await using folder = await SampleFolder.open();
  await using trainer = await TfjsTrainer.open(await folder.write("a.csv", threeClouds(6)));
  await assert.rejects(trainer.train(new Uint8Array(), task(), { signal }), TrainerError);
});

Deno.test("TfjsTrainer.prepare() says how the samples differ from the model", async () => {
  await using folder = await SampleFolder.open();
  const path = await folder.write("a.csv", threeClouds(6));
  await using trainer = await TfjsTrainer.open(path);
  await assert.rejects(trainer.prepare(DEFAULT_TOPOLOGY), {
    name: "DatasetError",
    message: `${path} does not fit the federation's model: ` +
      `it has 2 features a sample, the model takes 784`,
  });
  await assert.rejects(
    trainer.prepare(sequential(["Dense", { batch_input_shape: [null, 2], units: 2 }])),
    /its labels go up to 2, the model knows 2 classes/,
  );
});

Deno.test("TfjsTrainer.open() fails in one sentence where there is no such file", async () => {
  await assert.rejects(TfjsTrainer.open("missing.csv"), {
    name: "DatasetError",
    message: "Cannot read missing.csv: there is no such file",
  });
  await assert.rejects(TfjsTrainer.open("mnist:what"), DatasetError);
});

Deno.test("TfjsTrainer is over once disposed: calls under way and later ones reject", async () => {
  await using clouds = await openClouds();
  const { trainer, model } = clouds;
  const underWay = trainer.train(model, task({ epochs: 2000 }), { signal });
  const rejected = assert.rejects(underWay, /The trainer is closed/);
  await trainer[Symbol.asyncDispose]();
  await trainer[Symbol.asyncDispose]();
  await rejected;
  await assert.rejects(trainer.evaluate(model, task(), { signal }), /The trainer is closed/);
});

Deno.test("TfjsTrainer leaves no Worker behind: the process ends by itself", async () => {
  // A Worker that is left keeps its process alive; the sanitizers do not see it.
  const program = fileURLToPath(new URL("./one_training.ts", import.meta.url));
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", "--no-check", program],
    stdin: "null",
    stderr: "piped",
    signal: AbortSignal.timeout(60_000), // so that a Worker left is a failure instead of a standstill
  });
  const { code, stderr } = await command.output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
});
