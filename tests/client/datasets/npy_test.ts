import assert from "node:assert/strict";
import fc from "fast-check";
import { DatasetError } from "../../../src/client/datasets/dataset.ts";
import { decodeNpy } from "../../../src/client/datasets/npy.ts";
import { npy } from "./files.ts";

for (
  const [descr, values, expected] of [
    ["|u1", Uint8Array.of(0, 255), Uint8Array.of(0, 255)],
    ["<i4", Int32Array.of(-1, 70_000), Int32Array.of(-1, 70_000)],
    ["<i8", BigInt64Array.of(-1n, 9_000_000_000n), Float64Array.of(-1, 9e9)],
    ["<f4", Float32Array.of(1.5, -0.25), Float32Array.of(1.5, -0.25)],
    ["<f8", Float64Array.of(0.1, -2), Float64Array.of(0.1, -2)],
  ] as const
) {
  for (const version of [1, 2, 3]) {
    Deno.test(`decodeNpy() reads ${descr} of version ${version}`, () => {
      const bytes = npy(descr, [2], values, { version });
      assert.deepEqual(decodeNpy(bytes, "a.npy"), { values: expected, shape: [2] });
    });
  }
}

Deno.test("decodeNpy() reads a file that numpy.save wrote", () => {
  // numpy 2.4.6: numpy.save(f, numpy.arange(6, dtype="<f4").reshape(2, 3))
  const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
  const bytes = new Uint8Array(128 + 24);
  bytes.set(Uint8Array.fromHex("934e554d505901007600"));
  bytes.set(new TextEncoder().encode(header.padEnd(117) + "\n"), 10);
  bytes.set(Uint8Array.fromHex("000000000000803f0000004000004040000080400000a040"), 128);
  assert.deepEqual(decodeNpy(bytes, "a.npy"), {
    values: Float32Array.of(0, 1, 2, 3, 4, 5),
    shape: [2, 3],
  });
});

Deno.test("decodeNpy() reads values at an offset their type does not align to", () => {
  const file = npy("<f4", [2], Float32Array.of(1, 2));
  const moved = new Uint8Array(file.length + 1);
  moved.set(file, 1);
  assert.deepEqual(decodeNpy(moved.subarray(1), "a.npy").values, Float32Array.of(1, 2));
});

Deno.test("decodeNpy() takes Fortran order where there is one dimension only", () => {
  const file = npy("<f4", [2], Float32Array.of(1, 2), { fortran: true });
  assert.deepEqual(decodeNpy(file, "a.npy").shape, [2]);
});

const whole = npy("<f4", [2, 2], new Float32Array(4));

for (
  const [what, bytes, message] of [
    ["no .npy file", new TextEncoder().encode("x,y\n1,2\n"), /a\.npy is not a \.npy file/],
    ["a header cut off", whole.subarray(0, 40), /ends within its header/],
    ["a length cut off", whole.subarray(0, 9), /ends within its header/],
    ["values cut off", whole.subarray(0, whole.length - 1), /its header \(2 x 2\) needs/],
    ["version 4", npy("<f4", [1], new Float32Array(1), { version: 4 }), /versions 1 to 3/],
    ["big endian", npy(">f4", [1], new Float32Array(1)), /dtype >f4; save it as float32/],
    ["complex numbers", npy("<c8", [1], new Float32Array(2)), /dtype <c8/],
    ["a record dtype", npy("', ('a', '<f4'), '", [1], new Float32Array(1)), /save/],
    [
      "Fortran order",
      npy("<f4", [2, 2], new Float32Array(4), { fortran: true }),
      /save numpy\.ascontiguousarray/,
    ],
    ["a single number", npy("<f4", [], new Float32Array(1)), /not an array/],
  ] as const
) {
  Deno.test(`decodeNpy() refuses ${what}`, () => {
    assert.throws(() => decodeNpy(bytes, "a.npy"), { name: "DatasetError", message });
  });
}

Deno.test("decodeNpy() reads a damaged file or refuses it as a DatasetError", () => {
  fc.assert(fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.nat(20), (at, byte, cut) => {
    const bytes = whole.slice(0, whole.length - cut);
    bytes[at] = byte;
    try {
      const { values, shape } = decodeNpy(bytes, "a.npy");
      assert.equal(values.length, shape.reduce((product, size) => product * size, 1));
    } catch (error) {
      assert.ok(error instanceof DatasetError, String(error));
    }
  }));
});
