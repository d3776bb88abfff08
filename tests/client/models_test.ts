import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { ModelPartSchema } from "../../src/contract/federation_pb.ts";
import { Models } from "../../src/client/models.ts";

function part(modelRound: number, from: number, to: number, totalBytes = 20) {
  const bytes = new Uint8Array(to - from).fill(modelRound);
  return create(ModelPartSchema, {
    modelRound,
    totalBytes: BigInt(totalBytes),
    offset: BigInt(from),
    bytes,
  });
}

const pace = { totalBytes: 20n, stepBytes: 5 };

Deno.test("Models.take() gives back the model where the server is to be told of it", () => {
  const models = new Models();
  assert.equal(models.take(part(0, 0, 3), pace), undefined);
  assert.equal(models.take(part(0, 3, 8), pace)?.offset, 8);
  assert.equal(models.whole, undefined);
  assert.equal(models.newest?.offset, 8);
  const whole = models.take(part(0, 8, 20), pace);
  assert.equal(models.whole, whole);
  assert.ok(whole?.sha256);
});

Deno.test("a newer model takes over; the older one serves until the newer is whole", () => {
  const models = new Models();
  models.take(part(0, 0, 20), pace);
  models.take(part(1, 0, 10), pace);
  assert.equal(models.whole?.round, 0);
  assert.equal(models.newest?.round, 1);
  assert.equal(models.take(part(0, 0, 20), pace), undefined);
  models.take(part(1, 10, 20), pace);
  assert.equal(models.whole?.round, 1);
});

Deno.test("a part of a model that is not the federation's is dropped", () => {
  const models = new Models();
  assert.equal(models.take(part(0, 0, 20, 21), pace), undefined);
  assert.equal(models.take(part(0, 0, 20), { ...pace, totalBytes: undefined }), undefined);
  assert.equal(models.newest, undefined);
});

Deno.test("Models.forget() lets a damaged model come again, unless a newer one has begun", () => {
  const models = new Models();
  const damaged = models.take(part(0, 0, 20), pace) ?? assert.fail();
  assert.equal(models.forget(damaged), true);
  assert.equal(models.whole, undefined);
  assert.equal(models.forget(damaged), false);
  const again = models.take(part(0, 0, 20), pace) ?? assert.fail();
  assert.notEqual(again, damaged);
  models.take(part(1, 0, 10), pace);
  assert.equal(models.forget(again), false);
  assert.equal(models.whole, again);
});
