/** Writes Envelopes for one client through a Cyclone writer. */

import { setImmediate } from "node:timers/promises";
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

/** How long one writer may keep a thread waiting for acknowledgements before another has its turn. */
const ACKNOWLEDGEMENT_TURN_NS = 10_000_000n;

/**
 * Deno lends each isolate 32 threads for blocking calls. Writers that wait for their readers use
 * half, so that the wait for samples always finds one. Those whose readers did not get done in the
 * last turn queue by themselves, and the others never behind them.
 */
const briskTurns = new Turns(8);
const slowTurns = new Turns(8);

/** After so much the event loop has a turn before more is written. */
const BREATHER_BYTES = 16 * 1024;

/** Lets others run after a write of so many bytes. */
export async function breathe(writtenBytes: number): Promise<void> {
  if (writtenBytes >= BREATHER_BYTES) await setImmediate();
}

export class EnvelopeWriter {
  readonly #cyclone: Cyclone;
  readonly #entity: number;
  readonly #client: Uint8Array<ArrayBuffer>;
  readonly #struct = new DataView(new ArrayBuffer(ENVELOPE_BYTES));
  #seq = 0n;
  /** In the last turn its reader did not acknowledge all. */
  #isSlow = false;

  constructor(cyclone: Cyclone, entity: number, client: string) {
    this.#cyclone = cyclone;
    this.#entity = entity;
    this.#client = cString(client);
    this.#struct.setBigUint64(CLIENT_OFFSET, addressOf(this.#client), true);
  }

  get entity(): number {
    return this.#entity;
  }

  /**
   * Writes one sample if there is room. It never waits (see `withQos`): handing 256 KiB to the
   * system takes about a millisecond, less than a detour over another thread.
   */
  write(body: Uint8Array<ArrayBuffer>): WriteOutcome {
    // Asking for `buffer` moves a small array out of the heap, where the collector could move it.
    const address = body.buffer.byteLength === 0 ? 0n : addressOf(body);
    this.#struct.setBigUint64(SEQ_OFFSET, this.#seq, true);
    this.#struct.setUint32(BODY_MAXIMUM_OFFSET, body.length, true);
    this.#struct.setUint32(BODY_LENGTH_OFFSET, body.length, true);
    this.#struct.setBigUint64(BODY_POINTER_OFFSET, address, true);
    const result = this.#cyclone.dds_write(this.#entity, this.#struct);
    if (result === TIMEOUT) return "full";
    if (result < 0) return "gone";
    this.#seq++;
    return "taken";
  }

  /** Resolves when the reader has acknowledged all, or after a moment: then writing is worth a try. */
  async room(): Promise<void> {
    const turns = this.#isSlow ? slowTurns : briskTurns;
    const result = await turns.take(() =>
      this.#cyclone.dds_wait_for_acks(this.#entity, ACKNOWLEDGEMENT_TURN_NS)
    );
    this.#isSlow = result === TIMEOUT;
  }

  /** Resolves when all was acknowledged, the writer is deleted, or the clock reaches `deadline`. */
  async drained(deadline: number): Promise<void> {
    await (this.#isSlow ? slowTurns : briskTurns).take(() => {
      const leftMs = Math.max(0, Math.ceil(deadline - performance.now()));
      return this.#cyclone.dds_wait_for_acks(this.#entity, BigInt(leftMs) * 1_000_000n);
    });
  }
}
