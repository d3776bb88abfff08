import assert from "node:assert/strict";
import fc from "fast-check";
import { serverMessage } from "../../src/contract/codec.ts";
import type { ModelPart } from "../../src/contract/federation_pb.ts";
import { Unread } from "../../src/contract/unread.ts";

const PART_BYTES = 10;

function part(modelRound: number, index: number): ModelPart {
  const value = {
    modelRound,
    offset: BigInt(index * PART_BYTES),
    bytes: new Uint8Array(PART_BYTES),
  };
  const { body } = serverMessage({ body: { case: "modelPart", value } });
  assert.ok(body.case === "modelPart");
  return body.value;
}

function given(...parts: readonly ModelPart[]): Unread {
  const unread = new Unread();
  for (const each of parts) unread.add(each);
  return unread;
}

Deno.test("Unread counts what was given and is not acknowledged", () => {
  const unread = given(part(1, 0), part(1, 1), part(1, 2));
  assert.equal(unread.bytes, 30);
  unread.acknowledge({ round: 1, offset: 20 });
  assert.equal(unread.bytes, 10);
  unread.acknowledge({ round: 1, offset: 30 });
  assert.equal(unread.bytes, 0);
});

Deno.test("Unread takes what came before an acknowledged part for read, of an older model too", () => {
  const unread = given(part(1, 0), part(1, 1), part(2, 0), part(2, 1));
  unread.acknowledge({ round: 2, offset: 10 });
  assert.equal(unread.bytes, 10);
});

Deno.test("Unread forgets everything for a client that asks for it again", () => {
  const unread = given(part(1, 1), part(1, 2));
  unread.acknowledge({ round: 1, offset: 10 });
  assert.equal(unread.bytes, 0);
});

Deno.test("Unread.bytes is the sum of a tail of what was given, whatever is acknowledged", () => {
  const steps = fc.array(
    fc.record({ give: fc.boolean(), round: fc.nat({ max: 3 }), index: fc.nat({ max: 9 }) }),
  );
  fc.assert(fc.property(steps, (all) => {
    const unread = new Unread();
    let most = 0;
    for (const { give, round, index } of all) {
      if (give) {
        unread.add(part(round, index));
        most += PART_BYTES;
      } else unread.acknowledge({ round, offset: index * PART_BYTES });
      assert.ok(unread.bytes >= 0 && unread.bytes <= most && unread.bytes % PART_BYTES === 0);
    }
  }));
});
