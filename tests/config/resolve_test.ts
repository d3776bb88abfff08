import assert from "node:assert/strict";
import * as z from "zod";
import { fieldsOf } from "../../src/config/fields.ts";
import { readFlags } from "../../src/config/flags.ts";
import { resolve } from "../../src/config/resolve.ts";

const pair = z.strictObject({ low: z.int().default(0), high: z.int().default(1) })
  .refine(({ low, high }) => low <= high, { error: "low is above high" });
const schema = z.strictObject({
  key: z.string().regex(/^k/).optional().meta({ secret: true, takes: "text that begins with k" }),
  even: z.int().refine((n) => n % 2 === 0, { error: "must be even" }).default(2),
  pair: pair.prefault({}),
});
const fields = fieldsOf(schema);

function sentenceOf(flags: Record<string, string>): string {
  let sentence = "";
  assert.throws(() => resolve(schema, fields, [readFlags(flags, fields)]), (error: Error) => {
    sentence = error.message;
    return error.name === "ConfigError";
  });
  return sentence;
}

Deno.test("resolve never shows a secret", () => {
  assert.equal(
    sentenceOf({ key: "swordfish" }),
    "--key is given, but must be text that begins with k",
  );
});

Deno.test("resolve passes on what a setting's own rule says", () => {
  assert.equal(sentenceOf({ even: "3" }), "--even is 3, but must be even");
});

Deno.test("resolve names the section whose settings do not fit together", () => {
  assert.equal(
    sentenceOf({ "pair-low": "5" }),
    "The settings of [pair] do not fit together: low is above high",
  );
});

Deno.test("readFlags refuses a flag that no setting has, as that is our own mistake", () => {
  assert.throws(() => readFlags({ nothing: "1" }, fields), {
    name: "RangeError",
    message: "Cannot read --nothing: no setting has this flag",
  });
});
