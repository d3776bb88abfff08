import assert from "node:assert/strict";
import { points } from "../../../examples/browser/chart.ts";

Deno.test("points() spreads rounds over the width and accuracies over the height", () => {
  assert.equal(points([0.5, 0.75, 1], 0.5), "0.00,100.00 50.00,50.00 100.00,0.00");
});

Deno.test("points() leaves out what is not known, and keeps the others where they belong", () => {
  assert.equal(points([undefined, 1, undefined], 0), "50.00,0.00");
  assert.equal(points([1], 0), "0.00,0.00");
  assert.equal(points([], 0), "");
});
