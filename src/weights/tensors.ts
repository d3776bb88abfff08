/** What a model is made of while it travels: named tensors, and the ways a client's can be wrong. */

/** Bytes per element of each dtype; the names are those of safetensors. */
const DTYPE_BYTES = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
} as const;

export type Dtype = keyof typeof DTYPE_BYTES;

/** The dtypes that are averaged; integers and bools are carried from one update instead. */
export type FloatDtype = "F64" | "F32" | "F16" | "BF16";

export interface TensorSpec {
  readonly name: string;
  readonly dtype: Dtype;
  /** Row-major extents; `[]` is a scalar, an extent of 0 an empty tensor. */
  readonly shape: readonly number[];
}

export interface Tensor extends TensorSpec {
  /** The elements, little-endian and packed. May be a view at an offset its dtype does not align to. */
  readonly bytes: Uint8Array;
}

/** A tensor that is averaged. */
export type FloatTensor = Tensor & { readonly dtype: FloatDtype };

/** Tensors under their own names. The order is the order of the file. */
export type NamedTensors = ReadonlyMap<string, Tensor>;

/** A client's mistake, as a value: the verdict it becomes and one sentence for people. */
export interface Rejection {
  readonly reason: "malformed" | "wrong_shape" | "non_finite" | "out_of_range";
  readonly detail: string;
}

export function isRejection(value: object): value is Rejection {
  return "reason" in value && "detail" in value;
}

export function isDtype(name: string): name is Dtype {
  return Object.hasOwn(DTYPE_BYTES, name);
}

export function isFloatTensor(tensor: Tensor): tensor is FloatTensor {
  const { dtype } = tensor;
  return dtype === "F64" || dtype === "F32" || dtype === "F16" || dtype === "BF16";
}

export function dtypeBytes(dtype: Dtype): number {
  return DTYPE_BYTES[dtype];
}

/** Number of elements, or Infinity where it is beyond what a double counts exactly. */
export function elementCount(shape: readonly number[]): number {
  if (shape.includes(0)) return 0;
  let count = 1;
  for (const extent of shape) {
    count *= extent;
    if (count > Number.MAX_SAFE_INTEGER) return Infinity;
  }
  return count;
}

/** A name as it appears in a sentence: quoted, and short however long a client made it. */
export function quoteName(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name);
}

/**
 * Compares a client's tensors with the model's: the same names with the same shapes and dtypes, in
 * any order. F16 and BF16 are taken for F32 too, as widening them loses nothing.
 */
export function compareSpecs(
  expected: ReadonlyMap<string, TensorSpec>,
  got: ReadonlyMap<string, TensorSpec>,
): Rejection | undefined {
  for (const [name, spec] of expected) {
    const other = got.get(name);
    if (other === undefined) return wrongShape(`tensor ${quoteName(name)} is missing`);
    if (!isTakenFor(other.dtype, spec.dtype) || !isSameShape(other.shape, spec.shape)) {
      return wrongShape(
        `tensor ${quoteName(name)} is ${describe(other)}, the model's is ${describe(spec)}`,
      );
    }
  }
  if (got.size > expected.size) {
    for (const name of got.keys()) {
      if (!expected.has(name)) {
        return wrongShape(`tensor ${quoteName(name)} is not one of the model's`);
      }
    }
  }
  return undefined;
}

function isTakenFor(got: Dtype, expected: Dtype): boolean {
  return got === expected || (expected === "F32" && (got === "F16" || got === "BF16"));
}

function isSameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((extent, axis) => extent === b[axis]);
}

function describe(spec: TensorSpec): string {
  return `${spec.dtype} [${spec.shape.join(", ")}]`;
}

function wrongShape(detail: string): Rejection {
  return { reason: "wrong_shape", detail };
}
