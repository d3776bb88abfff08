import assert from "node:assert/strict";
import type { Decoder } from "./decoder.ts";
import { DECODERS } from "./decoders.ts";
import { fuzz, FuzzFailure } from "./fuzz.ts";

/** For each decoder; `deno task fuzz` tries a million. */
const INPUTS = 100_000;

for (const decoder of DECODERS) {
  Deno.test(`${decoder.name}: broken inputs get a verdict, in bounded memory`, async () => {
    const seed = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
    const { inputs, taken, refused } = await fuzz(decoder, { inputs: INPUTS, seed });
    assert.equal(inputs, INPUTS);
    // Inputs that are all good, or all noise, would try nothing.
    assert.ok(
      taken > INPUTS / 1000 && refused > INPUTS / 1000,
      `${taken} taken, ${refused} refused`,
    );
  });
}

const broken: Decoder = {
  name: "a decoder with mistakes",
  boundBytes: 1024,
  seeds: () => [Uint8Array.of(1, 2, 3)],
  decode: () => "taken",
};

Deno.test("fuzz() finds a decoder that throws, and says with which input", async () => {
  const decode: Decoder["decode"] = (bytes) => {
    if (bytes[1] === 0xff) throw new TypeError("not expected");
    return "taken";
  };
  const spec = { inputs: 10_000, seed: 1 };
  const failure = await fuzz({ ...broken, decode }, spec).catch((error) => error);
  assert.ok(failure instanceof FuzzFailure);
  assert.match(failure.message, /^a decoder with mistakes threw; seed 1, input \d+: ..ff/);
});

Deno.test("fuzz() finds a decoder that believes a length", async () => {
  const decode: Decoder["decode"] = ([length = 0]) => {
    new Uint8Array(100 * length);
    return "taken";
  };
  await assert.rejects(
    fuzz({ ...broken, decode }, { inputs: 10_000, seed: 1 }),
    /took \d+ bytes for \d+/,
  );
});
