import assert from "node:assert/strict";
import {
  type ClientId,
  type Effect,
  newRun,
  type OpenRound,
  type Plan,
  type Remembered,
  resumedRun,
  type RunEvent,
  type RunState,
  step,
  type Stop,
} from "../../src/coordinator/round.ts";

const plan: Plan = {
  rounds: 3,
  minClients: 2,
  clientsPerRound: { fraction: 1 },
  quorum: 1,
  convergedFraction: 1,
  seed: 1,
};

/** Applies events one after another; gives back the last state and all effects. */
function apply(state: RunState, ...events: RunEvent[]): { state: RunState; effects: Effect[] } {
  const effects: Effect[] = [];
  for (const event of events) {
    const next = step(state, event);
    state = next.state;
    effects.push(...next.effects);
  }
  return { state, effects };
}

function joined(...clients: ClientId[]): RunEvent[] {
  return clients.map((client) => ({ kind: "joined", client, samples: 100 }));
}

function answer(state: RunState, client: ClientId): RunEvent {
  const taskId = state.open?.assignments.get(client)?.taskId;
  assert.ok(taskId !== undefined, `${client} has no task`);
  return { kind: "answered", client, taskId };
}

function kinds(effects: readonly Effect[]): string[] {
  return effects.map((effect) => effect.kind);
}

/** Trains until the round is closing. */
function closing(more: Partial<Plan> = {}): RunState {
  const { state } = apply(newRun({ ...plan, ...more }), ...joined("a", "b"));
  return apply(state, answer(state, "a"), answer(state, "b")).state;
}

/** The first attempt at the first round. */
function training(more: Partial<Plan> = {}, clients = ["a", "b"]): RunState {
  const { state } = apply(newRun({ ...plan, ...more }), ...joined(...clients));
  assert.equal(state.phase, "training");
  return state;
}

/** A client that had a session and was present. */
function here(client: ClientId): Remembered["clients"][number] {
  return { client, samples: 100, converged: false, present: true };
}

/** Of a run with two clients, between two rounds. */
function remembered(more: Partial<Remembered>): Remembered {
  const clients = [here("a"), here("b")];
  return {
    closedRounds: 0,
    nextTaskId: 9,
    clients,
    ending: undefined,
    open: undefined,
    ...more,
  };
}

function states(open: OpenRound | undefined): Record<ClientId, string> {
  return Object.fromEntries([...open?.assignments ?? []].map(([id, each]) => [id, each.state]));
}

Deno.test("a round begins as soon as enough clients are present, not before", () => {
  const one = apply(newRun(plan), ...joined("a"));
  assert.equal(one.state.phase, "gathering");
  assert.deepEqual(one.effects, []);
  const two = apply(one.state, ...joined("b"));
  assert.equal(two.state.phase, "training");
  assert.deepEqual(kinds(two.effects), ["begin"]);
  assert.deepEqual([...two.state.open?.assignments.keys() ?? []], ["a", "b"]);
});

Deno.test("a round closes when all have answered, and the next one begins with its model", () => {
  const state = training();
  const half = apply(state, answer(state, "a"));
  assert.deepEqual(half.effects, []);
  const all = apply(half.state, answer(state, "b"));
  assert.deepEqual(all.effects, [{ kind: "close", round: 1, cause: "complete" }]);
  const next = apply(all.state, { kind: "closed", round: 1 });
  assert.equal(next.state.closedRounds, 1);
  assert.deepEqual(kinds(next.effects), ["begin"]);
  assert.equal(next.state.open?.round, 2);
});

Deno.test("at quorum the grace period runs once, and closes the round when it is over", () => {
  const state = training({ quorum: 0.5 }, ["a", "b"]);
  const quorum = apply(state, answer(state, "a"));
  assert.deepEqual(quorum.effects, [{ kind: "startGrace", round: 1 }]);
  const over = apply(quorum.state, { kind: "graceOver", round: 1 });
  assert.deepEqual(over.effects, [{ kind: "close", round: 1, cause: "quorum" }]);
});

Deno.test("a quorum is a fraction of those selected, rounded up, whatever the float says", () => {
  const clients = Array.from({ length: 100 }, (_, index) => `client-${index}`);
  const { state } = apply(
    newRun({ ...plan, minClients: 100, quorum: 0.55 }),
    ...joined(...clients),
  );
  const answers = clients.map((client) => answer(state, client));
  const before = apply(state, ...answers.slice(0, 54));
  assert.deepEqual(before.effects, []);
  assert.deepEqual(kinds(apply(before.state, answers[54] as RunEvent).effects), ["startGrace"]);
});

Deno.test("at its deadline a round closes with what it has, or is begun again without anything", () => {
  const state = training();
  const some = apply(state, answer(state, "a"), { kind: "deadline", round: 1 });
  assert.deepEqual(some.effects, [{ kind: "close", round: 1, cause: "deadline" }]);
  const none = apply(state, { kind: "deadline", round: 1 });
  assert.deepEqual(kinds(none.effects), ["abandon", "begin"]);
  assert.equal(none.state.open?.round, 1);
  assert.ok([...none.state.open?.assignments.values() ?? []].every(({ taskId }) => taskId > 4));
});

