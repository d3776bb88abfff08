import assert from "node:assert/strict";
import { nearest } from "../../src/config/nearest.ts";

Deno.test("nearest finds the word with one letter wrong, missing or too many", () => {
  for (const word of ["round", "roundss", "rounts", "Rounds"]) {
    assert.equal(nearest(word, ["quorum", "rounds", "seed"]), "rounds");
  }
});

Deno.test("nearest finds the word that was begun", () => {
  assert.equal(nearest("warn", ["debug", "info", "warning", "error"]), "warning");
});

Deno.test("nearest prefers the closer of two", () => {
  assert.equal(nearest("amq", ["mqtt", "amqp"]), "amqp");
});

Deno.test("nearest knows when nothing was meant", () => {
  assert.equal(nearest("xyzzy", ["quorum", "rounds"]), undefined);
  assert.equal(nearest("ab", ["cd"]), undefined);
});
