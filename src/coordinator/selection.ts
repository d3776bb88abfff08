/** Which of the clients present take part in a round: uniform without replacement, seeded. */

/** The part of a run's plan that selection goes by. */
export interface SelectionPlan {
  readonly clientsPerRound: { readonly number: number } | { readonly fraction: number };
  readonly seed: number;
}

/**
 * Draws the clients of one attempt at a round. The same plan, attempt and set of clients give the
 * same selection, whatever order they came in. Sorted by client id.
 */
export function select(
  clients: readonly string[],
  plan: SelectionPlan,
  attempt: number,
): string[] {
  const pool = [...clients].sort();
  const wanted = "number" in plan.clientsPerRound
    ? plan.clientsPerRound.number
    : share(plan.clientsPerRound.fraction, pool.length);
  const count = Math.min(pool.length, Math.max(1, wanted));
  const random = randomStream(plan.seed, attempt);
  // Fisher-Yates, as far as needed.
  for (let index = 0; index < count; index++) {
    const other = index + Math.floor(random() * (pool.length - index));
    const taken = pool[other] as string;
    pool[other] = pool[index] as string;
    pool[index] = taken;
  }
  return pool.slice(0, count).sort();
}

/** How many of `count` a fraction is, rounded up. 0.55 of 100 is 55, although the product is more. */
export function share(fraction: number, count: number): number {
  return Math.ceil(fraction * count - 1e-9);
}

/** Numbers in [0, 1) from a SplitMix32 stream: Steele, Lea, Flood, OOPSLA 2014, 32-bit variant. */
function randomStream(seed: number, attempt: number): () => number {
  let state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(attempt + 1, 0x85ebca6b)) | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}
