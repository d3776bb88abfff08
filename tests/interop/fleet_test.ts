import assert from "node:assert/strict";
import { CLIENTS, ROUNDS, runFleet } from "./fleet.ts";

Deno.test("eleven clients, eight of them on others' software, train one model in one federation", async () => {
  const { members, outcome, accuracy, counted } = await runFleet(() => {});
  assert.equal(members.length, CLIENTS);
  for (const { id, sha256 } of members) assert.equal(sha256, outcome.sha256, id);
  assert.equal(outcome.confirmed.length, CLIENTS);
  assert.deepEqual(counted, Array(ROUNDS).fill(CLIENTS));
  assert.ok(accuracy > 0.9, `accuracy ${accuracy}`);
});
