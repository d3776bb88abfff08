/** A model being put together from its parts. */

import type { ModelPart } from "../contract/federation_pb.ts";
import type { KeptModel } from "./kept.ts";
import { sha256 } from "./sha256.ts";

export class Download {
  readonly round: number;
  #bytes: Uint8Array<ArrayBuffer>;
  /** Of the whole model, once it is whole. */
  sha256: Uint8Array<ArrayBuffer> | undefined;
  #offset = 0;
  /** Bytes held when the server was last told. */
  #toldOffset = -1;

  constructor(part: Pick<ModelPart, "modelRound" | "totalBytes">) {
    this.round = part.modelRound;
    this.#bytes = new Uint8Array(Number(part.totalBytes));
  }

  /** A model that is held already; its bytes are taken over. */
  static of({ round, bytes, sha256 }: KeptModel): Download {
    const download = new Download({ modelRound: round, totalBytes: 0n });
    download.#bytes = bytes;
    download.#offset = bytes.length;
    download.sha256 = sha256;
    return download;
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes;
  }

  get offset(): number {
    return this.#offset;
  }

  /**
   * Takes a part. Gives back whether the server is to be told: at the end, every `stepBytes`, and
   * at a gap, where repeating the offset asks for what is missing.
   */
  take(part: ModelPart, stepBytes: number): boolean {
    const offset = Number(part.offset);
    const end = offset + part.bytes.length;
    if (this.sha256 !== undefined || end > this.#bytes.length) return false;
    if (offset > this.#offset) return true;
    if (end > this.#offset) {
      this.#bytes.set(part.bytes.subarray(this.#offset - offset), this.#offset);
      this.#offset = end;
    }
    if (this.#offset === this.#bytes.length) {
      this.sha256 = sha256(this.#bytes);
      return true;
    }
    return this.#offset - this.#toldOffset >= stepBytes;
  }

  /** What to tell the server: ModelHeld's fields. */
  held(): { modelRound: number; offset: bigint; sha256: Uint8Array } {
    this.#toldOffset = this.#offset;
    return {
      modelRound: this.round,
      offset: BigInt(this.#offset),
      sha256: this.sha256 ?? new Uint8Array(),
    };
  }
}
