import assert from "node:assert/strict";
import fc from "fast-check";
import { sameBytes } from "../../src/contract/bytes.ts";

Deno.test("sameBytes() is true of equal bytes alone", () => {
  const bytes = fc.uint8Array({ maxLength: 20 });
  fc.assert(fc.property(bytes, bytes, (left, right) => {
    assert.ok(sameBytes(left, left.slice()));
    assert.equal(sameBytes(left, right), left.toHex() === right.toHex());
  }));
  fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 20 }), fc.nat(), (left, at) => {
    const right = left.slice();
    right[at % right.length] = (right[at % right.length] as number) ^ 1;
    assert.ok(!sameBytes(left, right));
  }));
});
