/** Sealed messages: what proves, message by message, who wrote it. proto/wire.md gives the bytes. */

import { createHmac, timingSafeEqual } from "node:crypto";

/** One connection of one client: what a proof and the keys are bound to. */
export interface Connecting {
  readonly federation: string;
  readonly clientId: string;
  /** The client's, for this connection. */
  readonly nonce: Uint8Array;
}

/** A connection both ends of which have shown that they are there now. */
export interface Connected extends Connecting {
  /** The server's, for this connection; empty before it is known. */
  readonly challenge: Uint8Array;
}

export type Direction = "up" | "down";

/** Of a nonce and of a challenge. */
export const NONCE_BYTES = 16;
/** A last will is fixed before anything else is said: its number is no message's. */
export const WILL_NUMBER = 0n;
/** Numbers this far below the newest are taken for repeated: wires reorder much less. */
const WINDOW = 1024;

/** HMAC-SHA-256 of a purpose and of what a connection is bound to, each behind its length. */
export function authenticated(
  key: Uint8Array,
  purpose: "proof" | Direction,
  { federation, clientId, nonce, challenge }: Connecting & { readonly challenge?: Uint8Array },
): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const hmac = createHmac("sha256", key);
  const names = [`tributary/1 ${purpose}`, federation, clientId].map((text) =>
    encoder.encode(text)
  );
  for (const part of [...names, nonce, ...(challenge === undefined ? [] : [challenge])]) {
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, part.length);
    hmac.update(length).update(part);
  }
  return new Uint8Array(hmac.digest());
}

export interface SealedBytes {
  readonly number: bigint;
  readonly body: Uint8Array;
  readonly tag: Uint8Array;
}

/** One direction of one connection: writes tags, or checks them and takes each number once. */
export class Seal {
  readonly #key: Uint8Array<ArrayBuffer>;
  /** The newest number taken of each residue; made at the first one. */
  #taken: Float64Array | undefined;
  #newest = 0;

  /** @param signature Of the client's token. */
  constructor(signature: Uint8Array, direction: Direction, connected: Connected) {
    this.#key = authenticated(signature, direction, connected);
  }

  /** Seals the next message of this direction. */
  next(body: Uint8Array<ArrayBuffer>): { number: bigint; body: Uint8Array; tag: Uint8Array } {
    return this.at(BigInt(++this.#newest), body);
  }

  at(number: bigint, body: Uint8Array): { number: bigint; body: Uint8Array; tag: Uint8Array } {
    return { number, body, tag: this.#tag(number, body) };
  }

  /** Whether whoever has the key wrote it. */
  proves({ number, body, tag }: SealedBytes): boolean {
    const expected = this.#tag(number, body);
    return tag.length === expected.length && timingSafeEqual(tag, expected);
  }

  /** Whether whoever has the key wrote it, and it was not taken before. */
  takes(sealed: SealedBytes): boolean {
    const number = Number(sealed.number);
    if (sealed.number === WILL_NUMBER || !Number.isSafeInteger(number)) return false;
    const residue = number % WINDOW;
    const isOld = number + WINDOW <= this.#newest || (this.#taken?.[residue] ?? 0) >= number;
    if (isOld || !this.proves(sealed)) return false;
    this.#taken ??= new Float64Array(WINDOW);
    this.#taken[residue] = number;
    this.#newest = Math.max(this.#newest, number);
    return true;
  }

  #tag(number: bigint, body: Uint8Array): Uint8Array<ArrayBuffer> {
    const before = new Uint8Array(8);
    new DataView(before.buffer).setBigUint64(0, number);
    return new Uint8Array(createHmac("sha256", this.#key).update(before).update(body).digest());
  }
}
