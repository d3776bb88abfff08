import assert from "node:assert/strict";
import { join } from "node:path";
import { datasetFiles, openDataset } from "../../../src/client/datasets/mod.ts";
import { SampleFolder } from "../sample_folder.ts";
import { gzip, idx, npy } from "./files.ts";

const IMAGES = idx([2, 1, 2], Uint8Array.of(0, 255, 51, 102));
const LABELS = idx([2], Uint8Array.of(3, 1));
const EXPECTED = {
  features: Float32Array.of(0, 1, 0.2, 0.4),
  labels: Int32Array.of(3, 1),
  featureShape: [1, 2],
  classes: 4,
  length: 2,
};

Deno.test("openDataset() reads a pair of IDX files and scales bytes to [0, 1]", async () => {
  await using folder = await SampleFolder.open();
  const images = await folder.write("images.idx", IMAGES);
  const labels = await folder.write("labels.idx", LABELS);
  assert.deepEqual(await openDataset(`${images},${labels}`), EXPECTED);
});

Deno.test("openDataset() unpacks gzip, whatever the names", async () => {
  await using folder = await SampleFolder.open();
  const images = await folder.write("images", await gzip(IMAGES));
  const labels = await folder.write("labels", await gzip(LABELS));
  assert.deepEqual(await openDataset(`${images},${labels}`), EXPECTED);
});

Deno.test("openDataset() reads a pair of .npy files and leaves floats as they are", async () => {
  await using folder = await SampleFolder.open();
  const x = await folder.write("X.npy", npy("<f8", [2, 1, 2], Float64Array.of(0, 1, 0.2, 0.4)));
  const y = await folder.write("y.npy", npy("<i8", [2], BigInt64Array.of(3n, 1n)));
  assert.deepEqual(await openDataset(`${x},${y}`), EXPECTED);
});

Deno.test("openDataset() divides by the scale asked for", async () => {
  await using folder = await SampleFolder.open();
  const path = await folder.write("a.csv", "10,20,0\n30,40,1\n");
  const { features } = await openDataset(`${path}:scale=10`);
  assert.deepEqual(features, Float32Array.of(1, 2, 3, 4));
});

Deno.test("openDataset() hands out shares that make up the whole", async () => {
  await using folder = await SampleFolder.open();
  const rows = Array.from({ length: 30 }, (_, i) => `${i},${i % 3}`);
  const path = await folder.write("a.csv", rows.join("\n"));
  const shares = await Promise.all([1, 2, 3].map((k) => openDataset(`${path}:share=${k}/3`)));
  const features = shares.flatMap(({ features }) => [...features]);
  assert.deepEqual(features.sort((a, b) => a - b), Array.from({ length: 30 }, (_, i) => i));
});

for (
  const [what, spec, message] of [
    ["features without labels", "images", /images holds features or labels alone/],
    ["files of two formats", "x.npy,labels", /labels is not a \.npy file/],
    ["files in the wrong order", "labels,images", /must hold one label for each sample/],
    ["damaged gzip", "damaged.gz", /damaged\.gz is damaged gzip/],
    ["a missing file", "nowhere", /Cannot read .*nowhere: there is no such file/],
    ["a folder", "", /Cannot read .*: it is a directory/],
  ] as const
) {
  Deno.test(`openDataset() refuses ${what}`, async () => {
    await using folder = await SampleFolder.open();
    await folder.write("images", IMAGES);
    await folder.write("labels", LABELS);
    await folder.write("x.npy", npy("<f4", [1, 1], new Float32Array(1)));
    await folder.write("damaged.gz", (await gzip(IMAGES)).subarray(0, 20));
    const paths = spec.split(",").map((name) => join(folder.path, name));
    await assert.rejects(openDataset(paths.join()), { name: "DatasetError", message });
  });
}

Deno.test("datasetFiles() names what must be readable", () => {
  assert.deepEqual(datasetFiles("X.npy,y.npy:share=1/2"), ["X.npy", "y.npy"]);
});
