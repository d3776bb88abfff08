import assert from "node:assert/strict";
import fc from "fast-check";
import {
  CLOSE_CODES,
  lengthPrefix,
  liveness,
  readLength,
  readVarint,
  varint,
  varintBytes,
} from "../../../src/protocols/quic/wire.ts";

// RFC 9000 appendix A.1.
for (
  const [hex, value] of [
    ["c2197c5eff14e88c", 151_288_809_941_952_652n],
    ["9d7f3e7d", 494_878_333n],
    ["7bbd", 15_293n],
    ["25", 37n],
  ] as const
) {
  Deno.test(`varint() writes ${value} as RFC 9000 does`, () => {
    assert.equal(varint(value).toHex(), hex);
    assert.equal(readVarint(Uint8Array.fromHex(hex)), value);
    assert.equal(varintBytes(Number.parseInt(hex.slice(0, 2), 16)), hex.length / 2);
  });
}

Deno.test("readVarint() reads what varint() writes", () => {
  fc.assert(fc.property(fc.bigInt({ min: 0n, max: 2n ** 62n - 1n }), (value) => {
    const bytes = varint(value);
    assert.equal(varintBytes(bytes[0] ?? 0), bytes.length);
    assert.equal(readVarint(bytes), value);
  }));
});

Deno.test("lengthPrefix() is big-endian, and readLength() reads it", () => {
  assert.equal(lengthPrefix(0x01020304).toHex(), "01020304");
  fc.assert(fc.property(fc.nat(0xffffffff), (length) => {
    assert.equal(readLength(lengthPrefix(length)), length);
  }));
});

Deno.test("CLOSE_CODES tells every verdict from every other", () => {
  const codes = Object.values(CLOSE_CODES);
  assert.equal(new Set(codes).size, codes.length);
});

Deno.test("liveness() sends keep-alives well within every idle timeout", () => {
  fc.assert(fc.property(fc.integer({ min: 100, max: 3_600_000 }), (heartbeatIntervalMs) => {
    const { maxIdleTimeout = 0, keepAliveInterval = 0 } = liveness(heartbeatIntervalMs);
    assert.ok(maxIdleTimeout >= 3 * heartbeatIntervalMs);
    assert.ok(keepAliveInterval < maxIdleTimeout / 2);
    assert.ok(keepAliveInterval < 30_000 / 2, "a peer's own idle timeout");
  }));
});