Deno.test("the deadline or the grace period of another round changes nothing", () => {
  const state = training();
  const { state: answered } = apply(state, answer(state, "a"));
  for (const round of [0, 2]) {
    assert.equal(step(answered, { kind: "deadline", round }).state, answered);
    assert.equal(step(answered, { kind: "graceOver", round }).state, answered);
  }
});

Deno.test("who leaves is not waited for, and is told again when it comes back in time", () => {
  const state = training();
  const gone = apply(state, { kind: "left", client: "b" });
  assert.deepEqual(gone.effects, []);
  assert.deepEqual(states(gone.state.open), { a: "open", b: "lost" });
  const back = apply(gone.state, ...joined("b"));
  assert.deepEqual(back.effects, [{ kind: "reassign", client: "b", round: 1 }]);
  assert.deepEqual(states(back.state.open), { a: "open", b: "open" });
  const without = apply(gone.state, answer(state, "a"));
  assert.deepEqual(without.effects, [{ kind: "close", round: 1, cause: "complete" }]);
});

Deno.test("an update that was accepted counts although its client left", () => {
  const state = training();
  const { state: left } = apply(state, answer(state, "b"), { kind: "left", client: "b" });
  assert.deepEqual(states(left.open), { a: "open", b: "answered" });
});

Deno.test("a round that everybody has left is abandoned, and the run gathers again", () => {
  const gone = apply(training(), { kind: "left", client: "a" }, { kind: "left", client: "b" });
  assert.deepEqual(kinds(gone.effects), ["abandon"]);
  assert.equal(gone.state.phase, "gathering");
  assert.equal(gone.state.open, undefined);
});

Deno.test("a late joiner takes part from the next selection on", () => {
  const late = apply(training(), ...joined("c"));
  assert.deepEqual(late.effects, []);
  assert.deepEqual([...late.state.open?.assignments.keys() ?? []], ["a", "b"]);
  const { state } = apply(late.state, answer(late.state, "a"), answer(late.state, "b"), {
    kind: "closed",
    round: 1,
  });
  assert.deepEqual([...state.open?.assignments.keys() ?? []], ["a", "b", "c"]);
});

Deno.test("an answer to another task, of a stranger or repeated changes nothing", () => {
  const state = training();
  const { state: answered } = apply(state, answer(state, "a"));
  for (
    const event of [
      answer(state, "a"),
      { kind: "answered", client: "b", taskId: 1000 },
      { kind: "answered", client: "stranger", taskId: 2 },
    ] as RunEvent[]
  ) {
    assert.deepEqual(step(answered, event), { state: answered, effects: [] });
  }
});

Deno.test("answered after close has no effect, and after closed changes nothing", () => {
  const state = training({ quorum: 0.5 });
  const closing = apply(state, answer(state, "a"), { kind: "graceOver", round: 1 }).state;
  const late = step(closing, answer(state, "b"));
  assert.deepEqual(late.effects, []);
  assert.equal(late.state.phase, "closing");
  const { state: next } = apply(late.state, { kind: "closed", round: 1 });
  assert.equal(step(next, answer(state, "b")).state, next);
});

Deno.test("a closed round does not close again", () => {
  const { state } = apply(closing(), { kind: "closed", round: 1 });
  assert.equal(step(state, { kind: "closed", round: 1 }).state, state);
  const again = closing();
  assert.equal(step(again, { kind: "closed", round: 2 }).state, again);
  assert.equal(step(again, { kind: "deadline", round: 1 }).state, again);
});

Deno.test("the run finishes after its rounds, and ends once", () => {
  const { state, effects } = apply(closing({ rounds: 1 }), { kind: "closed", round: 1 });
  assert.equal(state.phase, "finishing");
  assert.deepEqual(effects, [
    { kind: "finish", reason: { code: "rounds", sentence: "1 rounds are done" } },
  ]);
  const end = apply(state, { kind: "finished" }, { kind: "finished" });
  assert.equal(end.state.phase, "finished");
  assert.deepEqual(kinds(end.effects), ["end"]);
});

const reason = { code: "target", sentence: "it is good enough" } as const;

Deno.test("stop finishes at once, but waits for a model that is being made", () => {
  const gathering = apply(newRun(plan), { kind: "stop", reason });
  assert.deepEqual(gathering.effects, [{ kind: "finish", reason }]);
  const interrupted = apply(training(), { kind: "stop", reason });
  assert.deepEqual(kinds(interrupted.effects), ["abandon", "finish"]);
  assert.equal(interrupted.state.open, undefined);
  const waiting = apply(closing(), { kind: "stop", reason });
  assert.deepEqual(waiting.effects, []);
  const made = apply(waiting.state, { kind: "closed", round: 1 });
  assert.deepEqual(made.effects, [{ kind: "finish", reason }]);
  assert.equal(made.state.closedRounds, 1);
});

