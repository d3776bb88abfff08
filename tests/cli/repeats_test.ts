import assert from "node:assert/strict";
import { Repeats } from "../../src/cli/repeats.ts";

Deno.test("Repeats makes what was said last on a subject a matter of debugging", () => {
  const repeats = new Repeats();
  const levels = [
    repeats.level("a", "not there", "warning"),
    repeats.level("b", "not there", "warning"),
    repeats.level("a", "not there", "warning"),
    repeats.level("a", "no answer", "warning"),
    repeats.level("b", "not there", "info"),
  ];
  assert.deepEqual(levels, ["warning", "warning", "debug", "warning", "debug"]);
  repeats.clear();
  assert.equal(repeats.level("b", "not there", "info"), "info");
});
