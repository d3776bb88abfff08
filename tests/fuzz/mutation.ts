/** Broken bytes: good ones with a few mistakes in them, of the kinds that break readers. */

import type { Random } from "../../src/client/random.ts";

/** Values that lengths and counts are wrong by. */
const EDGES = [0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff];
const MOST_MISTAKES = 6;
const LONGEST_INSERTION = 64;
/** One in so many inputs is noise from the beginning. */
const NOISE_EVERY = 16;
const LONGEST_NOISE = 512;

export class Mutation {
  readonly #random: Random;
  readonly #seeds: readonly Uint8Array[];

  constructor(random: Random, seeds: readonly Uint8Array[]) {
    this.#random = random;
    this.#seeds = seeds;
  }

  next(): Uint8Array<ArrayBuffer> {
    if (this.#below(NOISE_EVERY) === 0) return this.#noise(this.#below(LONGEST_NOISE));
    let bytes = new Uint8Array(this.#seed());
    for (let mistakes = this.#below(MOST_MISTAKES); mistakes >= 0; mistakes--) {
      bytes = this.#mistake(bytes);
    }
    return bytes;
  }

  #mistake(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const at = this.#below(bytes.length + 1);
    switch (this.#below(8)) {
      case 0: { // one bit
        if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << this.#below(8));
        return bytes;
      }
      case 1: { // one byte
        if (at < bytes.length) bytes[at] = this.#below(256);
        return bytes;
      }
      case 2: { // a length, at either end of its range
        const edge = EDGES[this.#below(EDGES.length)] ?? 0;
        return bytes.fill(edge, at, at + 1 + this.#below(8));
      }
      case 3: // cut short
        return bytes.slice(0, at);
      case 4: // something missing
        return joined(bytes.subarray(0, at), bytes.subarray(at + this.#below(LONGEST_INSERTION)));
      case 5: // something too much
        return joined(
          bytes.subarray(0, at),
          this.#noise(this.#below(LONGEST_INSERTION)),
          bytes.subarray(at),
        );
      case 6: { // something twice
        const from = this.#below(bytes.length + 1);
        const repeated = bytes.subarray(from, from + this.#below(LONGEST_INSERTION));
        return joined(bytes.subarray(0, at), repeated, bytes.subarray(at));
      }
      default: { // the beginning of one, the end of another
        const other = this.#seed();
        return joined(bytes.subarray(0, at), other.subarray(this.#below(other.length + 1)));
      }
    }
  }

  #seed(): Uint8Array {
    return this.#seeds[this.#below(this.#seeds.length)] ?? new Uint8Array();
  }

  #noise(length: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length }, () => this.#below(256));
  }

  #below(bound: number): number {
    return this.#random.next() % bound;
  }
}

function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
