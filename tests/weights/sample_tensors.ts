/** Tensors for tests: from plain numbers, and arbitrary ones. */

import fc from "fast-check";
import { narrow } from "../../src/weights/convert.ts";
import {
  type Dtype,
  dtypeBytes,
  elementCount,
  type FloatDtype,
  type NamedTensors,
  type Tensor,
} from "../../src/weights/tensors.ts";
import type { Update } from "../../src/weights/update.ts";

export function floats(
  name: string,
  values: readonly number[],
  { dtype = "F32" as FloatDtype, shape = [values.length] } = {},
): Tensor {
  return { name, dtype, shape, bytes: narrow(dtype, Float64Array.of(...values)) };
}

export function bytesOf(
  name: string,
  dtype: Dtype,
  bytes: readonly number[],
  shape = [bytes.length / dtypeBytes(dtype)],
): Tensor {
  return { name, dtype, shape, bytes: Uint8Array.of(...bytes) };
}

export function named(...tensors: Tensor[]): NamedTensors {
  return new Map(tensors.map((tensor) => [tensor.name, tensor]));
}

/** An update of one F32 tensor "w". */
export function updateOf(
  client: string,
  values: readonly number[],
  { samples = 1, kind = "weights" as Update["kind"] } = {},
): Update {
  return { client, samples, kind, tensors: named(floats("w", values)) };
}

/** The same tensors in a buffer where no element is aligned. */
export function unaligned(tensors: NamedTensors): NamedTensors {
  return named(...[...tensors.values()].map((tensor) => {
    const room = new Uint8Array(tensor.bytes.length + 1);
    room.set(tensor.bytes, 1);
    return { ...tensor, bytes: room.subarray(1) };
  }));
}

/** Plain data, so that deepEqual compares bytes and not views. */
export function plain(tensors: NamedTensors): unknown {
  return [...tensors].map(([key, { name, dtype, shape, bytes }]) => [
    key,
    { name, dtype, shape: [...shape], bytes: bytes.toHex() },
  ]);
}

export const DTYPES = [
  "F64",
  "F32",
  "F16",
  "BF16",
  "I64",
  "I32",
  "I16",
  "I8",
  "U64",
  "U32",
  "U16",
  "U8",
  "BOOL",
] as const satisfies readonly Dtype[];

/** Any tensors a file can hold; names from all of Unicode, empty and scalar tensors among them. */
export function arbitraryTensors(): fc.Arbitrary<NamedTensors> {
  const tensor = fc.record({
    name: fc.string({ unit: "grapheme", maxLength: 12 }).filter((name) => name !== "__metadata__"),
    dtype: fc.constantFrom(...DTYPES),
    shape: fc.array(fc.nat({ max: 4 }), { maxLength: 4 }),
    fill: fc.nat({ max: 255 }),
  }).map(({ name, dtype, shape, fill }): Tensor => {
    const bytes = new Uint8Array(elementCount(shape) * dtypeBytes(dtype));
    for (let i = 0; i < bytes.length; i++) bytes[i] = (fill + i * 37) & 0xff;
    return { name, dtype, shape, bytes };
  });
  return fc.array(tensor, { maxLength: 6 }).map((tensors) => named(...tensors));
}
