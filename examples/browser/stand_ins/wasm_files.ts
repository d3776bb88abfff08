/** In a page, for src/client/wasm_files.ts: the server has tfjs beside the page, as its packages do. */

import * as tf from "@tensorflow/tfjs";
import type { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";

/** Where the build of tfjs's wasm backend that is no module looks for tfjs, and puts itself. */
const scope = globalThis as unknown as { tf: { wasm: { setWasmPaths: typeof setWasmPaths } } };

/** Registers the wasm backend with tfjs. */
export async function registerWasm(): Promise<void> {
  Object.assign(globalThis, { tf: { ...tf } });
  await import("@tensorflow/tfjs-backend-wasm");
  scope.tf.wasm.setWasmPaths(new URL("./", import.meta.url).href);
}
