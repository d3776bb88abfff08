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
