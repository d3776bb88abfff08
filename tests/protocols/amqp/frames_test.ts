import assert from "node:assert/strict";
import fc from "fast-check";
import { AmqpException } from "../../../src/protocols/amqp/exceptions.ts";
import {
  contentFrames,
  encodeFrame,
  type Frame,
  FRAME_MIN_BYTES,
  FRAME_OVERHEAD_BYTES,
  FrameBuffer,
  FrameType,
  HEARTBEAT_FRAME,
  methodFrame,
  PROTOCOL_HEADER,
} from "../../../src/protocols/amqp/frames.ts";
import { encodeProperties } from "../../../src/protocols/amqp/properties.ts";

/** Puts octets in by pieces of the given sizes, and takes the frames out. */
function framesOf(octets: Uint8Array, frameMax: number, sizes: readonly number[]): Frame[] {
  const buffer = new FrameBuffer(frameMax);
  const frames: Frame[] = [];
  for (let at = 0, turn = 0; at < octets.length; turn++) {
    const space = buffer.space();
    assert.ok(space.length > 0);
    const size = Math.min(sizes[turn % sizes.length] ?? 1, space.length, octets.length - at);
    space.set(octets.subarray(at, at + size));
    buffer.filled(size);
    at += size;
    for (let frame = buffer.next(); frame !== undefined; frame = buffer.next()) {
      assert.ok(!(frame instanceof AmqpException) && !("fatal" in frame));
      frames.push({ ...frame, payload: frame.payload.slice() });
    }
  }
  return frames;
}

function first(octets: Uint8Array, frameMax = FRAME_MIN_BYTES) {
  const buffer = new FrameBuffer(frameMax);
  buffer.space().set(octets);
  buffer.filled(octets.length);
  return buffer.next();
}

Deno.test("FrameBuffer.next cuts the same frames however the octets come in", () => {
  const frame = fc.record({
    type: fc.constantFrom(...Object.values(FrameType)),
    channel: fc.nat(65535),
    payload: fc.uint8Array({ maxLength: FRAME_MIN_BYTES - FRAME_OVERHEAD_BYTES }),
  }, { noNullPrototype: true });
  const sizes = fc.array(fc.integer({ min: 1, max: 3 * FRAME_MIN_BYTES }), { minLength: 1 });
  fc.assert(fc.property(fc.array(frame, { maxLength: 8 }), sizes, (frames, pieces) => {
    const octets = frames.flatMap(({ type, channel, payload }) => [
      ...encodeFrame(type, channel, payload),
    ]);
    assert.deepEqual(framesOf(Uint8Array.from(octets), FRAME_MIN_BYTES, pieces), frames);
  }));
});

Deno.test("FrameBuffer.next takes frame-max octets and refuses one more with 501", () => {
  const largest = FRAME_MIN_BYTES - FRAME_OVERHEAD_BYTES;
  const fits = first(encodeFrame(FrameType.BODY, 1, new Uint8Array(largest)));
  assert.ok(fits !== undefined && "payload" in fits);
  assert.equal(fits.payload.length, largest);
  const refused = first(encodeFrame(FrameType.BODY, 1, new Uint8Array(largest + 1)));
  assert.ok(refused instanceof AmqpException);
  assert.equal(refused.reply, "FRAME_ERROR");
});

Deno.test("FrameBuffer.next refuses an oversized frame by its size alone", () => {
  const refused = first(Uint8Array.of(FrameType.BODY, 0, 1, 0xff, 0xff, 0xff, 0xff));
  assert.ok(refused instanceof AmqpException);
});

Deno.test("FrameBuffer.next finds octets fatal that are no frame (§4.2.3)", () => {
  const wrongEnd = encodeFrame(FrameType.METHOD, 0, Uint8Array.of(1, 2, 3));
  wrongEnd[wrongEnd.length - 1] = 0xcd;
  assert.ok("fatal" in (first(wrongEnd) ?? {}));
  assert.ok("fatal" in (first(encodeFrame(4, 0, new Uint8Array())) ?? {}));
});

Deno.test("FrameBuffer.resize keeps what is unread and takes larger frames", () => {
  const buffer = new FrameBuffer(FRAME_MIN_BYTES);
  const frame = encodeFrame(FrameType.BODY, 1, new Uint8Array(8000));
  buffer.space().set(frame.subarray(0, 5));
  buffer.filled(5);
  buffer.resize(16384);
  buffer.space().set(frame.subarray(5));
  buffer.filled(frame.length - 5);
  const next = buffer.next();
  assert.ok(next !== undefined && "payload" in next && next.payload.length === 8000);
});

Deno.test("FrameBuffer.protocolHeader knows a wrong header by its first wrong octet (§4.2.2)", () => {
  const buffer = () => new FrameBuffer(FRAME_MIN_BYTES);
  const after = (octets: Uint8Array) => {
    const fresh = buffer();
    fresh.space().set(octets);
    fresh.filled(octets.length);
    return fresh.protocolHeader();
  };
  assert.equal(after(PROTOCOL_HEADER.subarray(0, 7)), undefined);
  assert.equal(after(PROTOCOL_HEADER), true);
  assert.equal(after(new TextEncoder().encode("G")), false);
  assert.equal(after(Uint8Array.of(65, 77, 81, 80, 0, 1, 0, 0)), false); // AMQP 1.0
});

for (const difference of [-1, 0, 1]) {
  Deno.test(`contentFrames splits a body at frame-max, ${difference} octets off the boundary`, () => {
    for (const bodyFrames of [1, 2, 3]) {
      const most = FRAME_MIN_BYTES - FRAME_OVERHEAD_BYTES;
      const body = new Uint8Array(bodyFrames * most + difference).map((_, index) => index);
      const content = { method: new Uint8Array(4), properties: encodeProperties({}), body };
      const frames = framesOf(contentFrames(7, content, FRAME_MIN_BYTES), FRAME_MIN_BYTES, [9999]);
      const bodies = frames.filter((frame) => frame.type === FrameType.BODY);
      assert.deepEqual(frames.slice(0, 2).map(({ type }) => type), [
        FrameType.METHOD,
        FrameType.HEADER,
      ]);
      assert.ok(frames.every(({ channel }) => channel === 7));
      assert.equal(bodies.length, bodyFrames + (difference > 0 ? 1 : 0));
      assert.deepEqual(bodies.flatMap(({ payload }) => [...payload]), [...body]);
    }
  });
}

Deno.test("contentFrames sends no body frame for an empty body", () => {
  const content = {
    method: new Uint8Array(4),
    properties: encodeProperties({}),
    body: new Uint8Array(),
  };
  assert.equal(framesOf(contentFrames(1, content, 4096), 4096, [99]).length, 2);
});

Deno.test("frames look on the wire as §4.2.3 draws them", () => {
  assert.equal(HEARTBEAT_FRAME.toHex(), "08" + "0000" + "00000000" + "ce");
  assert.equal(
    methodFrame(258, "channel.close-ok", {}).toHex(),
    "01" + "0102" + "00000004" + "00140029" + "ce",
  );
});
