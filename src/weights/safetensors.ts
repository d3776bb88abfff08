/** The file a model travels in: https://github.com/huggingface/safetensors ("Format"). No code inside. */

import { type HeaderEntry, METADATA_KEY, parseHeader } from "./header.ts";
import {
  dtypeBytes,
  elementCount,
  type NamedTensors,
  quoteName,
  type Rejection,
  type Tensor,
} from "./tensors.ts";

/** The header's length comes first, an unsigned 64-bit integer, little-endian. */
const LENGTH_BYTES = 8;

/** The reference implementation reads no larger header either. */
const MAX_HEADER_BYTES = 100_000_000;

/** The data begins at a multiple of this: the header is padded with spaces. */
const ALIGNMENT_BYTES = 8;

/**
 * Writes tensors in the order of the map: the same map gives the same bytes.
 * @throws {TypeError} when a tensor is not under its own name, or a name cannot be written.
 * @throws {RangeError} when a tensor's bytes do not fill its shape.
 */
export function encodeSafetensors(
  tensors: NamedTensors,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const members: string[] = [];
  if (metadata !== undefined) {
    if (!Object.entries(metadata).flat().every((text) => text.isWellFormed())) {
      throw new TypeError("Cannot encode metadata: its keys and values must be Unicode");
    }
    members.push(`"${METADATA_KEY}":${JSON.stringify(metadata)}`);
  }
  let dataBytes = 0;
  for (const [name, tensor] of tensors) {
    checkTensor(name, tensor);
    const { dtype, shape, bytes } = tensor;
    const offsets = [dataBytes, dataBytes + bytes.length];
    members.push(
      `${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: offsets })}`,
    );
    dataBytes += bytes.length;
  }
  const header = new TextEncoder().encode(`{${members.join(",")}}`);
  const headerBytes = Math.ceil(header.length / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
  const file = new Uint8Array(LENGTH_BYTES + headerBytes + dataBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true);
  file.set(header, LENGTH_BYTES);
  file.fill(0x20, LENGTH_BYTES + header.length, LENGTH_BYTES + headerBytes);
  let at = LENGTH_BYTES + headerBytes;
  for (const { bytes } of tensors.values()) {
    file.set(bytes, at);
    at += bytes.length;
  }
  return file;
}

function checkTensor(name: string, tensor: Tensor): void {
  if (tensor.name !== name || name === METADATA_KEY || !name.isWellFormed()) {
    throw new TypeError(`Cannot encode tensor ${quoteName(name)}: it needs its own, Unicode name`);
  }
  const due = elementCount(tensor.shape) * dtypeBytes(tensor.dtype);
  if (tensor.bytes.length !== due) {
    throw new RangeError(
      `Cannot encode tensor ${
        quoteName(name)
      }: its shape takes ${due} bytes, received ${tensor.bytes.length}`,
    );
  }
}

/**
 * Reads a file whole or says what is wrong with it; never throws, whatever the bytes. The tensors
 * are views of `bytes` at offsets that need not be aligned, in the order of the header. Metadata is
 * checked and left out.
 */
export function decodeSafetensors(bytes: Uint8Array): NamedTensors | Rejection {
  if (bytes.length < LENGTH_BYTES) {
    return malformed(`${bytes.length} bytes are too few for a header`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, LENGTH_BYTES);
  const declared = view.getBigUint64(0, true);
  if (declared > BigInt(Math.min(bytes.length - LENGTH_BYTES, MAX_HEADER_BYTES))) {
    return malformed(`a header of ${declared} bytes does not fit a file of ${bytes.length}`);
  }
  const dataBegin = LENGTH_BYTES + Number(declared);
  const text = decodeText(bytes.subarray(LENGTH_BYTES, dataBegin));
  if (text === undefined) return malformed("the header is not UTF-8");
  if (!text.startsWith("{")) return malformed("the header does not begin with {");
  const entries = parseHeader(text);
  if (typeof entries === "string") return malformed(`header: ${entries}`);
  const fault = findFault(entries, bytes.length - dataBegin);
  if (fault !== undefined) return malformed(fault);
  const tensors = new Map<string, Tensor>();
  for (const { name, dtype, shape, begin, end } of entries) {
    const view = new Uint8Array(bytes.buffer, bytes.byteOffset + dataBegin + begin, end - begin);
    tensors.set(name, { name, dtype, shape, bytes: view });
  }
  return tensors;
}

/** The data must be filled exactly: each tensor as long as its shape, side by side, none over another. */
function findFault(entries: readonly HeaderEntry[], dataBytes: number): string | undefined {
  for (const { name, dtype, shape, begin, end } of entries) {
    if (elementCount(shape) * dtypeBytes(dtype) !== end - begin) {
      return `${quoteName(name)} of ${dtype} [${shape.join(", ")}] cannot have ${
        end - begin
      } bytes`;
    }
  }
  let filled = 0;
  for (const { name, begin, end } of entries.toSorted(byOffset)) {
    if (begin > filled) return `bytes ${filled} to ${begin} of the data belong to no tensor`;
    if (begin < filled) return `${quoteName(name)} overlaps another tensor at ${begin}`;
    filled = end;
  }
  if (filled === dataBytes) return undefined;
  return `the tensors take ${filled} bytes, the data has ${dataBytes}`;
}

function byOffset(a: HeaderEntry, b: HeaderEntry): number {
  return a.begin - b.begin || a.end - b.end;
}

function decodeText(bytes: Uint8Array): string | undefined {
  try {
    // Copied: TextDecoder refuses views of shared memory. A byte order mark must not pass for nothing.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(new Uint8Array(bytes));
  } catch {
    return undefined;
  }
}

function malformed(detail: string): Rejection {
  return { reason: "malformed", detail: `not a safetensors file: ${detail}` };
}
