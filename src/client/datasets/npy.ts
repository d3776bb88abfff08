/** NumPy's .npy file format, versions 1 to 3 (numpy.org/neps/nep-0001-npy-format.html). */

import { DatasetError, type NumberArray, type NumberValues } from "./dataset.ts";

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]; // \x93NUMPY

/** dtype to width in bytes and the reader of `count` little-endian values. */
const DTYPES: Readonly<Record<string, NpyType>> = {
  "|u1": { width: 1, read: (bytes) => bytes },
  "<i4": { width: 4, read: (bytes) => new Int32Array(own(bytes)) },
  "<i8": { width: 8, read: widenInt64 },
  "<f4": { width: 4, read: (bytes) => new Float32Array(own(bytes)) },
  "<f8": { width: 8, read: (bytes) => new Float64Array(own(bytes)) },
};

interface NpyType {
  readonly width: number;
  read(bytes: Uint8Array): NumberValues;
}

/** Whether bytes begin like a .npy file. */
export function isNpy(bytes: Uint8Array): boolean {
  return MAGIC.every((byte, i) => bytes[i] === byte);
}

/**
 * Reads a .npy file: float32, float64, uint8, int32 or int64 in C order. int64 loses precision
 * beyond 2^53.
 *
 * @param path The file's name, for messages.
 * @throws DatasetError when it is no such file; the message says how to save it.
 */
export function decodeNpy(bytes: Uint8Array, path: string): NumberArray {
  const { header, start } = readHeader(bytes, path);
  const descr = /'descr'\s*:\s*'([^']*)'/.exec(header)?.[1];
  const fortran = /'fortran_order'\s*:\s*(True|False)/.exec(header)?.[1];
  const dimensions = /'shape'\s*:\s*\(([\d,\s]*)\)/.exec(header)?.[1];
  if (descr === undefined || fortran === undefined || dimensions === undefined) {
    throw new DatasetError(
      `${path}: its header does not name one plain dtype, the order and the shape; ` +
        `save an array of one number type with numpy.save`,
    );
  }
  const type = DTYPES[descr];
  if (type === undefined) {
    throw new DatasetError(
      `${path} holds dtype ${descr}; save it as float32, float64, uint8, int32 or int64 ` +
        `(little endian)`,
    );
  }
  const shape = dimensions.split(",").map((size) => size.trim()).filter(Boolean).map(Number);
  if (shape.length === 0) throw new DatasetError(`${path} holds a single number, not an array`);
  if (fortran === "True" && shape.length > 1) {
    throw new DatasetError(`${path} is in Fortran order; save numpy.ascontiguousarray of it`);
  }
  const count = shape.reduce((product, size) => product * size, 1);
  const length = count * type.width;
  if (bytes.length !== start + length) {
    throw new DatasetError(
      `${path} is ${bytes.length} bytes long but its header (${shape.join(" x ")}) needs ` +
        `${start + length}: the file is damaged, save it again`,
    );
  }
  return { values: type.read(bytes.subarray(start)), shape };
}

/** The header's text, a Python dictionary, and the offset of the first value. */
function readHeader(bytes: Uint8Array, path: string): { header: string; start: number } {
  if (!isNpy(bytes)) throw new DatasetError(`${path} is not a .npy file`);
  const version = bytes[6] ?? 0;
  if (version < 1 || version > 3) {
    throw new DatasetError(`${path} is .npy version ${version}; versions 1 to 3 can be read`);
  }
  const prefix = version === 1 ? 10 : 12;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = bytes.length < prefix
    ? Infinity
    : version === 1
    ? view.getUint16(8, true)
    : view.getUint32(8, true);
  const start = prefix + length;
  if (start > bytes.length) {
    throw new DatasetError(`${path} ends within its header: the file is damaged, save it again`);
  }
  // Version 3 is UTF-8, 1 and 2 Latin-1: the three keys looked for are ASCII in both.
  return { header: new TextDecoder().decode(bytes.subarray(prefix, start)), start };
}

/** A copy in a buffer of its own, so that it is aligned for any number type. */
function own(bytes: Uint8Array): ArrayBuffer {
  return bytes.slice().buffer as ArrayBuffer;
}

function widenInt64(bytes: Uint8Array): Float64Array {
  const integers = new BigInt64Array(own(bytes));
  const values = new Float64Array(integers.length);
  for (let i = 0; i < integers.length; i++) values[i] = Number(integers[i]);
  return values;
}
