/** The WebAssembly half of tfjs: where its files are, and how it is loaded. */

import { fileURLToPath } from "node:url";

/** Folder of the .wasm files: what the trainer's Worker must be able to read. */
export function wasmFolder(): string {
  const url = import.meta.resolve("@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm");
  return fileURLToPath(new URL("./", url));
}

/**
 * Registers the wasm backend with tfjs. Its import is written here so that the package is part of
 * whatever module graph asks for the folder: without that it has no folder yet.
 */
export async function registerWasm(): Promise<void> {
  const { setWasmPaths } = await import("@tensorflow/tfjs-backend-wasm");
  setWasmPaths(wasmFolder());
}
