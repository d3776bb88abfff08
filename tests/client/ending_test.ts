import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { endOf, SessionEnded } from "../../src/client/ending.ts";
import { ClosingReason, ClosingSchema } from "../../src/contract/federation_pb.ts";

for (
  const [reason, sentence] of [
    [ClosingReason.REPLACED, "Another client joined as a: give each client an --id of its own"],
    [ClosingReason.REFUSED, "The server closed: no room"],
    [ClosingReason.SHUTDOWN, "The server shut down before the run ended: no room"],
  ] as const
) {
  Deno.test(`endOf() says what to do when a server closes: ${ClosingReason[reason]}`, () => {
    const ended = endOf(create(ClosingSchema, { reason, detail: "no room" }), "a");
    assert.ok(ended instanceof SessionEnded);
    assert.equal(ended.message, sentence);
  });
}

Deno.test("endOf() is undefined where the client may dial again", () => {
  assert.equal(endOf(create(ClosingSchema, { reason: ClosingReason.RESTART }), "a"), undefined);
  assert.equal(endOf(create(ClosingSchema, {}), "a"), undefined);
});
