import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeSafetensors, encodeSafetensors } from "../../src/weights/safetensors.ts";
import { isRejection, type NamedTensors } from "../../src/weights/tensors.ts";
import { arbitraryTensors, bytesOf, floats, named, plain } from "./sample_tensors.ts";

/**
 * Written by the Python package safetensors 0.8.0 from numpy arrays, with a metadata entry. It
 * sorts by dtype, so that some tensors lie unaligned.
 */
const RECORDED = "8801000000000000" +
  "7b225f5f6d657461646174615f5f223a7b22666f726d6174223a226e70227d2c227374657073223a7b226474797065" +
  "223a22493634222c227368617065223a5b5d2c22646174615f6f666673657473223a5b302c385d7d2c2264656e7365" +
  "2f6b65726e656c223a7b226474797065223a22463332222c227368617065223a5b312c335d2c22646174615f6f6666" +
  "73657473223a5b382c32305d7d2c226e6f6e65223a7b226474797065223a22463332222c227368617065223a5b302c" +
  "345d2c22646174615f6f666673657473223a5b32302c32305d7d2c2268616c66223a7b226474797065223a22463136" +
  "222c227368617065223a5b335d2c22646174615f6f666673657473223a5b32302c32365d7d2c22c3a9223a7b226474" +
  "797065223a225538222c227368617065223a5b325d2c22646174615f6f666673657473223a5b32362c32385d7d2c22" +
  "6d61736b223a7b226474797065223a22424f4f4c222c227368617065223a5b335d2c22646174615f6f666673657473" +
  "223a5b32382c33315d7d7d2020202020" +
  "01000000000100000000c03f000000c000005040003cff7b0100ff01010001";

const RECORDED_TENSORS = named(
  bytesOf("steps", "I64", [1, 0, 0, 0, 0, 1, 0, 0], []),
  floats("dense/kernel", [1.5, -2, 3.25], { shape: [1, 3] }),
  floats("none", [], { shape: [0, 4] }),
  floats("half", [1, 65504, 2 ** -24], { dtype: "F16" }),
  bytesOf("é", "U8", [255, 1]),
  bytesOf("mask", "BOOL", [1, 0, 1]),
);

function decoded(bytes: Uint8Array): NamedTensors {
  const tensors = decodeSafetensors(bytes);
  if (isRejection(tensors)) assert.fail(tensors.detail);
  return tensors;
}

/** A file with this header, as it is, and so many bytes of data. */
function file(header: string | Uint8Array, dataBytes: number): Uint8Array {
  const text = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

function assertMalformed(bytes: Uint8Array, words: string): void {
  const result = decodeSafetensors(bytes);
  assert.ok(isRejection(result), "accepted");
  assert.equal(result.reason, "malformed");
  assert.ok(result.detail.includes(words), result.detail);
}

Deno.test("decodeSafetensors() reads a file that the Python package wrote", () => {
  assert.deepEqual(plain(decoded(Uint8Array.fromHex(RECORDED))), plain(RECORDED_TENSORS));
});

Deno.test("encodeSafetensors() writes the file that the Python package wrote, to the byte", () => {
  assert.equal(encodeSafetensors(RECORDED_TENSORS, { format: "np" }).toHex(), RECORDED);
});

Deno.test("encodeSafetensors() of no tensors is an empty object, padded", () => {
  const bytes = encodeSafetensors(new Map());
  assert.equal(bytes.toHex(), "08000000000000007b7d202020202020");
  assert.equal(decoded(bytes).size, 0);
});

Deno.test("decodeSafetensors() gives back what was encoded, bit for bit and in order", () => {
  fc.assert(fc.property(arbitraryTensors(), (tensors) => {
    assert.deepEqual(plain(decoded(encodeSafetensors(tensors))), plain(tensors));
  }));
});

Deno.test("encodeSafetensors() begins its data at a multiple of 8", () => {
  fc.assert(fc.property(arbitraryTensors(), (tensors) => {
    const bytes = encodeSafetensors(tensors);
    assert.equal(new DataView(bytes.buffer).getBigUint64(0, true) % 8n, 0n);
  }));
});

Deno.test("decodeSafetensors() gives views of the bytes, wherever those lie in a buffer", () => {
  const room = new Uint8Array(1000);
  const bytes = encodeSafetensors(RECORDED_TENSORS);
  room.set(bytes, 3);
  const tensors = decoded(room.subarray(3, 3 + bytes.length));
  assert.deepEqual(plain(tensors), plain(RECORDED_TENSORS));
  for (const tensor of tensors.values()) assert.equal(tensor.bytes.buffer, room.buffer);
});

Deno.test("decodeSafetensors() reads shared memory", () => {
  const bytes = encodeSafetensors(RECORDED_TENSORS);
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  assert.deepEqual(plain(decoded(shared)), plain(RECORDED_TENSORS));
});

Deno.test("decodeSafetensors() takes tensors in another order than their data", () => {
  const header = '{"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]},' +
    '"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}';
  assert.deepEqual([...decoded(file(header, 2)).keys()], ["b", "a"]);
});

Deno.test("decodeSafetensors() takes an empty tensor between two others, listed after them", () => {
  const header = '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},' +
    '"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]},' +
    '"c":{"dtype":"F64","shape":[0],"data_offsets":[1,1]}}';
  assert.equal(decoded(file(header, 2)).get("c")?.bytes.length, 0);
});

Deno.test("decodeSafetensors() never throws, whatever the bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
    decodeSafetensors(bytes);
  }));
});

