/**
 * Seeded random numbers, the same on every machine: xoshiro128** 1.1 seeded by splitmix64
 * (Blackman and Vigna, "Scrambled Linear Pseudorandom Number Generators", ACM TOMS 47(4), 2021).
 * For shuffling and sampling, never for secrets.
 */
export class Random {
  readonly #state: Uint32Array;

  /** @param state Four words, not all zero. `Random.seeded` makes them. */
  constructor(state: readonly [number, number, number, number]) {
    this.#state = Uint32Array.from(state);
  }

  /** @param seeds Integers; each one, and their order, makes another sequence. */
  static seeded(...seeds: readonly number[]): Random {
    let mixed = 0n;
    for (const seed of seeds) {
      if (!Number.isSafeInteger(seed)) {
        throw new RangeError(`Cannot seed: a seed must be an integer, received ${seed}`);
      }
      mixed = splitmix64(mixed ^ BigInt.asUintN(64, BigInt(seed)));
    }
    const low = splitmix64(mixed);
    const high = splitmix64(mixed + GOLDEN_GAMMA);
    const word = (value: bigint) => Number(BigInt.asUintN(32, value));
    return new Random([word(low), word(low >> 32n), word(high), word(high >> 32n)]);
  }

  /** An integer of 0 to 2^32 - 1. */
  next(): number {
    const s = this.#state;
    const [s0, s1, s2, s3] = s as unknown as [number, number, number, number];
    const result = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0;
    const t = s1 << 9;
    const x2 = s2 ^ s0;
    const x3 = s3 ^ s1;
    s[1] = s1 ^ x2;
    s[0] = s0 ^ x3;
    s[2] = x2 ^ t;
    s[3] = rotateLeft(x3, 11);
    return result;
  }

  /** A number of [0, 1) with 53 random bits. */
  uniform(): number {
    const high = this.next() >>> 5;
    const low = this.next() >>> 6;
    return (high * 0x400_0000 + low) / 0x20_0000_0000_0000;
  }

  /** An integer of [0, bound), each equally likely. */
  below(bound: number): number {
    // Values past the last whole multiple of the bound would favour the small ones: draw again.
    const limit = 0x1_0000_0000 - 0x1_0000_0000 % bound;
    for (;;) {
      const value = this.next();
      if (value < limit) return value % bound;
    }
  }

  /** A standard normal number (Marsaglia's polar method). */
  normal(): number {
    for (;;) {
      const x = 2 * this.uniform() - 1;
      const y = 2 * this.uniform() - 1;
      const square = x * x + y * y;
      if (square > 0 && square < 1) return x * Math.sqrt(-2 * Math.log(square) / square);
    }
  }

  /**
   * The logarithm of a Gamma(shape, 1) number (Marsaglia and Tsang, "A Simple Method for Generating
   * Gamma Variables", ACM TOMS 26(3), 2000; below shape 1 by their U^(1/shape) step). Its logarithm,
   * because with a small shape the number itself is often too small for a float64.
   */
  logGamma(shape: number): number {
    if (shape < 1) return this.logGamma(shape + 1) + Math.log(1 - this.uniform()) / shape;
    const d = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = this.normal();
      const v = (1 + c * x) ** 3;
      if (v <= 0) continue;
      const log = Math.log(v);
      if (Math.log(1 - this.uniform()) < x * x / 2 + d * (1 - v + log)) return Math.log(d) + log;
    }
  }

  /** Shares that sum to 1, from the symmetric Dirichlet distribution. */
  dirichlet(alpha: number, count: number): Float64Array {
    const shares = new Float64Array(count);
    let largest = -Infinity;
    for (let i = 0; i < count; i++) {
      const log = this.logGamma(alpha);
      shares[i] = log;
      largest = Math.max(largest, log);
    }
    let sum = 0;
    for (const log of shares) sum += Math.exp(log - largest);
    return shares.map((log) => Math.exp(log - largest) / sum);
  }

  /** Puts the items into a random order, in place (Fisher-Yates). */
  shuffle(items: Uint32Array): void {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const item = items[i] as number;
      items[i] = items[j] as number;
      items[j] = item;
    }
  }
}

const GOLDEN_GAMMA = 0x9e37_79b9_7f4a_7c15n;

/** One step of splitmix64 from the state given. */
function splitmix64(state: bigint): bigint {
  let z = BigInt.asUintN(64, state + GOLDEN_GAMMA);
  z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58_476d_1ce4_e5b9n);
  z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d0_49bb_1331_11ebn);
  return z ^ (z >> 31n);
}

function rotateLeft(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}
