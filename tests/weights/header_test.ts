import assert from "node:assert/strict";
import fc from "fast-check";
import { parseHeader } from "../../src/weights/header.ts";

const info = '{"dtype":"F32","shape":[2],"data_offsets":[0,8]}';

/** Asserts that the header is refused with a sentence that holds `words`. */
function assertRefused(text: string, words: string): void {
  const result = parseHeader(text);
  assert.equal(typeof result, "string", `accepted ${text}`);
  assert.ok(`${result}`.includes(words), `${result}`);
}

Deno.test("parseHeader() reads tensors in the order of the text", () => {
  assert.deepEqual(parseHeader(`{"b":${info},"a":${info}}`), [
    { name: "b", dtype: "F32", shape: [2], begin: 0, end: 8 },
    { name: "a", dtype: "F32", shape: [2], begin: 0, end: 8 },
  ]);
});

Deno.test("parseHeader() takes white space wherever JSON does, and the fields in any order", () => {
  const text =
    ' {\n\t"a" : { "data_offsets" : [ 0 , 8 ] ,\r\n"shape" : [ ] , "dtype" : "F64" } }   ';
  assert.deepEqual(parseHeader(text), [{ name: "a", dtype: "F64", shape: [], begin: 0, end: 8 }]);
});

Deno.test("parseHeader() reads escaped names", () => {
  const [entry] = parseHeader(`{"a\\u0062\\"\\\\\\n😀\\ud83d\\ude00":${info}}`);
  assert.equal(typeof entry === "object" && entry.name, 'ab"\\\n😀😀');
});

Deno.test("parseHeader() takes a name that objects have already", () => {
  assert.equal(parseHeader(`{"__proto__":${info},"toString":${info}}`).length, 2);
});

Deno.test("parseHeader() skips metadata of text to text", () => {
  assert.deepEqual(parseHeader('{"__metadata__":{"format":"pt","x":""}}'), []);
});

Deno.test("parseHeader() refuses equal names, however they are written", () => {
  assertRefused(`{"a":${info},"a":${info}}`, 'the key "a" appears twice');
  assertRefused(`{"a":${info},"\\u0061":${info}}`, 'the key "a" appears twice');
});

Deno.test("parseHeader() refuses equal fields", () => {
  assertRefused('{"a":{"dtype":"F32","dtype":"F32"}}', "appears twice");
});

Deno.test("parseHeader() refuses metadata that is not text", () => {
  assertRefused('{"__metadata__":{"epochs":3}}', 'expected "');
  assertRefused('{"__metadata__":"x"}', "expected {");
});

Deno.test("parseHeader() refuses missing and unknown fields", () => {
  assertRefused('{"a":{"dtype":"F32","shape":[2]}}', "needs dtype, shape and data_offsets");
  assertRefused('{"a":{"shape":[2],"data_offsets":[0,8]}}', "needs dtype");
  assertRefused('{"a":{"dtype":"F32","data_offsets":[0,8]}}', "needs dtype");
  assertRefused(`{"a":${info.replace("}", ',"strides":[1]}')}}`, 'unknown field "strides"');
});

Deno.test("parseHeader() refuses a dtype it does not know, names of object members among them", () => {
  for (const dtype of ["F8_E4M3", "f32", "toString", "__proto__", ""]) {
    assertRefused(`{"a":${info.replace("F32", dtype)}}`, `dtype ${JSON.stringify(dtype)}`);
  }
});

Deno.test("parseHeader() refuses numbers that are no plain non-negative integers", () => {
  for (const number of ["-1", "1.5", "1e3", "01", "+1", "", "null", '"1"', "9007199254740992"]) {
    const text = `{"a":${info.replace("[2]", `[${number},1]`)}}`;
    assert.equal(typeof parseHeader(text), "string", number);
  }
});

Deno.test("parseHeader() refuses offsets that are no begin and end", () => {
  assertRefused(`{"a":${info.replace("[0,8]", "[0]")}}`, "a begin and an end");
  assertRefused(`{"a":${info.replace("[0,8]", "[8,0]")}}`, "a begin and an end");
  assertRefused(`{"a":${info.replace("[0,8]", "[0,8,9]")}}`, "more than 2 numbers");
});

Deno.test("parseHeader() refuses more than 64 dimensions", () => {
  const shape = (rank: number) => `[${Array(rank).fill(1)}]`;
  assert.equal(typeof parseHeader(`{"a":${info.replace("[2]", shape(64))}}`), "object");
  assertRefused(`{"a":${info.replace("[2]", shape(65))}}`, "more than 64 numbers");
});

Deno.test("parseHeader() refuses text before or after the object, and half an object", () => {
  for (
    const text of ["", "{", "[]", "{}x", "{},", '{"a"', '{"a":', `{"a":${info},}`, '{"a', "{,}"]
  ) {
    assert.equal(typeof parseHeader(text), "string", text);
  }
});

Deno.test("parseHeader() refuses what JSON strings cannot hold", () => {
  for (const name of ["\n", "\u0000", "\\x", "\\u12", "\\ud800"]) {
    assert.equal(typeof parseHeader(`{"${name}":${info}}`), "string", JSON.stringify(name));
  }
});

Deno.test("parseHeader() accepts no text that JSON.parse refuses", () => {
  const pieces = fc.constantFrom(
    ...'{}[],:" \\01',
    '"a"',
    '"dtype"',
    '"shape"',
    '"data_offsets"',
    '"F32"',
    info,
    `{"a":${info}`,
    "\\u0061",
  );
  fc.assert(fc.property(fc.array(pieces).map((list) => list.join("")), (text) => {
    if (typeof parseHeader(text) === "object") JSON.parse(text);
  }));
});

Deno.test("parseHeader() is not made slow or deep by nesting", () => {
  assert.equal(typeof parseHeader(`{"a":${"[".repeat(1_000_000)}`), "string");
  assert.equal(typeof parseHeader('{"a":'.repeat(1_000_000)), "string");
});
