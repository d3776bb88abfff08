/** Float tensors as float64 values and back. Every F64, F32, F16 and BF16 value is a float64 exactly. */

import { dtypeBytes, type FloatDtype, type FloatTensor } from "./tensors.ts";

/** How many values are read at a time: 8 KiB of float64, so that a block stays in the first-level cache. */
export const BLOCK_VALUES = 1024;

/** The largest finite value of each dtype (IEEE 754-2019 table 3.5; BF16 is F32 without its low 16 bits). */
export const LARGEST_FINITE: Readonly<Record<FloatDtype, number>> = {
  F64: Number.MAX_VALUE,
  F32: (2 - 2 ** -23) * 2 ** 127,
  F16: 65504,
  BF16: (2 - 2 ** -7) * 2 ** 127,
};

/** A dtype's elements as they lie in memory. Every platform the runtime supports is little-endian. */
type Words = Float64Array | Float32Array | Float16Array | Uint16Array;

function wordsOf(
  dtype: FloatDtype,
  buffer: ArrayBufferLike,
  byteOffset: number,
  length: number,
): Words {
  switch (dtype) {
    case "F64":
      return new Float64Array(buffer, byteOffset, length);
    case "F32":
      return new Float32Array(buffer, byteOffset, length);
    case "F16":
      return new Float16Array(buffer, byteOffset, length);
    case "BF16":
      return new Uint16Array(buffer, byteOffset, length);
    default:
      return dtype satisfies never;
  }
}

/** Reads a float tensor block by block, whatever its alignment, without a copy of the whole. */
export class FloatReader {
  readonly length: number;
  readonly #bytes: Uint8Array;
  readonly #elementBytes: number;
  /** The whole tensor where it is aligned, else room for one block of it. */
  readonly #words: Words;
  readonly #scratch: Uint8Array | undefined;
  /** BF16 only: one block widened to F32, and its bits. */
  readonly #bits: Uint32Array | undefined;
  readonly #floats: Float32Array | undefined;

  /** @throws {RangeError} when the bytes do not hold whole elements. */
  constructor({ dtype, bytes }: FloatTensor) {
    this.#bytes = bytes;
    this.#elementBytes = dtypeBytes(dtype);
    this.length = bytes.length / this.#elementBytes;
    if (!Number.isInteger(this.length)) {
      throw new RangeError(`Cannot read ${bytes.length} bytes as ${dtype}: not whole elements`);
    }
    if (bytes.byteOffset % this.#elementBytes === 0) {
      this.#words = wordsOf(dtype, bytes.buffer, bytes.byteOffset, this.length);
    } else {
      const scratch = new Uint8Array(BLOCK_VALUES * this.#elementBytes);
      this.#scratch = scratch;
      this.#words = wordsOf(dtype, scratch.buffer, 0, BLOCK_VALUES);
    }
    if (dtype === "BF16") {
      this.#bits = new Uint32Array(BLOCK_VALUES);
      this.#floats = new Float32Array(this.#bits.buffer);
    }
  }

  /** Fills `into`, of at most BLOCK_VALUES, with the values from `start`. */
  read(start: number, into: Float64Array): void {
    let at = start;
    if (this.#scratch !== undefined) {
      const size = this.#elementBytes;
      this.#scratch.set(this.#bytes.subarray(start * size, (start + into.length) * size));
      at = 0;
    }
    const words = this.#words.subarray(at, at + into.length);
    if (this.#bits === undefined || this.#floats === undefined) {
      // `set` converts between float types faster than a loop does.
      into.set(words);
    } else {
      const bits = this.#bits;
      for (let i = 0; i < words.length; i++) bits[i] = (words[i] as number) << 16;
      into.set(this.#floats.subarray(0, into.length));
    }
  }
}

/** All values of a float tensor. */
export function widen(tensor: FloatTensor): Float64Array<ArrayBuffer> {
  const reader = new FloatReader(tensor);
  const values = new Float64Array(reader.length);
  for (let at = 0; at < values.length; at += BLOCK_VALUES) {
    reader.read(at, values.subarray(at, at + BLOCK_VALUES));
  }
  return values;
}

/** Values as the bytes of a float tensor: each rounded once, to nearest, ties to even. */
export function narrow(dtype: FloatDtype, values: Float64Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(values.length * dtypeBytes(dtype));
  const words = wordsOf(dtype, bytes.buffer, 0, values.length);
  if (words instanceof Uint16Array) narrowToBf16(values, words);
  else words.set(values);
  return bytes;
}

/**
 * Rounding to F32 and then to BF16 would round twice and miss the nearest value next to a tie.
 * So the first rounding goes to odd: towards zero, with the last bit set when something was lost.
 * That bit keeps ties and not-quite-ties apart (Boldo and Melquiond, "When double rounding is odd").
 */
function narrowToBf16(values: Float64Array, words: Uint16Array): void {
  const float = new Float32Array(1);
  const bits = new Uint32Array(float.buffer);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    float[0] = value;
    const nearest = float[0] as number;
    let pattern = bits[0] as number;
    if (value !== value) {
      words[i] = 0x7fc0;
      continue;
    }
    if (nearest !== value) {
      // A float's pattern counts its magnitude: one less is the neighbour towards zero.
      if (Math.abs(nearest) > Math.abs(value)) pattern--;
      pattern |= 1;
    }
    words[i] = (pattern + 0x7fff + ((pattern >>> 16) & 1)) >>> 16;
  }
}
