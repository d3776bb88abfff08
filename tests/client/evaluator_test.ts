import assert from "node:assert/strict";
import { DatasetError } from "../../src/client/datasets/dataset.ts";
import { Evaluator } from "../../src/client/evaluator.ts";
import { initialModel } from "../../src/client/initial_model.ts";
import { TfjsTrainer } from "../../src/client/tfjs_trainer.ts";
import { DEFAULT_TOPOLOGY } from "../../src/client/topology.ts";
import { CLOUDS_TOPOLOGY, SampleFolder, threeClouds } from "./sample_folder.ts";

const signal = new AbortController().signal;

Deno.test("Evaluator.evaluate() measures a model on the test samples", async () => {
  await using folder = await SampleFolder.open();
  const path = await folder.write("test.csv", threeClouds(30));
  await using evaluator = await Evaluator.open(path, CLOUDS_TOPOLOGY);
  assert.equal(evaluator.samples, 30);
  const model = await initialModel(CLOUDS_TOPOLOGY, 1);
  const first = await evaluator.evaluate(model, { signal });
  assert.equal(first.samples, 30);
  assert.deepEqual(await evaluator.evaluate(model, { signal }), first);
});

Deno.test("Evaluator.open() refuses samples that do not fit the topology", async () => {
  await using folder = await SampleFolder.open();
  const path = await folder.write("test.csv", threeClouds(30));
  await assert.rejects(Evaluator.open(path, DEFAULT_TOPOLOGY), DatasetError);
});

Deno.test("Evaluator sees one epoch on a tenth of MNIST reach an accuracy of 0.85", async () => {
  const model = await initialModel(DEFAULT_TOPOLOGY, 1);
  await using evaluator = await Evaluator.open("mnist:test", DEFAULT_TOPOLOGY);
  const untrained = await evaluator.evaluate(model, { signal });
  assert.equal(untrained.samples, 10_000);
  assert.ok((untrained.metrics.accuracy ?? 1) < 0.2);

  await using trainer = await TfjsTrainer.open("mnist:share=1/10,alpha=100");
  await trainer.prepare(DEFAULT_TOPOLOGY);
  const task = { taskId: 2, round: 1, settings: { epochs: 1 } };
  const { weights } = await trainer.train(model, task, { signal });
  const { metrics } = await evaluator.evaluate(weights, { signal });
  assert.ok((metrics.accuracy ?? 0) >= 0.85, JSON.stringify(metrics));
});
