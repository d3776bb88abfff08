/** The WebAssembly half of tfjs: where its files are, and how it is loaded. */

import { packageFile } from "../packages.ts";

/** Which of them is loaded, tfjs decides by what this machine can do. */
const NAMES = [
  "tfjs-backend-wasm.wasm",
  "tfjs-backend-wasm-simd.wasm",
  "tfjs-backend-wasm-threaded-simd.wasm",
];

/** The paths of the .wasm files by their names: what the trainer's Worker must be able to read. */
export function wasmFiles(): Record<string, string> {
  return Object.fromEntries(NAMES.map((name) => {
    const path = packageFile(`@tensorflow/tfjs-backend-wasm/dist/${name}`);
    if (path === undefined) throw new Error("@tensorflow/tfjs-backend-wasm is not installed");
    return [name, path];
  }));
}

/**
 * Registers the wasm backend with tfjs. Its import is written here so that the package is part of
 * whatever module graph asks for the files: without that there are none yet.
 */
export async function registerWasm(): Promise<void> {
  const { setWasmPaths } = await import("@tensorflow/tfjs-backend-wasm");
  setWasmPaths(wasmFiles());
}
