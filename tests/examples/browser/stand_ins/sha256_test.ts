import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { sha256 } from "../../../../examples/browser/stand_ins/sha256.ts";

// FIPS 180-4's own examples, from NIST's Cryptographic Standards and Guidelines: one block and two.
for (
  const [text, hex] of [
    ["abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
    [
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ],
    ["", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
  ] as const
) {
  Deno.test(`the page's sha256() of "${text}" is the standard's`, () => {
    assert.equal(sha256(new TextEncoder().encode(text)).toHex(), hex);
  });
}

Deno.test("the page's sha256() is Deno's, also of part of a buffer", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(10), (bytes, begin) => {
      const part = bytes.subarray(begin);
      assert.equal(sha256(part).toHex(), createHash("sha256").update(part).digest("hex"));
    }),
  );
});
