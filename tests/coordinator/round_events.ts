/** Arbitrary runs: plans, and events that mostly fit where a run is and sometimes do not. */

import fc from "fast-check";
import type { Plan, RunEvent, RunState } from "../../src/coordinator/round.ts";

const CLIENTS = ["a", "b", "c", "d", "e"];

export const plans: fc.Arbitrary<Plan> = fc.record({
  rounds: fc.integer({ min: 1, max: 4 }),
  minClients: fc.integer({ min: 1, max: 5 }),
  clientsPerRound: fc.oneof(
    fc.integer({ min: 1, max: 6 }).map((number) => ({ number })),
    fc.constantFrom(0.2, 0.5, 0.75, 1).map((fraction) => ({ fraction })),
  ),
  quorum: fc.constantFrom(0.2, 0.5, 1),
  convergedFraction: fc.constantFrom(0.4, 0.6, 1),
  seed: fc.nat(),
}, { noNullPrototype: true });

const client = fc.constantFrom(...CLIENTS);
/** Rounds and tasks are relative to where the run is, so that they often fit and often do not. */
const ahead = fc.constantFrom(0, 0, 0, 0, 1, -1);

/** What happens next, seen from where the run is. */
export type Draw = (state: RunState) => RunEvent;

const draws: fc.Arbitrary<Draw> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ client, samples: fc.integer({ min: 1, max: 100 }) })
      .map((event): Draw => () => ({ kind: "joined", ...event })),
  },
  { weight: 2, arbitrary: client.map((client): Draw => () => ({ kind: "left", client })) },
  { weight: 1, arbitrary: client.map((client): Draw => () => ({ kind: "converged", client })) },
  {
    weight: 8,
    arbitrary: fc.tuple(client, ahead).map(([client, by]): Draw => ({ open }) => ({
      kind: "answered",
      client,
      taskId: (open?.assignments.get(client)?.taskId ?? 2) + by,
    })),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constantFrom("graceOver", "deadline"), ahead)
      .map(([kind, by]): Draw => ({ closedRounds }) => ({ kind, round: closedRounds + 1 + by })),
  },
  {
    weight: 4,
    arbitrary: ahead.map((by): Draw => ({ closedRounds }) => ({
      kind: "closed",
      round: closedRounds + 1 + by,
    })),
  },
  {
    weight: 1,
    arbitrary: fc.nat().map((rounds): Draw => () => ({
      kind: "stop",
      reason: { code: "plateau", sentence: `no better for ${rounds} rounds` },
    })),
  },
  { weight: 1, arbitrary: fc.constant<Draw>(() => ({ kind: "finished" })) },
);

export const sequences = fc.array(draws, { maxLength: 120, size: "max" });
