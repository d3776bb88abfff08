/** The machine under arbitrary events, beside a model of what is true of every run. */

import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type ClientId,
  type Effect,
  newRun,
  type Plan,
  type Remembered,
  resumedRun,
  type RunEvent,
  type RunState,
  step,
} from "../../src/coordinator/round.ts";
import { type Draw, plans, sequences } from "./round_events.ts";

/** What must be true of every run, kept beside it. */
class Witness {
  readonly #members = new Map<
    ClientId,
    { samples: number; converged: boolean; present: boolean }
  >();
  readonly #taskIds = new Set<number>();
  readonly #closes: number[] = [];
  #begun = 0;
  #graces = 0;
  #finishes = 0;
  #ends = 0;
  /** A `close` that the vault has not answered. */
  #closing: number | undefined;

  see(before: RunState, event: RunEvent, { state, effects }: ReturnType<typeof step>): void {
    this.#follow(before, event);
    if (this.#ends > 0) assert.deepEqual(effects, [], "an effect after the end");
    if (event.kind === "answered" && before.phase !== "training") assert.deepEqual(effects, []);
    for (const [client, { taskId, state: now }] of state.open?.assignments ?? []) {
      const was = before.open?.assignments.get(client);
      if (now !== "answered" || was?.state === "answered") continue;
      assert.deepEqual(event, { kind: "answered", client, taskId }, "answered by something else");
    }
    for (const effect of effects) this.#seeEffect(effect, state);
    this.#check(before, state);
  }

  #follow(before: RunState, event: RunEvent): void {
    if (event.kind === "joined") {
      const converged = this.#members.get(event.client)?.converged ?? false;
      this.#members.set(event.client, { samples: event.samples, converged, present: true });
    }
    if (event.kind === "closed" && event.round === before.closedRounds + 1) {
      this.#closing = undefined;
    }
    const member = "client" in event ? this.#members.get(event.client) : undefined;
    if (member !== undefined && event.kind === "left") {
      member.present = false;
      if (!member.converged) this.#members.delete(event.client);
    }
    if (member !== undefined && event.kind === "converged") member.converged = true;
  }

