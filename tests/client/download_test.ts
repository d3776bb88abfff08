import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { type ModelPart, ModelPartSchema } from "../../src/contract/federation_pb.ts";
import { Download } from "../../src/client/download.ts";

const MODEL = Uint8Array.from({ length: 100 }, (_, index) => index * 7 & 0xff);

function part(from: number, to: number, model = MODEL): ModelPart {
  return create(ModelPartSchema, {
    modelRound: 3,
    totalBytes: BigInt(model.length),
    offset: BigInt(from),
    bytes: model.subarray(from, to),
  });
}

Deno.test("Download.take() puts parts together, and tells of every step and of the end", () => {
  const download = new Download(part(0, 10));
  assert.deepEqual(download.held(), { modelRound: 3, offset: 0n, sha256: new Uint8Array() });
  assert.equal(download.take(part(0, 10), 30), false);
  assert.equal(download.take(part(10, 30), 30), true);
  assert.equal(download.held().offset, 30n);
  assert.equal(download.take(part(30, 50), 30), false);
  assert.equal(download.take(part(50, 100), 30), true);
  const sha256 = new Uint8Array(createHash("sha256").update(MODEL).digest());
  assert.deepEqual(download.held(), { modelRound: 3, offset: 100n, sha256 });
  assert.deepEqual(download.bytes, MODEL);
});

Deno.test("a gap is told at once, so that its offset is sent again", () => {
  const download = new Download(part(0, 10));
  download.take(part(0, 10), 1000);
  assert.equal(download.take(part(20, 30), 1000), true);
  assert.equal(download.held().offset, 10n);
});

Deno.test("repeated and overlapping parts add what is new", () => {
  const download = new Download(part(0, 10));
  download.take(part(0, 60), 1000);
  download.take(part(0, 60), 1000);
  download.take(part(50, 80), 1000);
  assert.equal(download.offset, 80);
  assert.equal(download.take(part(0, 100), 1000), true);
  assert.deepEqual(download.bytes, MODEL);
});

Deno.test("what is beyond the end, or comes after it, is not taken", () => {
  const download = new Download(part(0, 10));
  assert.equal(download.take({ ...part(0, 100), offset: 1n }, 0), false);
  assert.equal(download.offset, 0);
  download.take(part(0, 100), 0);
  assert.equal(download.take(part(0, 100), 0), false);
});

Deno.test("a model of no bytes is whole with its empty part", () => {
  const empty = part(0, 0, new Uint8Array());
  const download = new Download(empty);
  assert.equal(download.take(empty, 0), true);
  const sha256 = new Uint8Array(createHash("sha256").digest());
  assert.deepEqual(download.held(), { modelRound: 3, offset: 0n, sha256 });
});

Deno.test("whatever parts come in whatever order, a download never holds a wrong byte", () => {
  const bounds = fc.tuple(fc.nat({ max: 100 }), fc.nat({ max: 100 }));
  const parts = fc.array(bounds.map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const), {
    maxLength: 40,
    size: "max",
  });
  fc.assert(fc.property(parts, fc.nat({ max: 60 }), (parts, stepBytes) => {
    const download = new Download(part(0, 0));
    let told = -1;
    for (const [from, to] of parts) {
      const before = download.offset;
      const tell = download.take(part(from, to), stepBytes);
      assert.equal(download.offset, from <= before ? Math.max(before, to) : before);
      assert.deepEqual(
        download.bytes.subarray(0, download.offset),
        MODEL.subarray(0, download.offset),
      );
      const due = before < 100 && (
        from > before || download.offset === 100 || download.offset - told >= stepBytes
      );
      assert.equal(tell, due);
      if (tell) told = Number(download.held().offset);
      assert.equal(download.sha256 !== undefined, download.offset === 100);
    }
  }));
});
