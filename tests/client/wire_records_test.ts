import assert from "node:assert/strict";
import fc from "fast-check";
import {
  costOf,
  FAILURE_SECONDS,
  learn,
  meanOf,
  type Observation,
  UNTRIED,
} from "../../src/client/wire_records.ts";

const seconds = fc.double(); // also NaN, infinities, negative ones
const bytes = fc.nat();
const observations: fc.Arbitrary<Observation> = fc.oneof(
  fc.record({ kind: fc.constant("connected" as const), seconds }),
  fc.record({ kind: fc.constantFrom("down" as const, "up" as const), bytes, seconds }),
  fc.record({ kind: fc.constantFrom("lost" as const, "unreachable" as const) }),
);

Deno.test("costs are finite and not negative, whatever was seen and whenever", () => {
  const seen = fc.array(fc.tuple(observations, fc.nat({ max: 10_000 })));
  fc.assert(fc.property(seen, bytes, (all, modelBytes) => {
    let turn = 0;
    let record = UNTRIED;
    for (const [observation, turns] of all) {
      turn += turns;
      record = learn(record, observation, turn);
      const cost = costOf(record, modelBytes, turn);
      assert.ok(cost === undefined || (Number.isFinite(cost) && cost >= 0), `${cost}`);
    }
    const transfer = all.some(([{ kind }]) => kind === "down" || kind === "up");
    assert.equal(costOf(record, modelBytes, turn) !== undefined, transfer);
  }));
});

Deno.test("a time that is not a number counts as the longest one", () => {
  const record = learn(UNTRIED, { kind: "down", bytes: 1, seconds: NaN }, 0);
  assert.deepEqual(record, learn(UNTRIED, { kind: "down", bytes: 1, seconds: Infinity }, 0));
});

Deno.test("a cost is the time to connect and to move the model down and up", () => {
  let record = learn(UNTRIED, { kind: "connected", seconds: 0.5 }, 0);
  record = learn(record, { kind: "down", bytes: 100, seconds: 1 }, 0);
  assert.equal(costOf(record, 200, 0), 0.5 + 2 + 2); // up is taken for as fast
  record = learn(record, { kind: "up", bytes: 200, seconds: 8 }, 0);
  assert.equal(costOf(record, 200, 0), 0.5 + 2 + 8);
});

Deno.test("a failure costs less with each round, and no more than three count", () => {
  let record = learn(UNTRIED, { kind: "up", bytes: 1, seconds: 1 }, 0);
  record = learn(record, { kind: "lost" }, 0);
  assert.equal(costOf(record, 1, 0), 2 + FAILURE_SECONDS);
  assert.equal(costOf(record, 1, 2), 2 + FAILURE_SECONDS / 4);
  for (let times = 0; times < 100; times++) record = learn(record, { kind: "unreachable" }, 2);
  assert.equal(costOf(record, 1, 2), 2 + 3 * FAILURE_SECONDS);
});

Deno.test("a mean follows what was seen of late, the more the longer ago the rest is", () => {
  const slow = learn(UNTRIED, { kind: "down", bytes: 1, seconds: 1000 }, 0);
  const soon = learn(slow, { kind: "down", bytes: 1, seconds: 1 }, 1);
  const late = learn(slow, { kind: "down", bytes: 1, seconds: 1 }, 10);
  assert.equal(meanOf(soon.down), (500 + 1) / 1.5);
  assert.ok((meanOf(late.down) ?? 0) < 2);
});