  #seeEffect(effect: Effect, { members }: RunState): void {
    switch (effect.kind) {
      case "begin":
        this.#begun++;
        this.#graces = 0;
        assert.ok(effect.open.assignments.size > 0);
        for (const [client, { taskId, samples, state }] of effect.open.assignments) {
          assert.ok(!this.#taskIds.has(taskId), "a task id is used again");
          assert.equal(taskId % 2, 0, "odd task ids are those of evaluations");
          this.#taskIds.add(taskId);
          const member = members.get(client);
          assert.ok(member?.present && !member.converged, "selected, and not there");
          assert.equal(samples, member.samples);
          assert.equal(state, "open");
        }
        break;
      case "close":
        assert.ok(!this.#closes.includes(effect.round), "a round closes again");
        this.#closes.push(effect.round);
        this.#closing = effect.round;
        break;
      case "startGrace":
        assert.equal(++this.#graces, 1);
        break;
      case "finish":
        assert.equal(++this.#finishes, 1);
        break;
      case "end":
        assert.equal(++this.#ends, 1);
        break;
      case "reassign": {
        const member = members.get(effect.client);
        assert.ok(member?.present && !member.converged, "reassigned, and not there");
        break;
      }
      case "resume":
      case "abandon":
        break;
      default:
        effect satisfies never;
    }
  }

  #check(before: RunState, state: RunState): void {
    assert.deepEqual(state.members, this.#members);
    assert.ok(state.closedRounds - before.closedRounds <= 1);
    assert.ok(state.closedRounds >= before.closedRounds);
    assert.equal(state.attempts, this.#begun);
    if (before.reason !== undefined) assert.equal(state.reason, before.reason);
    assert.equal(state.open !== undefined, state.phase === "training" || state.phase === "closing");
    assert.equal(this.#finishes, Number(state.phase === "finishing" || state.phase === "finished"));
    assert.equal(this.#ends, Number(state.phase === "finished"));
    if (state.phase === "finishing") assert.ok(state.reason);
    if (state.phase === "training") this.#checkTraining(state);
    if (state.phase === "closing") {
      assert.equal(this.#closing, state.closedRounds + 1, "nobody makes the model");
    }
    if (state.phase === "gathering") this.#checkGathering(state);
  }

  #checkTraining({ open, plan }: RunState): void {
    const all = [...open?.assignments.values() ?? []];
    assert.ok(all.some((each) => each.state === "open"), "nobody is waited for");
    const answered = all.filter((each) => each.state === "answered").length;
    const quorum = answered > 0 && answered >= Math.ceil(plan.quorum * all.length - 1e-9);
    assert.equal(open?.graceRuns, quorum, "the grace period runs if and only if there is a quorum");
  }

  #checkGathering({ members, plan }: RunState): void {
    const present = [...members.values()].filter((each) => each.present);
    const able = present.filter((each) => !each.converged);
    assert.ok(able.length === 0 || present.length < plan.minClients, "a round could begin");
    const known = [...members.values()].filter((each) => each.present || each.converged);
    const converged = known.filter((each) => each.converged).length;
    const enough = converged >= plan.convergedFraction * known.length - 1e-9;
    assert.ok(converged === 0 || !enough, "the run could finish");
  }
}

/** Every state that the events lead to, the first one first. */
function run(plan: Plan, sequence: readonly Draw[]): [RunState, ...RunState[]] {
  const witness = new Witness();
  let state = newRun(plan);
  const states: [RunState, ...RunState[]] = [state];
  for (const draw of sequence) {
    const event = draw(state);
    const copy = structuredClone(state);
    const next = step(state, event);
    assert.deepEqual(state, copy, "the state given was changed");
    assert.deepEqual(step(state, event), next, "the same state and event had another result");
    witness.see(state, event, next);
    state = next.state;
    states.push(state);
  }
  return states;
}

Deno.test("step() keeps every law of a run, whatever happens in whatever order", () => {
  fc.assert(fc.property(plans, sequences, (plan, sequence) => void run(plan, sequence)), {
    numRuns: 500,
  });
});

Deno.test("no state waits for ever: its deadline, the vault or the clients move it on", () => {
  fc.assert(
    fc.property(plans, sequences, (plan, sequence) => {
      let state = run(plan, sequence).at(-1) as RunState;
      for (let steps = 0; state.phase !== "finished"; steps++) {
        assert.ok(steps < 1000, `it stays in ${state.phase}`);
        state = step(state, whatMustCome(state, steps)).state;
      }
    }),
    { numRuns: 300 },
  );
});

/** What happens although nobody does more than its duty: timers fire, the vault answers. */
function whatMustCome(state: RunState, steps: number): RunEvent {
  switch (state.phase) {
    case "gathering":
      // New clients come; those who have converged are no more than they were.
      return { kind: "joined", client: `fresh-${steps}`, samples: 1 };
    case "training": {
      const open = [...state.open?.assignments ?? []].find(([, each]) => each.state === "open");
      assert.ok(open);
      return steps % 2 === 0
        ? { kind: "answered", client: open[0], taskId: open[1].taskId }
        : { kind: "deadline", round: state.closedRounds + 1 };
    }
    case "closing":
      return { kind: "closed", round: state.closedRounds + 1 };
    default:
      return { kind: "finished" };
  }
}

/** What a state directory holds of a run. */
function remembered({ closedRounds, nextTaskId, open, members }: RunState): Remembered {
  const assignments = [...open?.assignments ?? []];
  return {
    closedRounds,
    nextTaskId: nextTaskId - 1, // the ledger knows the largest id given out, plus one
    clients: [...members].map(([client, member]) => ({ client, ...member })),
    ending: undefined,
    open: open === undefined ? undefined : {
      assigned: assignments.map(([client, { taskId, samples }]) => ({ client, taskId, samples })),
      answered: assignments.filter(([, each]) => each.state === "answered").map(([id]) => id),
    },
  };
}

Deno.test("resumedRun() of what is remembered goes on with the same round and the same updates", () => {
  fc.assert(
    fc.property(plans, sequences, (plan, sequence) => {
      const state = run(plan, sequence).findLast((each) => each.phase === "training");
      if (state === undefined) return;
      const resumed = resumedRun(plan, remembered(state));
      assert.equal(resumed.effects[0]?.kind, "resume");
      const [before, after] = [state.open, resumed.state.open];
      assert.equal(after?.round, before?.round);
      assert.equal(resumed.state.closedRounds, state.closedRounds);
      assert.deepEqual(after?.assignments, before?.assignments);
      assert.deepEqual(resumed.state.members, state.members);
      // The answers that were missing close it, with the same updates as without interruption.
      let next = resumed.state;
      for (const [client, { taskId, state }] of before?.assignments ?? []) {
        if (state === "open") next = step(next, { kind: "answered", client, taskId }).state;
      }
      assert.equal(next.phase, "closing");
      const begun = step(step(next, { kind: "closed", round: state.closedRounds + 1 }).state, {
        kind: "joined",
        client: "late",
        samples: 1,
      }).state;
      for (const { taskId } of begun.open?.assignments.values() ?? []) {
        assert.ok(taskId >= state.nextTaskId, "a task id is used again");
      }
    }),
    { numRuns: 300 },
  );
});
