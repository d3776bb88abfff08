import assert from "node:assert/strict";
import { DatasetError } from "../../src/client/datasets/dataset.ts";
import { TrainerLink } from "../../src/client/trainer_link.ts";
import { SampleFolder, threeClouds } from "./sample_folder.ts";

Deno.test("TrainerLink's Worker reads only the files named", async () => {
  await using folder = await SampleFolder.open();
  const named = await folder.write("named.csv", threeClouds(6));
  const other = await folder.write("other.csv", threeClouds(6));
  using link = new TrainerLink(named);
  assert.deepEqual(await link.open(named), { samples: 6, classCounts: [2, 2, 2] });
  await assert.rejects(link.open(other), DatasetError);
});
