import assert from "node:assert/strict";
import { Rounds } from "../../../examples/browser/rounds.ts";

Deno.test("Rounds.learn() takes over what the server says of rounds this client knows, and of no other", () => {
  const rounds = new Rounds();
  rounds.get(2).update = "accepted";
  rounds.learn([
    { round: 1, clients: 2, accuracy: 0.5 },
    { round: 2, clients: 3, accuracy: 0.6, loss: 0.9 },
  ]);
  assert.deepEqual(rounds.all(), [{
    round: 2,
    update: "accepted",
    refused: false,
    own: {},
    everybody: { loss: 0.9, accuracy: 0.6 },
    clients: 3,
  }]);
});

Deno.test("Rounds.all() has the newest round first", () => {
  const rounds = new Rounds();
  for (const round of [2, 10, 1]) rounds.get(round);
  assert.deepEqual(rounds.all().map(({ round }) => round), [10, 2, 1]);
});
