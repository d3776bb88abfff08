import assert from "node:assert/strict";
import { Verdict } from "../../../src/contract/federation_pb.ts";
import {
  controlStream,
  sessionAccepted,
  sessionClosed,
  sessionRefused,
  sessionRequest,
} from "../../../src/protocols/quic/http3.ts";
import { readFields } from "../../../src/protocols/quic/qpack.ts";
import { readVarint, varintBytes } from "../../../src/protocols/quic/wire.ts";

/** The variable-length integers that some bytes are made of. */
function varints(bytes: Uint8Array): bigint[] {
  const values: bigint[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + varintBytes(bytes[at] ?? 0);
    values.push(readVarint(bytes.subarray(at, end)));
    at = end;
  }
  return values;
}

Deno.test("controlStream() offers WebTransport in every draft's words", () => {
  const [streamType, frameType, lengthBytes, ...settings] = varints(controlStream());
  assert.deepEqual([streamType, frameType], [0x00n, 0x04n]);
  assert.equal(Number(lengthBytes), controlStream().length - 3);
  const offered = new Map(
    settings.flatMap((id, index) => index % 2 === 0 ? [[id, settings[index + 1]] as const] : []),
  );
  for (const id of [0x08n, 0x33n, 0xffd277n, 0x2b603742n, 0x2b603743n, 0xc671706an]) {
    assert.equal(offered.get(id), 1n, id.toString(16));
  }
});

Deno.test("sessionRequest() is undefined for what is no WebTransport request", () => {
  const get = Uint8Array.fromHex("0000d1d7c1"); // GET https /
  assert.equal(sessionRequest(get), undefined);
  const plainConnect = Uint8Array.fromHex("0000cf");
  assert.equal(sessionRequest(plainConnect), undefined);
});

Deno.test("sessionRefused() answers 403 for a page that may not join, else 404", () => {
  assert.equal(sessionRefused(Verdict.UNSUPPORTED).toHex(), "01030000db");
  assert.equal(sessionRefused(Verdict.UNAUTHORISED).toHex(), "01040000ff05");
});

Deno.test("sessionAccepted() names the draft that Chromium wants", () => {
  const [type, length] = sessionAccepted();
  assert.deepEqual([type, length], [0x01, sessionAccepted().length - 2]);
  const fields = readFields(sessionAccepted().subarray(2));
  assert.equal(fields?.get("sec-webtransport-http3-draft"), "draft02");
});

Deno.test("sessionClosed() gives a reason of at most 1024 bytes, and no half character", () => {
  const capsule = sessionClosed({ closeCode: 0x5400, reason: "é".repeat(1000) });
  const [frameType, , capsuleType, lengthBytes] = varints(capsule.subarray(0, 7));
  assert.deepEqual([frameType, capsuleType, lengthBytes], [0x00n, 0x2843n, 4n + 1024n]);
  const reason = new TextDecoder("utf-8", { fatal: true }).decode(capsule.subarray(-1024));
  assert.equal(reason, "é".repeat(512));
});
