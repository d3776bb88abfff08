/** What a stock client of raw QUIC says in one round, as frames/README.md describes it. */

import assert from "node:assert/strict";
import type { ClientMessage } from "../../../src/contract/federation_pb.ts";
import { FrameReader } from "../../../src/protocols/quic/frames.ts";
import { assertSession, messageIn, recordedLines } from "../recorded_session.ts";

const MAX_BYTES = 1_000_000;

interface Chunk {
  readonly stream: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly fin: boolean;
}

const chunks: Chunk[] = recordedLines("quic", "session-aioquic-1.7.2").map((line) => {
  const [stream, hex = "-", fin] = line.split(" ");
  return {
    stream: Number(stream),
    bytes: Uint8Array.fromHex(hex === "-" ? "" : hex),
    fin: fin === "fin",
  };
});

/** All messages of one stream; it must end between two of them. */
async function messagesOn(stream: number): Promise<Uint8Array<ArrayBuffer>[]> {
  const own = chunks.filter((chunk) => chunk.stream === stream);
  assert.deepEqual(own.map(({ fin }) => fin), own.map((_, index) => index === own.length - 1));
  const waiting = own.map(({ bytes }) => bytes.slice()).filter(({ length }) => length > 0);
  const reader = new FrameReader(
    new ReadableStream({
      type: "bytes",
      pull(controller) {
        const chunk = waiting.shift();
        if (chunk !== undefined) return controller.enqueue(chunk);
        controller.close();
        controller.byobRequest?.respond(0);
      },
    }),
  );
  const messages: Uint8Array<ArrayBuffer>[] = [];
  for (;;) {
    const frame = await reader.next({ maxBytes: MAX_BYTES });
    if (frame.kind === "end") return messages;
    assert.ok(frame.kind === "message", frame.kind);
    messages.push(frame.bytes);
  }
}

Deno.test("FrameReader reads what aioquic says: the federation's name, and a session on two streams", async () => {
  // RFC 9000 §2.1: the client's first bidirectional stream, and its first unidirectional one.
  assert.deepEqual(new Set(chunks.map(({ stream }) => stream)), new Set([0, 2]));
  const [name, ...control] = await messagesOn(0);
  assert.equal(new TextDecoder().decode(name), "default");
  const messages: ClientMessage[] = [...control, ...await messagesOn(2)].map(messageIn);
  const update = messages.filter(({ body }) => body.case === "updatePart");
  assert.equal(update.length, 1);
  assertSession(messages.sort((one, other) => one.sequence - other.sequence));
});
