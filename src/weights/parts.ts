/** A model or update in parts, as every wire carries it. */

/** How many parts a total takes. An empty total is one empty part: something must still arrive. */
export function partCount(totalBytes: number, partBytes: number): number {
  return Math.max(1, Math.ceil(totalBytes / partBytes));
}

/**
 * The part that begins at `offset`, a view: `partBytes` long, or what is left.
 * @throws {RangeError} when `offset` is not inside `bytes` or at its end.
 */
export function cut<B extends ArrayBufferLike>(
  bytes: Uint8Array<B>,
  offset: number,
  partBytes: number,
): Uint8Array<B> {
  if (!Number.isSafeInteger(offset) || offset < 0 || offset > bytes.length) {
    throw new RangeError(`Cannot cut ${bytes.length} bytes at ${offset}: no such offset`);
  }
  return bytes.subarray(offset, offset + partBytes);
}
