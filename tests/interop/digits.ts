/** A small part of MNIST as IDX files, as clients of any language read it. */

import { mnistFiles } from "../../src/client/datasets/mnist.ts";
import { idx } from "../client/datasets/files.ts";
import type { SampleFolder } from "../client/sample_folder.ts";

const IMAGE_BYTES = 28 * 28;
const IMAGES_HEADER_BYTES = 16;
const LABELS_HEADER_BYTES = 8;

/** The first images of the training set; `IMAGES,LABELS` for `--data`. */
export async function digits(folder: SampleFolder, count: number): Promise<string> {
  const [imagesPath, labelsPath] = mnistFiles("train");
  const images = await Deno.readFile(imagesPath);
  const labels = await Deno.readFile(labelsPath);
  const files = await Promise.all([
    folder.write(
      "images.idx",
      idx([count, 28, 28], images.subarray(IMAGES_HEADER_BYTES).subarray(0, count * IMAGE_BYTES)),
    ),
    folder.write(
      "labels.idx",
      idx([count], labels.subarray(LABELS_HEADER_BYTES).subarray(0, count)),
    ),
  ]);
  return files.join(",");
}

/** The first images of the training set as CSV: a header, the label first, then 784 pixels of 0 to 1. */
export async function digitsCsv(folder: SampleFolder, count: number): Promise<string> {
  const [imagesPath, labelsPath] = mnistFiles("train");
  const images = (await Deno.readFile(imagesPath)).subarray(IMAGES_HEADER_BYTES);
  const labels = (await Deno.readFile(labelsPath)).subarray(LABELS_HEADER_BYTES);
  const lines = [["label", ...Array.from({ length: IMAGE_BYTES }, (_, i) => `p${i}`)].join()];
  for (let row = 0; row < count; row++) {
    const pixels = images.subarray(row * IMAGE_BYTES, (row + 1) * IMAGE_BYTES);
    lines.push([labels[row], ...Array.from(pixels, (pixel) => pixel / 255)].join());
  }
  return await folder.write("digits.csv", `${lines.join("\n")}\n`);
}
