import { fedAdam } from "../../src/strategies/fedadam.ts";
import { assertNear, round } from "./rounds.ts";

Deno.test("fedAdam() follows algorithm 2 over two rounds", () => {
  const strategy = fedAdam({ eta: 0.5, beta1: 0.5, beta2: 0.75, tau: 2 });
  // delta (4, 0); m (2, 0); v 0.75 x 4 + 0.25 x 16 = 7, 3
  const first = round(strategy, [1, 1], [["a", 1, [4, 1]], ["b", 1, [6, 1]]]);
  assertNear(first, [1 + (0.5 * 2) / (Math.sqrt(7) + 2), 1]);
  // delta (-1, 2); m (1 - 0.5, 1); v 0.75 x 7 + 0.25 = 5.5, 0.75 x 3 + 0.25 x 4 = 3.25
  const [x = NaN, y = NaN] = first;
  assertNear(round(strategy, first, [["a", 3, [x - 1, y + 2]]]), [
    x + (0.5 * 0.5) / (Math.sqrt(5.5) + 2),
    y + (0.5 * 1) / (Math.sqrt(3.25) + 2),
  ]);
});
