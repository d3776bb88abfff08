import assert from "node:assert/strict";
import { ConnectionLost } from "../../src/contract/connection.ts";
import { Verdict } from "../../src/contract/federation_pb.ts";
import type { Update } from "../../src/client/upload.ts";
import { begin, partIn, updateOf } from "./answered_upload.ts";

Deno.test("an upload of an earlier process asks for its offset by its last byte, and goes on there", async () => {
  const update = { ...updateOf(100), heldBytes: undefined };
  const { connection, exchange, receipt, offsets, answer } = begin(update, {
    partBytes: 20,
    windowBytes: 100,
  });
  await using _ = exchange;
  assert.deepEqual(await offsets(), [99]);
  assert.equal(partIn(connection.sent.all[0] ?? assert.fail()).bytes.length, 1);
  answer(Verdict.GAP, { nextOffset: 60n });
  assert.deepEqual(await offsets(), [60, 80]);
  answer(Verdict.HELD, { nextOffset: 80n });
  answer(Verdict.ACCEPTED, { nextOffset: 100n });
  assert.equal((await receipt).verdict, Verdict.ACCEPTED);
});

Deno.test("an upload of an earlier process that lost its connection before the answer asks again", async () => {
  const update: Update = { ...updateOf(100), heldBytes: undefined };
  const options = { partBytes: 20, windowBytes: 100 };
  const first = begin(update, options);
  await first.offsets();
  first.connection.end("cable pulled");
  await assert.rejects(first.receipt, ConnectionLost);
  await first.exchange[Symbol.asyncDispose]();
  const second = begin(update, options);
  await using _ = second.exchange;
  assert.deepEqual(await second.offsets(), [99]);
});

Deno.test("an upload of an earlier process that counts already is over with the first answer", async () => {
  const { exchange, receipt, offsets, answer } = begin(
    { ...updateOf(100), heldBytes: undefined },
    { partBytes: 20, windowBytes: 100 },
  );
  await using _ = exchange;
  await offsets();
  answer(Verdict.DUPLICATE, { nextOffset: 100n });
  assert.equal((await receipt).verdict, Verdict.DUPLICATE);
});

Deno.test("an upload of an earlier process that fits into one part is just sent", async () => {
  const { exchange, offsets } = begin(
    { ...updateOf(20), heldBytes: undefined },
    { partBytes: 20, windowBytes: 100 },
  );
  await using _ = exchange;
  assert.deepEqual(await offsets(), [0]);
});
