import assert from "node:assert/strict";
import { median } from "../../src/strategies/median.ts";
import { type Reply, round } from "./rounds.ts";

Deno.test("median() is the middle of an odd number of replies, coordinate by coordinate", () => {
  const replies: Reply[] = [["a", 1, [1, 9]], ["b", 1, [5, 8]], ["c", 1, [3, -7]]];
  assert.deepEqual(round(median(), [0, 0], replies), [3, 8]);
});

Deno.test("median() is the mean of the two in the middle of an even number", () => {
  const replies: Reply[] = [["a", 1, [1]], ["b", 1, [60]], ["c", 1, [3]], ["d", 1, [4]]];
  assert.deepEqual(round(median(), [0], replies), [3.5]);
});

Deno.test("median() stays among the honest while they are more than half", () => {
  const honest: Reply[] = [["a", 1, [1]], ["b", 1, [1.1]], ["c", 1, [1.2]]];
  const liars: Reply[] = [["x", 1000, [64]], ["y", 1000, [64]]];
  const [weight = NaN] = round(median(), [0], [...liars, ...honest]);
  assert.ok(weight >= 1 && weight <= 1.2);
});

Deno.test("median() of 101 clients and of 61 is the middle one too", () => {
  for (const clients of [101, 61, 60]) {
    const replies = Array.from({ length: clients }, (_, index): Reply => {
      const value = (index * 37) % clients;
      return [`client-${index}`, 1, [value / 8]];
    });
    assert.deepEqual(round(median(), [0], replies), [(clients - 1) / 16]);
  }
});

Deno.test("median() spans blocks of a long tensor", () => {
  const row = (by: number) => Array.from({ length: 2500 }, (_, index) => index / 64 + by);
  const replies: Reply[] = [["a", 1, row(1)], ["b", 1, row(-1)], ["c", 1, row(0)]];
  assert.deepEqual(round(median(), row(0), replies), row(0));
});

Deno.test("median() of zeros of both signs does not depend on the order of arrival", () => {
  const [a, b, c]: [Reply, Reply, Reply] = [["a", 1, [0]], ["b", 1, [-0]], ["c", 1, [-0]]];
  for (const replies of [[a, b, c], [b, a, c], [b, c, a]]) {
    assert.deepEqual(round(median(), [1], replies), [-0]);
  }
});
