import assert from "node:assert/strict";
import fc from "fast-check";
import { select, share } from "../../src/coordinator/selection.ts";

const ids = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 4 }), {
  minLength: 1,
  maxLength: 30,
});
const wishes = fc.oneof(
  fc.integer({ min: 1, max: 40 }).map((number) => ({ number })),
  fc.double({ min: 0.01, max: 1, noNaN: true }).map((fraction) => ({ fraction })),
);

Deno.test("select() depends on the plan, the attempt and the set of clients, not on their order", () => {
  fc.assert(
    fc.property(ids, wishes, fc.nat(), fc.nat({ max: 1000 }), (clients, wish, seed, attempt) => {
      const plan = { clientsPerRound: wish, seed };
      const chosen = select(clients, plan, attempt);
      const shuffled = [...clients].reverse();
      assert.deepEqual(select(shuffled, plan, attempt), chosen);
      assert.deepEqual(shuffled, [...clients].reverse(), "the input was changed");
      assert.deepEqual(chosen, [...chosen].sort());
      assert.equal(new Set(chosen).size, chosen.length);
      assert.ok(chosen.every((client) => clients.includes(client)));
      const wanted = "number" in wish ? wish.number : share(wish.fraction, clients.length);
      assert.equal(chosen.length, Math.min(clients.length, Math.max(1, wanted)));
    }),
  );
});

const CLIENTS = Array.from({ length: 10 }, (_, index) => `client-${index}`);
const ATTEMPTS = 20_000;

/** Pearson's statistic of observed counts that are all expected to be the same. */
function chiSquare(counts: readonly number[], expected: number): number {
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

for (const seed of [0, 1, 2 ** 32 - 1]) {
  Deno.test(`every client is selected equally often over the attempts of seed ${seed}`, () => {
    const counts = new Map(CLIENTS.map((client) => [client, 0]));
    const pairs = new Map<string, number>();
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const chosen = select(CLIENTS, { clientsPerRound: { number: 2 }, seed }, attempt);
      for (const client of chosen) counts.set(client, (counts.get(client) ?? 0) + 1);
      pairs.set(chosen.join(), (pairs.get(chosen.join()) ?? 0) + 1);
    }
    // 99.9 % quantiles of chi-square with 9 and 44 degrees of freedom.
    assert.ok(chiSquare([...counts.values()], ATTEMPTS * 2 / 10) < 27.9);
    assert.equal(pairs.size, 45);
    assert.ok(chiSquare([...pairs.values()], ATTEMPTS / 45) < 78.8);
  });
}

Deno.test("other seeds select other clients at the same attempt", () => {
  const counts = new Map(CLIENTS.map((client) => [client, 0]));
  for (let seed = 0; seed < ATTEMPTS; seed++) {
    const [client = ""] = select(CLIENTS, { clientsPerRound: { number: 1 }, seed }, 0);
    counts.set(client, (counts.get(client) ?? 0) + 1);
  }
  assert.ok(chiSquare([...counts.values()], ATTEMPTS / 10) < 27.9);
});

Deno.test("share() rounds up, but not what only the float makes larger", () => {
  assert.equal(share(0.55, 100), 55); // 55.00000000000001
  assert.equal(share(0.07, 100), 7);
  assert.equal(share(1 / 3, 9), 3);
  assert.equal(share(0.1, 11), 2);
  assert.equal(share(1, 100_000), 100_000);
});
