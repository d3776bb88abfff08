/** A program that opens trainers, uses and disposes them; it ends only if no Worker is left. */

import { initialModel } from "../../src/client/initial_model.ts";
import { TfjsTrainer } from "../../src/client/tfjs_trainer.ts";
import { CLOUDS_TOPOLOGY, SampleFolder, threeClouds } from "./sample_folder.ts";

await using folder = await SampleFolder.open();
const path = await folder.write("a.csv", threeClouds(300));
await using trainer = await TfjsTrainer.open(path);
await trainer.prepare(CLOUDS_TOPOLOGY);
const model = await initialModel(CLOUDS_TOPOLOGY, 1);
const settings = { taskId: 2, round: 1, settings: {} };
await trainer.train(model, settings, { signal: new AbortController().signal });

const aborted = new AbortController();
const endless = trainer.train(model, { ...settings, settings: { epochs: 1e9 } }, {
  signal: aborted.signal,
  progress: () => aborted.abort(),
});
aborted.abort();
await endless.catch(() => {});
await TfjsTrainer.open(`${path}.missing`).catch(() => {});
