import assert from "node:assert/strict";
import { fedAvg } from "../../src/strategies/fedavg.ts";
import { round } from "./rounds.ts";

Deno.test("fedAvg() is the mean of three replies by their samples", () => {
  const replies = [["a", 1, [4, 0]], ["b", 2, [1, 3]], ["c", 5, [-2, 0.4]]] as const;
  assert.deepEqual(round(fedAvg(), [9, 9], replies), [-0.5, 1]);
});
