import { fedAdagrad } from "../../src/strategies/fedadagrad.ts";
import { assertNear, round } from "./rounds.ts";

Deno.test("fedAdagrad() adds up the squares of all rounds", () => {
  const strategy = fedAdagrad({ eta: 0.5, tau: 2 });
  // delta 4, v 4 + 16
  const first = round(strategy, [1], [["a", 1, [3]], ["b", 3, [17 / 3]]]);
  assertNear(first, [1 + (0.5 * 4) / (Math.sqrt(20) + 2)]);
  // delta -1, v 21
  const [x = NaN] = first;
  assertNear(round(strategy, first, [["a", 1, [x - 1]]]), [x - 0.5 / (Math.sqrt(21) + 2)]);
});