Deno.test("who has converged stays, and is selected no more", () => {
  const state = training({ minClients: 3 }, ["a", "b", "c"]);
  const { state: one } = apply(state, { kind: "converged", client: "a" });
  assert.deepEqual(states(one.open), { a: "lost", b: "open", c: "open" });
  const next = apply(one, answer(one, "b"), answer(one, "c"), { kind: "closed", round: 1 });
  // Three are present still: that is enough for a round of two.
  assert.deepEqual([...next.state.open?.assignments.keys() ?? []], ["b", "c"]);
});

Deno.test("who has converged is not given its task again, whatever it says in another Hello", () => {
  const { state } = apply(training(), { kind: "converged", client: "a" });
  const again = apply(state, { kind: "joined", client: "a", samples: 7 });
  assert.deepEqual(again.effects, []);
  assert.deepEqual(states(again.state.open), { a: "lost", b: "open" });
});

Deno.test("the run finishes once enough of the clients have converged", () => {
  const state = training({ convergedFraction: 0.5, minClients: 3 }, ["a", "b", "c"]);
  const one = apply(state, { kind: "converged", client: "a" });
  assert.deepEqual(one.effects, []);
  const two = apply(one.state, { kind: "converged", client: "b" });
  assert.deepEqual(kinds(two.effects), ["abandon", "finish"]);
  assert.equal(two.state.reason?.sentence, "2 of 3 clients have converged");
});

Deno.test("the run does not wait for ever for somebody to train with those who have converged", () => {
  const { state } = apply(training(), { kind: "converged", client: "a" });
  const gone = apply(state, { kind: "left", client: "b" });
  assert.deepEqual(kinds(gone.effects), ["abandon", "finish"]);
  assert.equal(gone.state.reason?.sentence, "1 of 1 clients have converged");
});

Deno.test("a resumed round goes on with the same tasks, whoever answered before counts", () => {
  const state = training({ quorum: 0.5 }, ["a", "b"]);
  const assigned = [...state.open?.assignments ?? []].map(([client, { taskId, samples }]) => ({
    client,
    taskId,
    samples,
  }));
  const open = { assigned, answered: ["b"] };
  const resumed = resumedRun(state.plan, remembered({ nextTaskId: 5, open }));
  assert.deepEqual(kinds(resumed.effects), ["resume", "startGrace"]);
  assert.deepEqual(states(resumed.state.open), { a: "open", b: "answered" });
  assert.deepEqual(apply(resumed.state, answer(state, "a")).effects, [
    { kind: "close", round: 1, cause: "complete" },
  ]);
});

Deno.test("a resumed round in which all have answered closes", () => {
  const assigned = [{ client: "a", taskId: 8, samples: 10 }];
  const open = { assigned, answered: ["a"] };
  const { state, effects } = resumedRun(
    plan,
    remembered({ closedRounds: 1, nextTaskId: 9, open }),
  );
  assert.deepEqual(kinds(effects), ["resume", "close"]);
  assert.equal(state.phase, "closing");
  assert.equal(state.open?.round, 2);
});

Deno.test("a resumed round goes on without those who had left it, or had converged", () => {
  const assigned = ["a", "b", "c"].map((client, at) => ({
    client,
    taskId: 2 + 2 * at,
    samples: 9,
  }));
  const clients = [here("a"), { ...here("b"), present: false }, { ...here("c"), converged: true }];
  const resumed = resumedRun(plan, remembered({ clients, open: { assigned, answered: [] } }));
  assert.deepEqual(states(resumed.state.open), { a: "open", b: "lost", c: "lost" });
  assert.deepEqual([...resumed.state.members.keys()], ["a", "c"]);
});

Deno.test("a resumed run without an open round begins the next one with those who were there", () => {
  const { state, effects } = resumedRun(plan, remembered({ closedRounds: 1, nextTaskId: 7 }));
  assert.deepEqual(kinds(effects), ["begin"]);
  assert.equal(state.open?.round, 2);
  assert.deepEqual([...state.open?.assignments.keys() ?? []], ["a", "b"]);
});

Deno.test("a resumed run without an open round gathers, and uses no task id again", () => {
  const resumed = resumedRun(
    plan,
    remembered({ closedRounds: 1, nextTaskId: 7, clients: [here("a")] }),
  );
  assert.deepEqual(resumed.effects, []);
  assert.equal(resumed.state.phase, "gathering");
  const { state } = apply(resumed.state, ...joined("a", "b"));
  assert.deepEqual([...state.open?.assignments.values() ?? []].map((each) => each.taskId), [8, 10]);
});

Deno.test("a resumed run whose rounds are done waits for those who are to hear of the end", () => {
  const { state, effects } = resumedRun(plan, remembered({ closedRounds: 3, nextTaskId: 7 }));
  assert.deepEqual(kinds(effects), ["finish"]);
  assert.deepEqual([...state.members.keys()], ["a", "b"]);
  assert.ok([...state.members.values()].every((member) => member.present));
});

Deno.test("a resumed run that had an end ends for the same reason, whatever rounds are left", () => {
  const ending: Stop = { code: "target", sentence: "accuracy 0.9 reached the target 0.9" };
  const { state, effects } = resumedRun(plan, remembered({ closedRounds: 1, ending }));
  assert.deepEqual(effects, [{ kind: "finish", reason: ending }]);
  assert.equal(state.phase, "finishing");
});
