import { fedYogi } from "../../src/strategies/fedyogi.ts";
import { assertNear, round } from "./rounds.ts";

Deno.test("fedYogi() moves v towards the square from either side, by the square alone", () => {
  const strategy = fedYogi({ eta: 0.5, beta1: 0.5, beta2: 0.75, tau: 2 });
  // delta (4, 1); m (2, 0.5); v begins at 4: 4 + 0.25 x 16 = 8, 4 - 0.25 x 1 = 3.75
  const first = round(strategy, [1, 1], [["a", 1, [4, 1]], ["b", 1, [6, 3]]]);
  assertNear(first, [1 + 1 / (Math.sqrt(8) + 2), 1 + 0.25 / (Math.sqrt(3.75) + 2)]);
  // delta (0, 2); m (1, 1.25); v 8, 3.75 + 0.25 x 4 = 4.75
  const [x = NaN, y = NaN] = first;
  assertNear(round(strategy, first, [["a", 3, [x, y + 2]]]), [
    x + 0.5 / (Math.sqrt(8) + 2),
    y + 0.625 / (Math.sqrt(4.75) + 2),
  ]);
});
