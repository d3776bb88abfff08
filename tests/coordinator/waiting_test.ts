import assert from "node:assert/strict";
import { newRun, type Plan, type RunEvent, step } from "../../src/coordinator/round.ts";
import { waitingFor } from "../../src/coordinator/waiting.ts";

const plan: Plan = {
  rounds: 1,
  minClients: 2,
  clientsPerRound: { fraction: 1 },
  quorum: 1,
  convergedFraction: 1,
  seed: 1,
};

Deno.test("waitingFor() says in each phase what would move the run on", () => {
  let state = newRun(plan);
  const after = (event: RunEvent) => waitingFor(state = step(state, event).state);
  assert.equal(waitingFor(state), "2 clients; none is here");
  assert.equal(after({ kind: "joined", client: "a", samples: 1 }), "1 client more");
  assert.match(after({ kind: "joined", client: "b", samples: 1 }) ?? "", /2 of 2 clients/);
  assert.match(after({ kind: "answered", client: "a", taskId: 2 }) ?? "", /1 of 2 clients/);
  assert.equal(after({ kind: "left", client: "b" }), undefined); // the model is being made
  assert.equal(after({ kind: "closed", round: 1 }), "1 client to confirm the model");
  assert.equal(after({ kind: "left", client: "a" }), undefined);
});

Deno.test("waitingFor() says that nobody is left when every client is gone", () => {
  let state = newRun(plan);
  for (const client of ["a", "b"]) {
    state = step(state, { kind: "joined", client, samples: 1 }).state;
  }
  for (const client of ["a", "b"]) state = step(state, { kind: "left", client }).state;
  assert.equal(waitingFor(state), "2 clients; none is here");
});
