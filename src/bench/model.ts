/** The model that the bench sends about. */

import { encodeSafetensors } from "../weights/safetensors.ts";

const ELEMENT_BYTES = 4;
/** Weights are whole numbers of 1/SCALE, on the fold's grid: the mean of equals is then their value. */
const SCALE = 2 ** 15;

/**
 * One F32 tensor of `weightBytes`, values from -1 to 1 without a pattern, always the same ones.
 * @throws {RangeError} when that is no whole number of floats.
 */
export function benchModel(weightBytes: number): Uint8Array<ArrayBuffer> {
  const count = weightBytes / ELEMENT_BYTES;
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new RangeError(`Cannot make a model of ${weightBytes} bytes: not whole floats`);
  }
  const values = new Float32Array(count);
  let state = 1;
  for (let i = 0; i < count; i++) {
    // A linear congruential generator modulo 2^32 (Numerical Recipes, §7.1); its high bits.
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    values[i] = (state >> 16) / SCALE;
  }
  const bytes = new Uint8Array(values.buffer);
  return encodeSafetensors(
    new Map([["weights", { name: "weights", dtype: "F32", shape: [count], bytes }]]),
  );
}
