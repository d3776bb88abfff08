import assert from "node:assert/strict";
import { implausible, overhead, rate, type RoundFigures } from "../../src/bench/figures.ts";

const flow = { bytes: 40e6, seconds: 0.5 };

function round(down: number, up: number): RoundFigures {
  return {
    wires: [{ wire: "mqtt", round: 2, down: flow, up: flow, wireBytes: { down, up } }],
    seconds: 1,
    serverCpuSeconds: 1,
    closeMs: 1,
    longestBlockMs: 1,
  };
}

Deno.test("rate is in 10^6 bytes a second", () => {
  assert.equal(rate({ bytes: 40e6, seconds: 0.5 }), 80);
});

Deno.test("rate is undefined where nothing could be timed", () => {
  assert.equal(rate({ bytes: 0, seconds: 0.5 }), undefined);
  assert.equal(rate({ bytes: 100, seconds: 0 }), undefined);
});

Deno.test("overhead is 1 where the wire adds nothing", () => {
  assert.equal(overhead(1000, 1000), 1);
  assert.equal(overhead(1100, 1000), 1.1);
});

Deno.test("implausible names each wire and way that carried less than the weights", () => {
  assert.deepEqual(implausible(round(1000, 1000), 1000), []);
  assert.deepEqual(implausible(round(999, 1000), 1000), [
    "mqtt counted 999 bytes down, fewer than the 1000 of the weights",
  ]);
  assert.equal(implausible(round(0, 0), 1000).length, 2);
});
