/** Writes Envelopes for one client through a Cyclone writer, without ever blocking the event loop. */

import { addressOf, cString, type Cyclone, TIMEOUT } from "./cyclone.ts";
import {
  BODY_LENGTH_OFFSET,
  BODY_MAXIMUM_OFFSET,
  BODY_POINTER_OFFSET,
  CLIENT_OFFSET,
  ENVELOPE_BYTES,
  SEQ_OFFSET,
} from "./envelope.ts";
import { Turns } from "./turns.ts";

/** `full`: too much is unacknowledged, nothing was written; `gone`: the writer is deleted. */
export type WriteOutcome = "taken" | "full" | "gone";

/** From here on a write costs more than handing it to another thread does. */
const ASIDE_BYTES = 16 * 1024;

/** How long one writer may keep a thread waiting for acknowledgements before another has its turn. */
const ACKNOWLEDGEMENT_TURN_NS = 10_000_000n;

/**
 * Deno lends each isolate 32 threads for blocking calls. Writers that wait for their readers use
 * half, so that the wait for samples and the writes of brisk clients always find one.
 */
const turns = new Turns(16);

export class EnvelopeWriter {
  readonly #cyclone: Cyclone;
  readonly #entity: number;
  readonly #client: Uint8Array<ArrayBuffer>;
  readonly #struct = new DataView(new ArrayBuffer(ENVELOPE_BYTES));
  /** What another thread reads at the moment: not to be collected before it is done. */
  #body: Uint8Array<ArrayBuffer> | undefined;
  #seq = 0n;

  constructor(cyclone: Cyclone, entity: number, client: string) {
    this.#cyclone = cyclone;
    this.#entity = entity;
    this.#client = cString(client);
    this.#struct.setBigUint64(CLIENT_OFFSET, addressOf(this.#client), true);
  }

  get entity(): number {
    return this.#entity;
  }

  /** Writes one sample if there is room. One call at a time. */
  async write(body: Uint8Array<ArrayBuffer>): Promise<WriteOutcome> {
    // Asking for `buffer` moves a small array out of the heap, where the collector could move it.
    const address = body.buffer.byteLength === 0 ? 0n : addressOf(body);
    this.#struct.setBigUint64(SEQ_OFFSET, this.#seq, true);
    this.#struct.setUint32(BODY_MAXIMUM_OFFSET, body.length, true);
    this.#struct.setUint32(BODY_LENGTH_OFFSET, body.length, true);
    this.#struct.setBigUint64(BODY_POINTER_OFFSET, address, true);
    this.#body = body;
    const result = body.length < ASIDE_BYTES
      ? this.#cyclone.dds_write(this.#entity, this.#struct)
      : await this.#cyclone.dds_write_aside(this.#entity, this.#struct);
    this.#body = undefined;
    if (result === TIMEOUT) return "full";
    if (result < 0) return "gone";
    this.#seq++;
    return "taken";
  }

  /** Resolves when the reader has acknowledged all, or after a moment: then writing is worth a try. */
  async room(): Promise<void> {
    await turns.take(() => this.#cyclone.dds_wait_for_acks(this.#entity, ACKNOWLEDGEMENT_TURN_NS));
  }

  /** Resolves when all was acknowledged, the writer is deleted, or the clock reaches `deadline`. */
  async drained(deadline: number): Promise<void> {
    await turns.take(() => {
      const leftMs = Math.max(0, Math.ceil(deadline - performance.now()));
      return this.#cyclone.dds_wait_for_acks(this.#entity, BigInt(leftMs) * 1_000_000n);
    });
  }
}
