/** What a client says in the federation of `record.ts`, whatever its wire and its library. */

import assert from "node:assert/strict";
import { arrivalOf } from "../../src/contract/codec.ts";
import { type ClientMessage, LeaveReason, UpdateKind } from "../../src/contract/federation_pb.ts";
import { decodeSafetensors } from "../../src/weights/safetensors.ts";
import { isRejection } from "../../src/weights/tensors.ts";

/** Checks that these are one client's messages from Hello to Leave, and that nothing is missing. */
export function assertSession(messages: readonly ClientMessage[]): void {
  const [hello, ...rest] = messages;
  assert.ok(hello?.body.case === "hello");
  assert.equal(hello.runId, "");
  assert.equal(hello.body.value.contractVersion, 1);
  assert.equal(hello.body.value.nonce.length, 16);
  assert.equal(hello.body.value.samples, 8);
  const leave = rest.at(-1);
  assert.ok(leave?.body.case === "leave");
  assert.equal(leave.body.value.reason, LeaveReason.DONE);
  for (const { clientId, runId, session } of rest) {
    assert.equal(clientId, "client-1");
    assert.ok(runId !== "");
    assert.equal(session.length, 16);
    assert.deepEqual([runId, session], [leave.runId, leave.session]);
  }
  const sequences = messages.map(({ sequence }) => sequence);
  assert.deepEqual(sequences, sequences.map((_, index) => index + 1));
  assertUpdate(rest);
  const held = rest.flatMap(({ body }) => body.case === "modelHeld" ? [body.value] : []);
  assert.ok(held.some(({ modelRound }) => modelRound === 0));
  const final = held.findLast(({ modelRound }) => modelRound === 1);
  assert.ok(final);
  assert.equal(final.sha256.length, 32);
  assert.deepEqual(leave.body.value.modelSha256, final.sha256);
}

/** All parts together are an update of the model in `record.ts`. */
function assertUpdate(messages: readonly ClientMessage[]): void {
  const parts = messages.flatMap(({ body }) => body.case === "updatePart" ? [body.value] : []);
  const bytes = new Uint8Array(Number(parts[0]?.totalBytes));
  for (const { taskId, modelRound, kind, samples, uploadId, offset, ...part } of parts) {
    assert.ok(taskId > 0);
    assert.deepEqual([modelRound, kind, samples, uploadId.length], [0, UpdateKind.WEIGHTS, 8, 16]);
    bytes.set(part.bytes, Number(offset));
  }
  const tensors = decodeSafetensors(bytes);
  assert.ok(!isRejection(tensors));
  assert.deepEqual(
    [...tensors.values()].map(({ name, dtype, shape }) => [name, dtype, ...shape]).sort(),
    [["scores/bias", "F32", 2], ["scores/kernel", "F32", 4, 2]],
  );
}

/** What our own decoder makes of a message's bytes. */
export function messageIn(bytes: Uint8Array<ArrayBuffer>): ClientMessage {
  const arrival = arrivalOf({ wire: "recorded", id: 1 }, bytes);
  assert.ok(arrival.kind === "message");
  return arrival.message;
}

/** The lines of a recording. */
export function recordedLines(wire: string, name: string): string[] {
  const file = new URL(`./${wire}/frames/${name}.txt`, import.meta.url);
  return Deno.readTextFileSync(file).trim().split("\n");
}
