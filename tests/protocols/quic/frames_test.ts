import assert from "node:assert/strict";
import fc from "fast-check";
import { type Frame, FrameReader, writeFrame } from "../../../src/protocols/quic/frames.ts";
import { framed } from "./stranger.ts";

/** A byte stream that hands out exactly these chunks. */
function streamOf(chunks: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  const waiting = chunks.filter((chunk) => chunk.length > 0).map((chunk) => chunk.slice());
  return new ReadableStream({
    type: "bytes",
    pull(controller) {
      const chunk = waiting.shift();
      if (chunk !== undefined) return controller.enqueue(chunk);
      controller.close();
      controller.byobRequest?.respond(0);
    },
  });
}

/** All that a reader makes of these chunks, its ending included. */
async function framesOf(chunks: readonly Uint8Array[], maxBytes: number): Promise<Frame[]> {
  const reader = new FrameReader(streamOf(chunks));
  const frames: Frame[] = [];
  for (;;) {
    const frame = await reader.next({ maxBytes });
    frames.push(frame);
    if (frame.kind !== "message") return frames;
  }
}

/** The same bytes in chunks that end where `cuts` say. */
function chunked(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length]
    .toSorted((left, right) => left - right);
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

const messages = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 });
const cuts = fc.array(fc.nat(400), { maxLength: 30 });

Deno.test("FrameReader.next() gives the same messages however the stream is cut", async () => {
  await fc.assert(fc.asyncProperty(messages, cuts, async (sent, cuts) => {
    const bytes = new Uint8Array(sent.flatMap((message) => [...framed(message)]));
    const frames = await framesOf(chunked(bytes, cuts), 40);
    assert.deepEqual(frames, [
      ...sent.map((message) => ({ kind: "message", bytes: new Uint8Array(message) })),
      { kind: "end" },
    ]);
  }));
});

Deno.test("FrameReader.next() never throws and keeps its bound, whatever the bytes", async () => {
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), cuts, async (bytes, cuts) => {
    const frames = await framesOf(chunked(bytes, cuts), 16);
    for (const frame of frames) assert.ok(frame.kind !== "message" || frame.bytes.length <= 16);
    assert.ok(["end", "cut", "oversized"].includes(frames.at(-1)?.kind ?? ""));
  }));
});

Deno.test("FrameReader.next() refuses a length beyond its limit before it waits for room", async () => {
  const reader = new FrameReader(streamOf([new Uint8Array([0, 0, 0, 9])]));
  const frame = await reader.next({
    maxBytes: 8,
    admit: () => Promise.reject(new Error("not to be asked")),
  });
  assert.deepEqual(frame, { kind: "oversized", lengthBytes: 9 });
});

Deno.test("FrameReader.next() tells an end inside a message from one between two", async () => {
  assert.deepEqual(await framesOf([], 8), [{ kind: "end" }]);
  for (const bytes of [[0], [0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 2, 7]]) {
    assert.deepEqual(await framesOf([new Uint8Array(bytes)], 8), [{ kind: "cut" }], `${bytes}`);
  }
});

Deno.test("FrameReader counts every byte it read", async () => {
  let counted = 0;
  const reader = new FrameReader(streamOf([framed("four"), new Uint8Array([0])]), (bytes) => {
    counted += bytes;
  });
  await reader.next({ maxBytes: 8 });
  await reader.next({ maxBytes: 8 });
  assert.equal(counted, 4 + 4 + 1);
});

Deno.test("writeFrame() writes small and large messages behind their length", async () => {
  for (const length of [0, 1, 8192, 8193, 100_000]) {
    const written: number[] = [];
    const stream = new WritableStream<Uint8Array>({
      write(chunk) {
        written.push(...chunk);
      },
    });
    const message = crypto.getRandomValues(new Uint8Array(Math.min(length, 65536)));
    assert.equal(await writeFrame(stream.getWriter(), message), 4 + message.length);
    assert.deepEqual(new Uint8Array(written), framed(message));
  }
});
