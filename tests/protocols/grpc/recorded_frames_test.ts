/** What stock gRPC clients say in one round of a federation, as frames/README.md describes it. */

import assert from "node:assert/strict";
import type { ClientMessage } from "../../../src/contract/federation_pb.ts";
import { options } from "../../../src/protocols/grpc/options.ts";
import { GrpcServer } from "../../../src/protocols/grpc/server.ts";
import { PREFIX_BYTES } from "../../../src/protocols/grpc/wire.ts";
import { ScriptedCoordinator } from "../../support/scripted_coordinator.ts";
import { assertSession, messageIn, recordedLines } from "../recorded_session.ts";
import { serverOptions } from "../subject.ts";
import { Frame, PREFACE, type ReadFrame, Stranger } from "./stranger.ts";

const CLIENTS = ["grpcio-1.85.1", "grpc-go-1.85.0", "tonic-0.14.9"];
const END_STREAM = 1;
const PADDED = 8;
const HEAD_BYTES = 9; // RFC 9113 §4.1

function recorded(client: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromHex(recordedLines("grpc", client).join(""));
}

/** The frames behind a client's preface. */
function framesOf(bytes: Uint8Array): ReadFrame[] {
  assert.deepEqual(bytes.subarray(0, PREFACE.length), PREFACE);
  const frames: ReadFrame[] = [];
  for (let at = PREFACE.length; at < bytes.length;) {
    const head = new DataView(bytes.buffer, at, HEAD_BYTES);
    const end = at + HEAD_BYTES + (head.getUint32(0) >>> 8);
    assert.ok(end <= bytes.length, "the last frame is cut");
    const [type, flags, stream] = [head.getUint8(3), head.getUint8(4), head.getUint32(5)];
    frames.push({ type, flags, stream, payload: bytes.subarray(at + HEAD_BYTES, end) });
    at = end;
  }
  return frames;
}

/** The messages in the DATA of a call, each behind a flag byte and its length. */
function messagesOf(frames: readonly ReadFrame[]): ClientMessage[] {
  const data = frames.filter(({ type }) => type === Frame.data);
  assert.ok(data.every(({ flags, stream }) => (flags & PADDED) === 0 && stream === 1));
  const bytes = new Uint8Array(data.flatMap(({ payload }) => [...payload]));
  const messages: ClientMessage[] = [];
  for (let at = 0; at < bytes.length;) {
    const prefix = new DataView(bytes.buffer, at, PREFIX_BYTES);
    assert.equal(prefix.getUint8(0), 0); // not compressed
    const end = at + PREFIX_BYTES + prefix.getUint32(1);
    messages.push(messageIn(bytes.slice(at + PREFIX_BYTES, end)));
    at = end;
  }
  return messages;
}

for (const client of CLIENTS) {
  Deno.test(`arrivalOf() reads what ${client} says, from Hello to Leave`, () => {
    const frames = framesOf(recorded(client));
    assert.equal(frames[0]?.type, Frame.settings); // RFC 9113 §3.4
    assert.equal(frames.filter(({ type }) => type === Frame.headers).length, 1);
    const last = frames.findLast(({ stream }) => stream === 1);
    const ends = last?.type === Frame.rstStream || ((last?.flags ?? 0) & END_STREAM) !== 0;
    assert.ok(ends, "the call has no end");
    assertSession(messagesOf(frames));
  });

  Deno.test(`GrpcServer takes from ${client} what was recorded of it, header fields and all`, async () => {
    const bytes = recorded(client);
    const coordinator = new ScriptedCoordinator();
    await using server = new GrpcServer(serverOptions("grpc"), options.parse({ port: 0 }));
    const [address] = await server.listen(coordinator);
    using replay = await Stranger.connect(address?.url ?? "");
    const expected = messagesOf(framesOf(bytes));
    // A client leaves once it has its answers; at once, that would take back what it said before.
    const leave = framesOf(bytes).find(({ type }) => type === Frame.goaway);
    const end = leave === undefined ? bytes.length : leave.payload.byteOffset - HEAD_BYTES;
    await replay.write(bytes.subarray(0, end));
    await coordinator.arrivals.find((arrival) =>
      arrival.kind === "message" && arrival.message.body.case === "leave"
    );
    const heard = coordinator.arrivals.all.flatMap((arrival) =>
      arrival.kind === "message" ? [arrival.message] : []
    );
    assert.deepEqual(heard, expected);
    await replay.write(bytes.subarray(end));
  });
}
