/** The IDX file format, in which MNIST and its successors are published (yann.lecun.com/exdb/mnist). */

import { DatasetError, type NumberArray, type NumberValues } from "./dataset.ts";

/** Type code (third byte) to width in bytes and the big-endian reader of one value. */
const TYPES: Readonly<Record<number, IdxType>> = {
  0x09: { width: 1, make: (n) => new Int8Array(n), read: (view, at) => view.getInt8(at) },
  0x0b: { width: 2, make: (n) => new Int16Array(n), read: (view, at) => view.getInt16(at) },
  0x0c: { width: 4, make: (n) => new Int32Array(n), read: (view, at) => view.getInt32(at) },
  0x0d: { width: 4, make: (n) => new Float32Array(n), read: (view, at) => view.getFloat32(at) },
  0x0e: { width: 8, make: (n) => new Float64Array(n), read: (view, at) => view.getFloat64(at) },
};

interface IdxType {
  readonly width: number;
  make(length: number): NumberValues;
  read(view: DataView, at: number): number;
}

const UNSIGNED_BYTE = 0x08;

/** Whether bytes begin like an IDX file: two zero bytes, a type, a number of dimensions. */
export function isIdx(bytes: Uint8Array): boolean {
  const type = bytes[2] ?? 0;
  return bytes.length >= 4 && bytes[0] === 0 && bytes[1] === 0 && type >= 0x08 && type <= 0x0e;
}

/**
 * Reads an IDX file. Unsigned bytes come back as a view of the input, other types as a copy.
 *
 * @param path The file's name, for messages.
 * @throws DatasetError when it is no IDX file, or shorter or longer than its header says.
 */
export function decodeIdx(bytes: Uint8Array, path: string): NumberArray {
  if (!isIdx(bytes)) throw new DatasetError(`${path} is not an IDX file`);
  const code = bytes[2] ?? 0;
  const dimensions = bytes[3] ?? 0;
  const type = TYPES[code];
  if (code !== UNSIGNED_BYTE && type === undefined) {
    throw new DatasetError(`${path}: IDX type 0x${code.toString(16)} does not exist`);
  }
  const header = 4 + 4 * dimensions;
  if (dimensions === 0 || bytes.length < header) {
    throw new DatasetError(`${path} ends within its header: the file is damaged, get it again`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: dimensions }, (_, i) => view.getUint32(4 + 4 * i));
  const count = shape.reduce((product, size) => product * size, 1);
  const expected = header + count * (type?.width ?? 1);
  if (bytes.length !== expected) {
    throw new DatasetError(
      `${path} is ${bytes.length} bytes long but its header (${shape.join(" x ")}) needs ` +
        `${expected}: the file is damaged, get it again`,
    );
  }
  if (type === undefined) return { values: bytes.subarray(header), shape };
  const values = type.make(count);
  for (let i = 0; i < count; i++) values[i] = type.read(view, header + i * type.width);
  return { values, shape };
}
