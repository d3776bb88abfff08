/** Starts the trainer's Worker. In browsers another file stands in for this one. */

import { datasetFiles } from "./datasets/mod.ts";
import { wasmFiles } from "./wasm_files.ts";

/**
 * @param data What to let the Worker read besides the .wasm files, in the form of `--data`.
 * @throws DatasetError when `data` cannot be read that way.
 */
export function spawnTrainer(data: string | undefined): Worker {
  return new Worker(new URL("./trainer_worker.ts", import.meta.url), {
    type: "module",
    deno: { permissions: permissions(data) },
  });
}

/** What the Worker may do: read the .wasm files and the data, and nothing else. */
export function permissions(data: string | undefined): Deno.PermissionOptionsObject {
  return {
    read: [...Object.values(wasmFiles()), ...(data === undefined ? [] : datasetFiles(data))],
    write: false,
    net: false,
    run: false,
    env: false,
    ffi: false,
    sys: false,
    import: false,
  };
}
