/** A model of two weights, `w`, and a counter as PyTorch's BatchNorm keeps one, `steps` (I64). */

import assert from "node:assert/strict";
import { decodeSafetensors, encodeSafetensors } from "../../src/weights/safetensors.ts";
import { isRejection, type NamedTensors } from "../../src/weights/tensors.ts";

export interface PointModel {
  readonly w: readonly [number, number];
  readonly steps: bigint;
}

export function encodeModel({ w, steps }: PointModel): Uint8Array<ArrayBuffer> {
  const [floats, counter] = [Float32Array.from(w), BigInt64Array.of(steps)];
  const tensors: NamedTensors = new Map([
    ["w", { name: "w", dtype: "F32", shape: [2], bytes: new Uint8Array(floats.buffer) }],
    ["steps", { name: "steps", dtype: "I64", shape: [], bytes: new Uint8Array(counter.buffer) }],
  ]);
  return encodeSafetensors(tensors);
}

export function decodeModel(model: Uint8Array): PointModel {
  const tensors = decodeSafetensors(model);
  assert.ok(!isRejection(tensors));
  const bytes = (name: string) => new Uint8Array(tensors.get(name)?.bytes ?? []).buffer;
  const [x = NaN, y = NaN] = new Float32Array(bytes("w"));
  return { w: [x, y], steps: new BigInt64Array(bytes("steps"))[0] ?? -1n };
}
