import assert from "node:assert/strict";
import fc from "fast-check";
import { type Cut, FrameReader } from "../../../src/protocols/mqtt/frames.ts";

const MAX_BYTES = 300_000;

/** Feeds bytes in pieces of the given lengths, over and over. */
function read(bytes: Uint8Array, lengths: readonly number[], maxBytes = MAX_BYTES): Cut[] {
  const reader = new FrameReader(maxBytes);
  const cuts: Cut[] = [];
  for (let offset = 0, turn = 0; offset < bytes.length; turn++) {
    const space = reader.space();
    assert.ok(space.length > 0);
    const wanted = lengths[turn % lengths.length] ?? 1;
    const piece = bytes.subarray(offset, offset + Math.min(wanted, space.length));
    space.set(piece);
    cuts.push(...reader.take(piece.length));
    offset += piece.length;
  }
  return cuts;
}

/** A packet with a well-formed fixed header. */
function packet(firstByte: number, body: Uint8Array): Uint8Array {
  const header = [firstByte];
  let rest = body.length;
  do {
    header.push(rest % 128 | (rest >= 128 ? 0x80 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return Uint8Array.from([...header, ...body]);
}

const packets = fc.array(
  fc.tuple(
    fc.integer({ min: 0, max: 255 }),
    fc.oneof(
      { weight: 8, arbitrary: fc.uint8Array({ maxLength: 300 }) },
      // Around the sizes where packets get buffers of their own and the scratch is used up.
      fc.constantFrom(16_380, 16_385, 65_530, 65_536, 70_000, 200_000).map((length) =>
        Uint8Array.from({ length }, (_, index) => index)
      ),
    ),
  ),
  { minLength: 1, maxLength: 12 },
).map((list) => list.map(([first, body], index) => packet(index === 0 ? 0x10 : first, body)));

const chunks = fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1, maxLength: 8 });

Deno.test("FrameReader gives the same packets for any chunking", () => {
  fc.assert(
    fc.property(packets, chunks, (list, lengths) => {
      const bytes = new Uint8Array(list.reduce((sum, { length }) => sum + length, 0));
      let offset = 0;
      for (const one of list) {
        bytes.set(one, offset);
        offset += one.length;
      }
      const cuts = read(bytes, lengths);
      assert.equal(cuts.length, list.length);
      for (const [index, cut] of cuts.entries()) {
        assert.ok(cut.kind === "frame");
        assert.deepEqual(cut.bytes, list[index]);
        assert.equal(cut.bytes.buffer.byteLength, cut.bytes.length); // its own buffer
      }
    }),
    { numRuns: 60 },
  );
});

Deno.test("FrameReader gives one packet at a time the same as byte by byte", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), chunks, (bytes, lengths) => {
      assert.deepEqual(read(bytes, [1]), read(bytes, lengths));
    }),
  );
});

Deno.test("FrameReader never throws, and says nothing more after a fault", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), chunks, (bytes, lengths) => {
      const cuts = read(Uint8Array.from([0x10, ...bytes]), lengths, 500);
      const fault = cuts.findIndex(({ kind }) => kind !== "frame");
      assert.ok(fault === -1 || fault === cuts.length - 1);
      for (const cut of cuts) assert.ok(cut.kind !== "frame" || cut.bytes.length <= 500);
    }),
  );
});

Deno.test("FrameReader refuses a large packet by its fixed header alone", () => {
  // 0x30: PUBLISH; 0xff 0xff 0x7f: 2,097,151 bytes follow, of which none came.
  const bytes = Uint8Array.of(0x10, 0, 0x30, 0xff, 0xff, 0x7f);
  const [connect, oversized] = read(bytes, [100]);
  assert.equal(connect?.kind, "frame");
  assert.deepEqual(oversized, { kind: "oversized", packetBytes: 2_097_155 });
});

Deno.test("FrameReader takes a packet of exactly the limit", () => {
  const cuts = read(packet(0x10, new Uint8Array(197)), [1000], 200);
  assert.equal(cuts[0]?.kind, "frame");
  assert.equal(read(packet(0x10, new Uint8Array(198)), [1000], 200)[0]?.kind, "oversized");
});

Deno.test("FrameReader refuses a Remaining Length of five bytes (§1.5.5)", () => {
  const [cut] = read(Uint8Array.of(0x10, 0xff, 0xff, 0xff, 0xff, 0x01), [100]);
  assert.equal(cut?.kind, "malformed");
});

Deno.test("FrameReader tells another protocol by its first byte ([MQTT-3.1.0-1])", () => {
  const [cut] = read(new TextEncoder().encode("G"), [1]);
  assert.equal(cut?.kind, "malformed");
});
