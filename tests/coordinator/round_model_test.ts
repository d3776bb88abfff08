/** The machine beside a reference that is simple enough to be seen to be right, and left to itself. */

import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Effect,
  newRun,
  type Plan,
  type RunEvent,
  type RunState,
  step,
} from "../../src/coordinator/round.ts";
import { type Draw, plans, sequences } from "./round_events.ts";
import { Reference } from "./round_reference.ts";

/** Timers that run and work that is under way, each with the event that it ends with. */
class Armed {
  #events: RunEvent[] = [];

  see(effects: readonly Effect[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case "begin":
        case "resume":
          this.#events = [{ kind: "deadline", round: effect.open.round }];
          break;
        case "startGrace":
          this.#events.push({ kind: "graceOver", round: effect.round });
          break;
        case "close":
          this.#events = [{ kind: "closed", round: effect.round }];
          break;
        case "finish":
          this.#events = [{ kind: "finished" }];
          break;
        case "abandon":
        case "end":
          this.#events = [];
          break;
        case "reassign":
          break;
        default:
          effect satisfies never;
      }
    }
  }

  /** What comes although no client does anything. */
  next(): RunEvent | undefined {
    return this.#events.shift();
  }
}

interface Run {
  readonly state: RunState;
  readonly armed: Armed;
}

/** Runs the machine beside its reference; they never differ. */
function follow(plan: Plan, sequence: readonly Draw[]): Run {
  const reference = new Reference(plan);
  const armed = new Armed();
  let state = newRun(plan);
  for (const draw of sequence) {
    const event = draw(state);
    const answered = answeredIn(state);
    const next = step(state, event);
    reference.see(event);
    const begun = next.effects.find((effect) => effect.kind === "begin");
    assert.equal(begun !== undefined, reference.phase === "gathering" && reference.ready);
    if (begun !== undefined) reference.begin(begun.open);
    armed.see(next.effects);
    if (next.state.closedRounds > state.closedRounds) {
      // Membership is exact: in the model is who answered, and nobody else.
      assert.deepEqual(reference.members.at(-1), answered);
    }
    state = next.state;
    assert.equal(state.phase, reference.phase);
    assert.equal(state.closedRounds, reference.closedRounds);
    if (state.open !== undefined) {
      assert.deepEqual(answeredIn(state), [...reference.counted].sort());
    }
    const present = [...state.members].filter(([, member]) => member.present);
    assert.deepEqual(new Set(present.map(([client]) => client)), reference.present);
  }
  return { state, armed };
}

function answeredIn({ open }: RunState): string[] {
  return [...open?.assignments ?? []].filter(([, each]) => each.state === "answered")
    .map(([client]) => client).sort();
}

Deno.test("step() does what the reference does, whatever happens: who is counted, and what follows", () => {
  fc.assert(fc.property(plans, sequences, (plan, sequence) => void follow(plan, sequence)), {
    numRuns: 1000,
  });
});

Deno.test("from every reachable state timers and the vault alone lead on: to the next round, more clients, or the end", () => {
  fc.assert(
    fc.property(plans, sequences, (plan, sequence) => {
      let { state } = follow(plan, sequence);
      const { armed } = follow(plan, sequence);
      for (let steps = 0; !waitsForClients(state) && state.phase !== "finished"; steps++) {
        const { closedRounds, attempts, phase } = state;
        const event = armed.next();
        assert.ok(event, `nothing is under way in ${state.phase}`);
        const next = step(state, event);
        armed.see(next.effects);
        state = next.state;
        if (event.kind === "graceOver" || event.kind === "deadline") {
          // Each moves the run on, or the other one is still to come.
          if (state.phase === phase && state.attempts === attempts) continue;
        }
        assert.notDeepEqual(
          [state.closedRounds, state.attempts, state.phase],
          [closedRounds, attempts, phase],
          `${event.kind} changes nothing`,
        );
        // Present and mute, clients are asked again at each deadline until they are silent.
        if (event.kind === "deadline" && state.attempts > attempts) state = without(state, armed);
        assert.ok(steps < 100);
      }
    }),
    { numRuns: 500 },
  );
});

/** More of them, or others, would have to come: what `status` shows as gathering. */
function waitsForClients({ phase }: RunState): boolean {
  return phase === "gathering";
}

/** Everybody falls silent. */
function without(state: RunState, armed: Armed): RunState {
  for (const client of state.members.keys()) {
    const next = step(state, { kind: "left", client });
    armed.see(next.effects);
    state = next.state;
  }
  return state;
}
