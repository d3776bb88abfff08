/** In a page, for src/client/datasets/mnist.ts: the server has the files of its package beside the page. */

export type MnistPart = "train" | "test";

/** URLs of the images and the labels. */
export function mnistFiles(part: MnistPart): [string, string] {
  const prefix = part === "train" ? "train" : "t10k";
  return [`mnist/${prefix}-images-idx3-ubyte`, `mnist/${prefix}-labels-idx1-ubyte`];
}

/** They are there. */
export function installMnist(): Promise<void> {
  return Promise.resolve();
}
