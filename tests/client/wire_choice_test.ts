import assert from "node:assert/strict";
import fc from "fast-check";
import { Random } from "../../src/client/random.ts";
import {
  breakOff,
  callOrder,
  type Choice,
  connected,
  decide,
  type Decision,
  FACTOR,
  lose,
  newChoice,
  notReached,
  observe,
  OVERDUE_RESTS,
} from "../../src/client/wire_choice.ts";
import { LONGEST_REST } from "../../src/client/wire_records.ts";

const BYTES = 1000;

function random(...seeds: readonly number[]): () => number {
  const source = Random.seeded(...seeds);
  return () => source.uniform();
}

/** What a wire is like in a round: seconds it costs, or that it is dead. */
type Weather = (wire: number, turn: number) => number | "dead";

interface Step {
  readonly before: Choice;
  readonly after: Choice;
  readonly decision: Decision;
}

/** A client's life of `rounds` rounds, as its wires have it. */
function live(count: number, rounds: number, { weather, dice }: {
  weather: Weather;
  dice: () => number;
}): Step[] {
  let state = connect(newChoice(count), 0, { weather, trial: false });
  const steps: Step[] = [];
  for (let round = 0; round < rounds; round++) {
    state = useFor(state, weather);
    const before = state;
    const { state: after, decision } = decide(state, { bytes: BYTES, random: dice() });
    steps.push({ before, after, decision });
    state = decision.to === after.current
      ? after
      : connect(after, decision.to, { weather, trial: decision.kind === "try" });
  }
  return steps;
}

/** One round over the wire in use; when that is dead, over the first that answers. */
function useFor(state: Choice, weather: Weather): Choice {
  const cost = weather(state.current, state.turn);
  if (cost !== "dead") {
    const half = { bytes: BYTES, seconds: cost / 2 };
    const down = observe(state, state.current, { kind: "down", ...half });
    return observe(down, state.current, { kind: "up", ...half });
  }
  let fallen = lose(state);
  for (const wire of callOrder(fallen, BYTES)) {
    if (weather(wire, state.turn) !== "dead") {
      return connected(fallen, wire, { seconds: 0, trial: false });
    }
    fallen = observe(fallen, wire, { kind: "unreachable" });
  }
  return fallen;
}

function connect(
  state: Choice,
  wire: number,
  { weather, trial }: { weather: Weather; trial: boolean },
): Choice {
  if (weather(wire, state.turn) === "dead") return notReached(state, wire);
  return connected(state, wire, { seconds: 0, trial });
}

const counts = fc.integer({ min: 2, max: 5 });
const seeds = fc.nat();

/** Each wire's cost of each round, by chance: from one `seed`, for ever the same. */
function changing(seed: number): Weather {
  return (wire, turn) => {
    const roll = random(seed, wire, Math.floor(turn / 3));
    return roll() < 0.2 ? "dead" : 0.001 * 10 ** (4 * roll());
  };
}

Deno.test("no wire that is known to be dead is chosen while another lives", () => {
  fc.assert(fc.property(counts, seeds, (count, seed) => {
    for (const { after, decision } of live(count, 100, dicedBy(seed))) {
      const dead = (wire: number) => after.records[wire]?.standing === "unreachable";
      // A trial is a call beside the connection in use, which stays where nobody answers.
      if (decision.kind === "move" || decision.kind === "return") {
        assert.ok(!dead(decision.to));
      }
      const order = callOrder(after, BYTES);
      const firstDead = order.findIndex(dead);
      assert.ok(firstDead < 0 || order.slice(firstDead).every(dead));
      assert.deepEqual(order.toSorted(), [...order.keys()]);
    }
  }));
});

function dicedBy(seed: number): { weather: Weather; dice: () => number } {
  return { weather: changing(seed), dice: random(seed) };
}

Deno.test("costs that differ by less than the factor move nobody", () => {
  const noise = fc.double({ min: 1, max: FACTOR - 0.01, noNaN: true });
  const base = fc.double({ min: 0.001, max: 1000, noNaN: true });
  fc.assert(fc.property(counts, seeds, base, noise, (count, seed, seconds, most) => {
    const roll = random(seed + 1);
    const weather = () => seconds * (1 + (most - 1) * roll());
    const steps = live(count, 150, { weather, dice: random(seed) });
    assert.ok(steps.every(({ after }) => after.home === 0));
    assert.ok(steps.some(({ decision }) => decision.kind === "try"));
  }));
});