Deno.test("decodeSafetensors() never throws on a file with some bytes changed or the end cut off", () => {
  const whole = encodeSafetensors(RECORDED_TENSORS, { format: "np" });
  const change = fc.record({ at: fc.nat({ max: whole.length - 1 }), to: fc.nat({ max: 255 }) });
  fc.assert(fc.property(
    fc.array(change, { maxLength: 4 }),
    fc.nat({ max: whole.length }),
    (changes, length) => {
      const bytes = whole.slice();
      for (const { at, to } of changes) bytes[at] = to;
      decodeSafetensors(bytes);
      const short = decodeSafetensors(bytes.subarray(0, length));
      if (changes.length === 0) assert.equal(isRejection(short), length < whole.length);
    },
  ));
});

Deno.test("decodeSafetensors() refuses fewer bytes than the header's length takes", () => {
  assertMalformed(new Uint8Array(), "0 bytes are too few");
  assertMalformed(new Uint8Array(7), "7 bytes are too few");
});

Deno.test("decodeSafetensors() refuses a header longer than the file", () => {
  const bytes = file("{}", 0);
  bytes[0] = 3;
  assertMalformed(bytes, "a header of 3 bytes");
});

Deno.test("decodeSafetensors() refuses a header length of 2^64 - 1", () => {
  const bytes = file("{}", 0);
  bytes.fill(0xff, 0, 8);
  assertMalformed(bytes, "a header of 18446744073709551615 bytes");
});

Deno.test("decodeSafetensors() refuses a header above 100 MB before it reads it", () => {
  const bytes = new Uint8Array(8 + 100_000_001);
  new DataView(bytes.buffer).setBigUint64(0, 100_000_001n, true);
  assertMalformed(bytes, "a header of 100000001 bytes");
});

Deno.test("decodeSafetensors() refuses an empty header", () => {
  assertMalformed(file("", 4), "does not begin with {");
});

Deno.test("decodeSafetensors() refuses white space or a byte order mark before the header", () => {
  assertMalformed(file(" {}", 0), "does not begin with {");
  assertMalformed(file("\ufeff{}", 0), "does not begin with {");
});

Deno.test("decodeSafetensors() refuses a header that is not UTF-8", () => {
  assertMalformed(file(Uint8Array.of(0x7b, 0xff, 0x7d), 0), "not UTF-8");
});

Deno.test("decodeSafetensors() refuses a header that is not the format's JSON", () => {
  assertMalformed(file('{"a":1}', 0), "header: expected {");
});

Deno.test("decodeSafetensors() refuses a tensor whose bytes are not its shape's", () => {
  for (const shape of ["[1]", "[3]", "[2,2]", "[0]", "[]"]) {
    const header = `{"a":{"dtype":"F32","shape":${shape},"data_offsets":[0,8]}}`;
    assertMalformed(file(header, 8), "cannot have 8 bytes");
  }
});

Deno.test("decodeSafetensors() refuses a shape whose product overflows to the right length", () => {
  // 2^32 x 2^32 is 0 modulo 2^64, and 2^62 x 4 bytes too.
  for (const shape of ["[4294967296,4294967296]", "[4611686018427387904]"]) {
    const header = `{"a":{"dtype":"F32","shape":${shape},"data_offsets":[0,0]}}`;
    assert.ok(isRejection(decodeSafetensors(file(header, 0))));
  }
});

Deno.test("decodeSafetensors() refuses a hole between tensors, and one before the first", () => {
  const header = '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},' +
    '"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}';
  assertMalformed(file(header, 3), "bytes 1 to 2 of the data belong to no tensor");
  const late = '{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}';
  assertMalformed(file(late, 2), "bytes 0 to 1 of the data belong to no tensor");
});

Deno.test("decodeSafetensors() refuses tensors that overlap or share their bytes", () => {
  const header = '{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},' +
    '"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}';
  assertMalformed(file(header, 3), '"b" overlaps another tensor at 1');
  const same = '{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},' +
    '"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}';
  assertMalformed(file(same, 2), "overlaps another tensor at 0");
});

Deno.test("decodeSafetensors() refuses data behind the last tensor, and too little of it", () => {
  const header = '{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}';
  assertMalformed(file(header, 3), "the tensors take 2 bytes, the data has 3");
  assertMalformed(file(header, 1), "the tensors take 2 bytes, the data has 1");
  assertMalformed(file("{}", 1), "the tensors take 0 bytes, the data has 1");
});

Deno.test("decodeSafetensors() refuses a name that appears twice", () => {
  const info = '{"dtype":"U8","shape":[0],"data_offsets":[0,0]}';
  assertMalformed(file(`{"a":${info},"a":${info}}`, 0), 'the key "a" appears twice');
});

Deno.test("encodeSafetensors() refuses a tensor under another name, or one that cannot be written", () => {
  const tensor = floats("a", [1]);
  assert.throws(() => encodeSafetensors(new Map([["b", tensor]])), TypeError);
  for (const name of ["__metadata__", "\ud800"]) {
    assert.throws(() => encodeSafetensors(named({ ...tensor, name })), TypeError);
  }
  assert.throws(() => encodeSafetensors(new Map(), { note: "\udc00" }), TypeError);
});

Deno.test("encodeSafetensors() refuses bytes that do not fill the shape", () => {
  assert.throws(() => encodeSafetensors(named(floats("a", [1], { shape: [2] }))), RangeError);
});
