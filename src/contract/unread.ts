/** What a broker keeps of the models for one client that has not said yet that it holds them. */

import type { ModelPart } from "./federation_pb.ts";
import type { ModelOffset } from "./protocol_server.ts";

interface Kept {
  readonly round: number;
  /** The model's bytes up to here are in this part and the ones before it. */
  readonly endBytes: number;
  readonly bytes: number;
}

/**
 * A broker takes whatever it is given, for a client that reads and for one that does not. Only the
 * client's acknowledgements tell the two apart, so they bound what is given to the broker.
 */
export class Unread {
  readonly #parts: Kept[] = [];
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  add({ modelRound, offset, bytes }: ModelPart): void {
    const endBytes = Number(offset) + bytes.length;
    this.#parts.push({ round: modelRound, endBytes, bytes: bytes.length });
    this.#bytes += bytes.length;
  }

  /**
   * A broker keeps the order, so everything before the newest part that is held was read as well.
   * A client that holds nothing new asks for it again: what was under way is lost, or nearly there.
   */
  acknowledge({ round, offset }: ModelOffset): void {
    const newest = this.#parts.findLastIndex((part) =>
      part.round === round && part.endBytes <= offset
    );
    const read = this.#parts.splice(0, newest === -1 ? this.#parts.length : newest + 1);
    for (const { bytes } of read) this.#bytes -= bytes;
  }
}