Deno.test("a wire that was left is not gone back to because of noise", () => {
  const bases = fc.array(fc.double({ min: 0.01, max: 100, noNaN: true }), {
    minLength: 2,
    maxLength: 5,
  });
  fc.assert(fc.property(bases, seeds, (seconds, seed) => {
    const roll = random(seed + 1);
    const weather = (wire: number) => (seconds[wire] ?? 1) * (1 + 0.2 * roll());
    const homes = live(seconds.length, 150, { weather, dice: random(seed) })
      .map(({ after }) => after.home)
      .filter((home, index, all) => home !== all[index - 1]);
    assert.equal(new Set(homes).size, homes.length, homes.join(" "));
  }));
});

Deno.test("each wire is tried again within twice the longest rest, and two rounds for each other wire", () => {
  fc.assert(
    fc.property(counts, seeds, (count, seed) => {
      const longest = OVERDUE_RESTS * LONGEST_REST + 2 * count;
      const { weather } = dicedBy(seed);
      const steps = live(count, 3 * longest, { weather, dice: () => 1 - Number.EPSILON });
      for (const { after } of steps) {
        for (const { usedTurn } of after.records) {
          assert.ok(after.turn - usedTurn <= longest, `${after.turn - usedTurn} rounds`);
        }
      }
    }),
    { numRuns: 50 },
  );
});

Deno.test("a trial lasts for one round", () => {
  fc.assert(fc.property(counts, seeds, (count, seed) => {
    for (const { before, decision } of live(count, 100, dicedBy(seed))) {
      const onTrial = before.current !== before.home;
      assert.equal(onTrial, decision.kind === "keep" || decision.kind === "return");
    }
  }));
});

Deno.test("the same seed makes the same choices", () => {
  fc.assert(fc.property(counts, seeds, (count, seed) => {
    const choices = () => live(count, 60, dicedBy(seed)).map(({ decision }) => decision);
    assert.deepEqual(choices(), choices());
  }));
});

Deno.test("a wire that becomes slow is left at once for one that is known, and taken again when it recovers", () => {
  const weather: Weather = (wire, turn) => wire === 1 ? 1 : turn >= 10 && turn < 30 ? 20 : 0.05;
  const steps = live(2, 110, { weather, dice: random(1) });
  const homes = steps.map(({ after }) => after.home);
  assert.equal(homes[9], 0);
  assert.equal(steps.find(({ decision }) => decision.kind === "move")?.after.turn, 11);
  const away = steps.findIndex(({ decision }) => decision.kind === "keep");
  assert.ok(away > 30 && away <= 30 + OVERDUE_RESTS * LONGEST_REST);
  assert.equal(homes.at(-1), 0);
});

Deno.test("with nothing known wires are called in the order given, and one that was lost after the others", () => {
  const fresh = newChoice(3);
  assert.deepEqual(callOrder(fresh, BYTES), [0, 1, 2]);
  const lost = lose(connected(fresh, 0, { seconds: 1, trial: false }));
  assert.deepEqual(callOrder(lost, BYTES), [1, 2, 0]);
  const gone = observe(lost, 1, { kind: "unreachable" });
  assert.deepEqual(callOrder(gone, BYTES), [2, 0, 1]);
});

Deno.test("a trial that is lost or broken off leads back, and is the rarer after it", () => {
  const home = connected(newChoice(2), 0, { seconds: 1, trial: false });
  const trial = connected(home, 1, { seconds: 1, trial: true });
  const lost = lose(trial);
  assert.deepEqual(callOrder(lost, BYTES), [0, 1]);
  assert.equal(lost.records[1]?.restTurns, 4);
  const { state, decision } = breakOff(trial);
  assert.deepEqual([decision.kind, decision.to], ["return", 0]);
  assert.equal(state.records[1]?.restTurns, 4);
});

Deno.test("a trial from which nothing leads back is no trial any more", () => {
  const home = connected(newChoice(2), 0, { seconds: 1, trial: false });
  const stuck = notReached(connected(home, 1, { seconds: 1, trial: true }), 0);
  assert.deepEqual([stuck.current, stuck.home], [1, 1]);
  assert.deepEqual(callOrder(stuck, BYTES), [1, 0]);
});

Deno.test("one wire alone is stayed on", () => {
  const steps = live(1, 100, { weather: () => 5, dice: () => 0 });
  assert.ok(steps.every(({ decision }) => decision.kind === "stay"));
});
