/** Chooses what tfjs computes on: WebAssembly, or plain JavaScript where that lacks a gradient. */

import * as tf from "@tensorflow/tfjs";
import { registerWasm } from "./wasm_files.ts";

export type BackendName = "wasm" | "cpu";

/** Makes tfjs compute on WebAssembly, or where that cannot be had on plain JavaScript. */
export async function openBackend(): Promise<BackendName> {
  tf.enableProdMode(); // else the plain JavaScript backend advertises tfjs-node on stderr
  await registerWasm();
  if (!await tf.setBackend("wasm")) {
    await closeWasm();
    return "cpu";
  }
  turnBeforeMultiplying();
  return "wasm";
}

/** Goes on without WebAssembly: every tensor made so far is gone. */
export async function closeWasm(): Promise<void> {
  await tf.setBackend("cpu");
  tf.removeBackend("wasm");
}

/**
 * The wasm backend multiplies matrices with XNNPACK unless one of them is transposed, as in every
 * gradient of a dense layer: then with a plain loop, five to nine times slower. So transposed
 * matrices are turned first.
 */
function turnBeforeMultiplying(): void {
  const multiply = tf.getKernel("BatchMatMul", "wasm");
  const transpose = tf.getKernel("Transpose", "wasm");
  tf.unregisterKernel("BatchMatMul", "wasm");
  tf.registerKernel({
    ...multiply,
    kernelFunc: ({ inputs, backend, attrs }) => {
      const { a, b } = inputs;
      const { transposeA = false, transposeB = false } = attrs ?? {};
      if (a?.shape.length !== 2 || b?.shape.length !== 2 || !(transposeA || transposeB)) {
        return multiply.kernelFunc({ inputs, backend, ...(attrs && { attrs }) });
      }
      const turn = (x: tf.TensorInfo, turned: boolean) =>
        turned
          ? transpose.kernelFunc({
            inputs: { x },
            backend,
            attrs: { perm: [1, 0] },
          }) as tf.TensorInfo
          : x;
      const left = turn(a, transposeA === true);
      const right = turn(b, transposeB === true);
      const product = multiply.kernelFunc({
        inputs: { a: left, b: right },
        backend,
        attrs: { transposeA: false, transposeB: false },
      });
      const owner = backend as tf.KernelBackend;
      if (left !== a) owner.disposeData(left.dataId);
      if (right !== b) owner.disposeData(right.dataId);
      return product;
    },
  });
}
