/** TfjsTrainer with a share of the time. How long it rests is DutyCycle's, which has its own tests. */

import assert from "node:assert/strict";
import { initialModel } from "../../src/client/initial_model.ts";
import { TfjsTrainer } from "../../src/client/tfjs_trainer.ts";
import { CLOUDS_TOPOLOGY, SampleFolder, threeClouds } from "./sample_folder.ts";

const { signal } = new AbortController();

Deno.test("TfjsTrainer held back learns the same", async () => {
  await using folder = await SampleFolder.open();
  const data = await folder.write("a.csv", threeClouds(300));
  const model = await initialModel(CLOUDS_TOPOLOGY, 1);
  const results = [];
  for (const cpuShare of [1, 0.7]) {
    await using trainer = await TfjsTrainer.open(data, { cpuShare });
    await trainer.prepare(CLOUDS_TOPOLOGY);
    const task = { taskId: 2, round: 1, settings: { epochs: 3 } };
    results.push(await trainer.train(model, task, { signal }));
  }
  assert.deepEqual(results[0], results[1]);
});

Deno.test("TfjsTrainer held back stops when it is told", async () => {
  await using folder = await SampleFolder.open();
  const data = await folder.write("a.csv", threeClouds(300));
  await using trainer = await TfjsTrainer.open(data, { cpuShare: 0.5 });
  await trainer.prepare(CLOUDS_TOPOLOGY);
  const stop = new AbortController();
  // A hundred batches, of which each is reported.
  const task = { taskId: 2, round: 1, settings: { epochs: 100, batch_size: 300 } };
  const training = trainer.train(await initialModel(CLOUDS_TOPOLOGY, 1), task, {
    signal: stop.signal,
    progress: () => stop.abort(new Error("the round has closed")),
  });
  await assert.rejects(training, { message: "the round has closed" });
  await trainer.prepare(CLOUDS_TOPOLOGY); // one call after the other: it is done with
});
