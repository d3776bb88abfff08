/** One upload being put together from its parts. */

/** What every part of an upload repeats. */
export interface UploadHead {
  readonly uploadId: string;
  readonly kind: "weights" | "delta";
  readonly samples: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly totalBytes: number;
}

export type Taken =
  | { readonly kind: "held" | "gap"; readonly nextOffset: number }
  | { readonly kind: "complete"; readonly nextOffset: number }
  /** The part contradicts what is held, which stays as it is. */
  | { readonly kind: "conflict"; readonly detail: string; readonly nextOffset: number };

export class Assembly {
  readonly head: UploadHead;
  readonly bytes: Uint8Array<ArrayBuffer>;
  #nextOffset = 0;

  constructor(head: UploadHead) {
    this.head = head;
    this.bytes = new Uint8Array(head.totalBytes);
  }

  get nextOffset(): number {
    return this.#nextOffset;
  }

  /**
   * Takes a part. Parts follow each other without a gap; a repeated one must repeat its bytes.
   * `fresh` gets the bytes that were not held before, and where they belong.
   */
  take(
    head: UploadHead,
    part: { offset: number; bytes: Uint8Array },
    fresh: (bytes: Uint8Array, offset: number) => void,
  ): Taken {
    const nextOffset = this.#nextOffset;
    const end = part.offset + part.bytes.length;
    const field = differing(this.head, head);
    if (field !== undefined) {
      return { kind: "conflict", detail: `${field} differs between parts`, nextOffset };
    }
    if (end > this.head.totalBytes) {
      const detail = `part ends at ${end}, beyond total_bytes ${this.head.totalBytes}`;
      return { kind: "conflict", detail, nextOffset };
    }
    if (part.offset > nextOffset) return { kind: "gap", nextOffset };
    const known = Math.min(end, nextOffset) - part.offset;
    for (let index = 0; index < known; index++) {
      if (part.bytes[index] !== this.bytes[part.offset + index]) {
        const detail = `other bytes at offset ${part.offset + index}, which is held already`;
        return { kind: "conflict", detail, nextOffset };
      }
    }
    if (end > nextOffset) {
      const added = part.bytes.subarray(known);
      fresh(added, nextOffset);
      this.bytes.set(added, nextOffset);
      this.#nextOffset = end;
    }
    const kind = this.#nextOffset === this.head.totalBytes ? "complete" : "held";
    return { kind, nextOffset: this.#nextOffset };
  }
}

/** Names the first field in which two heads differ. Metrics may come with any part: the last counts. */
function differing(left: UploadHead, right: UploadHead): string | undefined {
  if (left.kind !== right.kind) return "kind";
  if (left.samples !== right.samples) return "samples";
  if (left.totalBytes !== right.totalBytes) return "total_bytes";
  return undefined;
}
