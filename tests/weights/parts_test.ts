import assert from "node:assert/strict";
import fc from "fast-check";
import { cut, partCount } from "../../src/weights/parts.ts";

Deno.test("partCount() at a part's boundary and one beside it", () => {
  assert.deepEqual([1, 255, 256, 257, 512].map((total) => partCount(total, 256)), [1, 1, 1, 2, 2]);
});

Deno.test("partCount() of nothing is one empty part", () => {
  assert.equal(partCount(0, 256), 1);
  assert.equal(cut(new Uint8Array(), 0, 256).length, 0);
});

Deno.test("cut() gives parts that together are the whole, none copied", () => {
  fc.assert(fc.property(
    fc.uint8Array({ maxLength: 100 }),
    fc.integer({ min: 1, max: 40 }),
    (bytes, partBytes) => {
      const whole: number[] = [];
      for (let part = 0; part < partCount(bytes.length, partBytes); part++) {
        const view = cut(bytes, part * partBytes, partBytes);
        assert.equal(view.buffer, bytes.buffer);
        assert.ok(view.length <= partBytes);
        whole.push(...view);
      }
      assert.deepEqual(whole, [...bytes]);
    },
  ));
});

Deno.test("cut() refuses an offset outside the bytes", () => {
  for (const offset of [-1, 4, 0.5, NaN]) {
    assert.throws(() => cut(new Uint8Array(3), offset, 2), RangeError);
  }
});
