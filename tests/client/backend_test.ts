import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import fc from "fast-check";
import { openBackend } from "../../src/client/backend.ts";

const backend = await openBackend();

/** Row-major product by the definition. */
function product(a: (i: number, k: number) => number, b: (k: number, j: number) => number, size: {
  rows: number;
  inner: number;
  columns: number;
}): number[] {
  const out: number[] = [];
  for (let i = 0; i < size.rows; i++) {
    for (let j = 0; j < size.columns; j++) {
      let sum = 0;
      for (let k = 0; k < size.inner; k++) sum += a(i, k) * b(k, j);
      out.push(sum);
    }
  }
  return out;
}

Deno.test("openBackend() opens WebAssembly", () => {
  assert.equal(backend, "wasm");
  assert.equal(tf.getBackend(), "wasm");
});

Deno.test("openBackend() multiplies transposed matrices right", () => {
  const extent = fc.integer({ min: 1, max: 9 });
  const flag = fc.boolean();
  fc.assert(fc.property(extent, extent, extent, flag, flag, (rows, inner, columns, ta, tb) => {
    const left = Float32Array.from({ length: rows * inner }, (_, i) => i % 7 - 3);
    const right = Float32Array.from({ length: inner * columns }, (_, i) => i % 5 - 2);
    const buffers = tf.engine().backend.numDataIds();
    const values = tf.tidy(() =>
      tf.matMul(
        tf.tensor2d(left, ta ? [inner, rows] : [rows, inner]),
        tf.tensor2d(right, tb ? [columns, inner] : [inner, columns]),
        ta,
        tb,
      ).dataSync()
    );
    const a = (i: number, k: number) => left[ta ? k * rows + i : i * inner + k] as number;
    const b = (k: number, j: number) => right[tb ? j * inner + k : k * columns + j] as number;
    assert.deepEqual([...values], product(a, b, { rows, inner, columns }));
    assert.equal(tf.engine().backend.numDataIds(), buffers);
  }));
});
