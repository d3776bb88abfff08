/** Takes Envelopes out of a Cyclone reader. */

import {
  addressOf,
  check,
  cString,
  type Cyclone,
  pointerAt,
  PRECONDITION_NOT_MET,
  stringAt,
} from "./cyclone.ts";
import {
  BODY_LENGTH_OFFSET,
  BODY_POINTER_OFFSET,
  CLIENT_OFFSET,
  ENVELOPE_BYTES,
  SEQ_OFFSET,
} from "./envelope.ts";

/** One sample, or the news that its instance has no writer any more. */
export interface Taken {
  readonly client: string;
  /** Which writer wrote it, in this process's terms. */
  readonly publication: bigint;
  /** False once the instance is disposed of or nobody writes it. */
  readonly alive: boolean;
  /** Undefined for news without a sample. */
  readonly sample:
    | { readonly seq: bigint; readonly bytes: number; readonly body: Body }
    | undefined;
}

/** Undefined where it is longer than the reader was told to copy. */
type Body = Uint8Array<ArrayBuffer> | undefined;

/** dds_sample_info_t */
const INFO_BYTES = 64;
const INSTANCE_STATE_OFFSET = 8;
const VALID_DATA_OFFSET = 12;
const PUBLICATION_OFFSET = 32;
const INSTANCE_ALIVE = 16;

/** Samples taken at once: enough to make one call cheap, few enough to keep the event loop brisk. */
const TAKE_AT_ONCE = 16;

export class EnvelopeReader {
  readonly #cyclone: Cyclone;
  readonly #entity: number;
  readonly #maxBodyBytes: number;
  readonly #samples = new BigUint64Array(TAKE_AT_ONCE);
  readonly #infos = new DataView(new ArrayBuffer(INFO_BYTES * TAKE_AT_ONCE));

  constructor(cyclone: Cyclone, entity: number, maxBodyBytes: number) {
    this.#cyclone = cyclone;
    this.#entity = entity;
    this.#maxBodyBytes = maxBodyBytes;
  }

  get entity(): number {
    return this.#entity;
  }

  /** The oldest samples of every client, at most 16. */
  take(): Taken[] {
    return this.#take((samples, infos, most) =>
      this.#cyclone.dds_take(this.#entity, samples, infos, BigInt(most), most)
    );
  }

  /** The oldest samples of one client, at most 16. */
  takeOf(client: string): Taken[] {
    const key = new DataView(new ArrayBuffer(ENVELOPE_BYTES));
    const name = cString(client);
    key.setBigUint64(CLIENT_OFFSET, addressOf(name), true);
    const instance = this.#cyclone.dds_lookup_instance(this.#entity, key);
    if (instance === 0n) return []; // nothing of it has ever come
    return this.#take((samples, infos, most) => {
      const count = this.#cyclone.dds_take_instance(
        this.#entity,
        samples,
        infos,
        BigInt(most),
        most,
        instance,
      );
      return count === PRECONDITION_NOT_MET ? 0 : count; // nothing of it is left
    });
  }

  #take(
    take: (
      samples: BigUint64Array<ArrayBuffer>,
      infos: DataView<ArrayBuffer>,
      most: number,
    ) => number,
  ): Taken[] {
    this.#samples[0] = 0n; // asks Cyclone to lend its own memory
    const count = check(
      this.#cyclone,
      "take samples",
      take(this.#samples, this.#infos, TAKE_AT_ONCE),
    );
    const taken: Taken[] = [];
    if (count === 0) return taken;
    try {
      for (let index = 0; index < count; index++) taken.push(this.#copy(index));
    } finally {
      this.#cyclone.dds_return_loan(this.#entity, this.#samples, count);
    }
    return taken;
  }

  #copy(index: number): Taken {
    const info = index * INFO_BYTES;
    const pointer = pointerAt(this.#samples[index] ?? 0n);
    if (pointer === null) throw new Error("Cyclone lent a sample without memory");
    const view = new Deno.UnsafePointerView(pointer);
    const valid = this.#infos.getUint8(info + VALID_DATA_OFFSET) !== 0;
    return {
      client: stringAt(view.getPointer(CLIENT_OFFSET)), // the key is there in either case
      publication: this.#infos.getBigUint64(info + PUBLICATION_OFFSET, true),
      alive: this.#infos.getUint32(info + INSTANCE_STATE_OFFSET, true) === INSTANCE_ALIVE,
      sample: valid
        ? {
          seq: view.getBigUint64(SEQ_OFFSET),
          bytes: view.getUint32(BODY_LENGTH_OFFSET),
          body: this.#copyBody(view),
        }
        : undefined,
    };
  }

  #copyBody(view: Deno.UnsafePointerView): Body {
    const length = view.getUint32(BODY_LENGTH_OFFSET);
    if (length > this.#maxBodyBytes) return undefined;
    const body = new Uint8Array(length);
    const pointer = length === 0 ? null : view.getPointer(BODY_POINTER_OFFSET);
    if (pointer !== null) Deno.UnsafePointerView.copyInto(pointer, body);
    return body;
  }
}
