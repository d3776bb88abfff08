import assert from "node:assert/strict";
import fc from "fast-check";
import { Newcomers } from "../../src/contract/newcomers.ts";
import { StandingTime } from "../support/standing_time.ts";

const MOST = 3;

function places() {
  const time = new StandingTime();
  const newcomers = new Newcomers({ maxConnections: MOST, proofTimeoutMs: 1000, time });
  const ended: number[] = [];
  const meet = (id: number) => {
    const newcomer = newcomers.meet(() => ended.push(id));
    newcomer.becomes({ wire: "small", id });
    return newcomer;
  };
  return {
    newcomers,
    time,
    ended,
    meet,
    prove: (id: number) => newcomers.prove({ wire: "small", id }),
  };
}

Deno.test("Newcomers ends the oldest unproven connection once there are more than places", () => {
  const { newcomers, ended, meet, prove } = places();
  using _ = newcomers;
  for (const id of [1, 2, 3]) meet(id);
  assert.ok(prove(1));
  meet(4);
  assert.deepEqual(ended, [2]);
  meet(5);
  assert.deepEqual(ended, [2, 3]);
});

Deno.test("Newcomers ends at its time who has proven nothing, and nobody else", () => {
  const { newcomers, time, ended, meet, prove } = places();
  using _ = newcomers;
  for (const id of [1, 2, 3]) meet(id);
  assert.ok(prove(2));
  time.pass(1000);
  assert.deepEqual(ended, [1, 3]);
});

Deno.test("Newcomers says no to one more proven connection than there are places, until one has left", () => {
  const { newcomers, meet, prove } = places();
  using _ = newcomers;
  const [first] = [1, 2, 3, 4].map((id) => {
    const newcomer = meet(id);
    if (id < 4) assert.ok(prove(id));
    return newcomer;
  });
  assert.equal(prove(4), false);
  first?.left();
  assert.ok(prove(4));
});

Deno.test("whoever comes and goes, none that is proven is ended, and the newest of all never", () => {
  const step = fc.record({
    kind: fc.constantFrom("meet", "prove", "leave", "wait"),
    which: fc.nat(20),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
    const { newcomers, time, ended, meet, prove } = places();
    using _ = newcomers;
    const here = new Map<number, ReturnType<typeof meet>>();
    const proven = new Set<number>();
    let newest = 0;
    for (const { kind, which } of steps) {
      const id = [...here.keys()][which % Math.max(1, here.size)];
      if (kind === "meet") {
        here.set(++newest, meet(newest));
        assert.ok(!ended.includes(newest));
      } else if (kind === "wait") time.pass(1000);
      else if (id !== undefined && kind === "prove") {
        const room = proven.size < MOST || proven.has(id);
        assert.equal(prove(id), room);
        if (room) proven.add(id);
      } else if (id !== undefined) {
        here.get(id)?.left();
        here.delete(id);
        proven.delete(id);
      }
      for (const each of ended) {
        assert.ok(!proven.has(each));
        here.delete(each);
      }
      // Beyond all places there is at most the newest one, which may prove itself next.
      assert.ok(here.size <= Math.max(MOST, proven.size + 1));
    }
  }));
});
