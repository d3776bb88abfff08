import assert from "node:assert/strict";
import fc from "fast-check";
import {
  closeBytes,
  headBytes,
  LEAST_HEAD_BYTES,
  opcodes,
  readHead,
  turned,
  unmask,
  writeHead,
} from "../../src/websocket/frames.ts";

Deno.test("readHead() and unmask() read RFC 6455's masked text frame (§5.7)", () => {
  const frame = Uint8Array.fromHex("818537fa213d7f9f4d5158");
  assert.equal(headBytes(frame), LEAST_HEAD_BYTES);
  const head = readHead(frame.subarray(0, LEAST_HEAD_BYTES));
  assert.ok(typeof head !== "string");
  assert.deepEqual(
    [head.final, head.opcode, head.lengthBytes],
    [true, opcodes.text, 5],
  );
  const bytes = frame.slice(LEAST_HEAD_BYTES);
  unmask(bytes, head.mask);
  assert.equal(new TextDecoder().decode(bytes), "Hello");
});

for (const client of ["chromium-156", "deno-2.9.6", "websockets-17.4"]) {
  Deno.test(`readHead() reads the frame that ${client} sends`, async () => {
    const file = new URL(`./frames/upgrade-${client}.txt`, import.meta.url);
    const [, hex = ""] = (await Deno.readTextFile(file)).trim().split("\n\n");
    const frame = Uint8Array.fromHex(hex);
    const head = readHead(frame.subarray(0, headBytes(frame)));
    assert.ok(typeof head !== "string");
    assert.deepEqual([head.final, head.opcode, head.lengthBytes], [true, opcodes.binary, 8]);
    const bytes = frame.slice(headBytes(frame));
    unmask(bytes, head.mask);
    const zeros = client === "chromium-156";
    assert.deepEqual([...bytes], [0, 1, 2, 3, 4, 5, 6, 7].map((byte) => zeros ? 0 : byte));
  });
}

for (
  const [what, hex, message] of [
    ["reserved bits", "c28000000000", /reserved bits/],
    ["an unknown opcode", "838000000000", /unknown opcode 3/],
    ["a frame that is not masked", "820500000000", /must be masked/],
    ["a ping in fragments", "098000000000", /control frame/],
    ["a ping of 126 bytes", "89fe007e00000000", /control frame/],
  ] as const
) {
  Deno.test(`readHead() refuses ${what}`, () => {
    assert.match(String(readHead(Uint8Array.fromHex(hex))), message);
  });
}

Deno.test("readHead() never throws, whatever the bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 6, maxLength: 14 }), (bytes) => {
    if (bytes.length >= headBytes(bytes)) readHead(bytes.subarray(0, headBytes(bytes)));
  }));
});

Deno.test("unmask() takes off what it put on, wherever the bytes lie", () => {
  fc.assert(fc.property(
    fc.uint8Array({ maxLength: 100 }),
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.nat(7),
    (plain, mask, offset) => {
      const bytes = new Uint8Array(offset + plain.length).subarray(offset);
      bytes.set(plain);
      unmask(bytes, mask);
      assert.deepEqual(
        [...bytes],
        [...plain].map((byte, index) => byte ^ (mask[index % 4] as number)),
      );
      unmask(bytes, mask);
      assert.deepEqual([...bytes], [...plain]);
    },
  ));
});

Deno.test("turned() lets a frame be unmasked piece by piece", () => {
  fc.assert(fc.property(
    fc.uint8Array({ maxLength: 60 }),
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 }),
    (plain, mask, lengths) => {
      const bytes = plain.slice();
      unmask(bytes, mask);
      let left: Uint8Array = mask;
      for (let at = 0, turn = 0; at < bytes.length; turn++) {
        const piece = bytes.subarray(at, at + (lengths[turn % lengths.length] ?? 1));
        unmask(piece, left);
        left = turned(left, piece.length);
        at += piece.length;
      }
      assert.deepEqual(bytes, plain);
    },
  ));
});

for (
  const [lengthBytes, hex] of [
    [0, "8200"],
    [125, "827d"],
    [126, "827e007e"],
    [65_535, "827effff"],
    [65_536, "827f0000000000010000"],
  ] as const
) {
  Deno.test(`writeHead() writes a length of ${lengthBytes} in its shortest form`, () => {
    assert.equal(writeHead(opcodes.binary, lengthBytes).toHex(), hex);
  });
}

Deno.test("closeBytes() gives a reason of at most 123 bytes, and no half character", () => {
  assert.equal(closeBytes(1000, "").toHex(), "03e8");
  const bytes = closeBytes(1009, "é".repeat(100));
  assert.equal(bytes.length, 2 + 122);
  assert.equal(
    new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(2)),
    "é".repeat(61),
  );
});
