import assert from "node:assert/strict";
import fc from "fast-check";
import { DatasetError } from "../../../src/client/datasets/dataset.ts";
import { decodeIdx, isIdx } from "../../../src/client/datasets/idx.ts";
import { idx } from "./files.ts";

Deno.test("decodeIdx() reads unsigned bytes and their shape", () => {
  const values = Uint8Array.of(0, 1, 2, 253, 254, 255);
  assert.deepEqual(decodeIdx(idx([3, 1, 2], values), "a.idx"), { values, shape: [3, 1, 2] });
});

for (
  const [type, bytes, values] of [
    [0x09, [0xff, 0x7f], Int8Array.of(-1, 127)],
    [0x0b, [0xff, 0xfe, 0x01, 0x00], Int16Array.of(-2, 256)],
    [0x0c, [0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x01, 0x00], Int32Array.of(-1, 256)],
    [0x0d, [0x3f, 0xc0, 0x00, 0x00, 0xbf, 0x80, 0x00, 0x00], Float32Array.of(1.5, -1)],
    [
      0x0e,
      [0x3f, 0xf8, 0, 0, 0, 0, 0, 0, 0xbf, 0xf0, 0, 0, 0, 0, 0, 0],
      Float64Array.of(1.5, -1),
    ],
  ] as const
) {
  Deno.test(`decodeIdx() reads big-endian values of type 0x${type.toString(16)}`, () => {
    const file = idx([2], Uint8Array.from(bytes), type);
    assert.deepEqual(decodeIdx(file, "a.idx"), { values, shape: [2] });
  });
}

const whole = idx([2, 3], new Uint8Array(6));

for (
  const [what, bytes, message] of [
    ["no IDX file", new TextEncoder().encode("x,y\n1,2\n"), /a\.idx is not an IDX file/],
    ["an empty file", new Uint8Array(), /not an IDX file/],
    ["a header cut off", whole.subarray(0, 9), /ends within its header/],
    ["no dimensions", Uint8Array.of(0, 0, 8, 0), /ends within its header/],
    ["values cut off", whole.subarray(0, 17), /17 bytes long but its header \(2 x 3\) needs 18/],
    ["bytes too many", new Uint8Array([...whole, 0]), /19 bytes long/],
    ["a type that does not exist", idx([1], new Uint8Array(1), 0x0a), /type 0xa does not exist/],
  ] as const
) {
  Deno.test(`decodeIdx() refuses ${what}`, () => {
    assert.throws(() => decodeIdx(bytes, "a.idx"), { name: "DatasetError", message });
  });
}

Deno.test("decodeIdx() reads any bytes or refuses them as a DatasetError", () => {
  const start = fc.constantFrom(Uint8Array.of(0, 0, 8), Uint8Array.of(0, 0, 13), new Uint8Array());
  fc.assert(fc.property(start, fc.uint8Array({ maxLength: 40 }), (start, rest) => {
    const bytes = Uint8Array.of(...start, ...rest);
    try {
      const { values, shape } = decodeIdx(bytes, "a.idx");
      assert.ok(isIdx(bytes));
      assert.equal(values.length, shape.reduce((product, size) => product * size, 1));
    } catch (error) {
      assert.ok(error instanceof DatasetError, String(error));
    }
  }));
});
