/** What a stock DDS client writes in one round, as frames/README.md describes it. */

import assert from "node:assert/strict";
import { sampleBytes } from "../../../src/protocols/dds/wire.ts";
import { assertSession, messageIn, recordedLines } from "../recorded_session.ts";

/** XCDR version 1, little-endian (DDSI-RTPS 2.5 §10.5). */
const CDR_LE = 0x0001;

/** A sample of Envelope, read by hand: on its way to us, Cyclone does it. */
function envelopeOf(sample: Uint8Array<ArrayBuffer>) {
  const view = new DataView(sample.buffer);
  assert.equal(view.getUint16(0), CDR_LE);
  const keyBytes = view.getUint32(4, true);
  const client = new TextDecoder().decode(sample.subarray(8, 8 + keyBytes - 1));
  assert.equal(sample[8 + keyBytes - 1], 0);
  const seqAt = 4 + Math.ceil((4 + keyBytes) / 8) * 8;
  const bodyAt = seqAt + 12;
  const body = sample.slice(bodyAt, bodyAt + view.getUint32(seqAt + 8, true));
  return { client, seq: view.getBigUint64(seqAt, true), body, length: sample.length };
}

const envelopes = recordedLines("dds", "session-cyclonedds-11.0.1")
  .map((line) => envelopeOf(Uint8Array.fromHex(line)));

Deno.test("sampleBytes() is the length of each sample that came from cyclonedds-python", () => {
  for (const { client, body, length } of envelopes) {
    // A submessage is filled up to a multiple of four (DDSI-RTPS 2.5 §9.4.1).
    assert.equal(Math.ceil(sampleBytes(client, body.length) / 4) * 4, length);
  }
});

Deno.test("arrivalOf() reads what cyclonedds-python says, from Hello to Leave", () => {
  assert.deepEqual(envelopes.map(({ seq }) => seq), envelopes.map((_, index) => BigInt(index)));
  assertSession(envelopes.map(({ client, body }) => {
    const message = messageIn(body);
    assert.equal(message.clientId, client);
    return message;
  }));
});
