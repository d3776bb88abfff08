import assert from "node:assert/strict";
import fc from "fast-check";
import { create } from "@bufbuild/protobuf";
import { type UpdatePart, UpdatePartSchema, Verdict } from "../../src/contract/federation_pb.ts";
import { Admission, type OpenTask } from "../../src/coordinator/admission.ts";
import { ManualClock } from "../support/manual_clock.ts";

const EXPIRY_MS = 1000;
const limits = {
  maxSamples: 1000,
  maxUpdateBytes: 100,
  maxBytesInFlight: 250,
  uploadExpiryMs: EXPIRY_MS,
};
const task: OpenTask = { taskId: 2, modelRound: 4, samples: 50 };

function part(more: Partial<Omit<UpdatePart, "$typeName" | "$unknown">> = {}): UpdatePart {
  return create(UpdatePartSchema, {
    taskId: task.taskId,
    modelRound: task.modelRound,
    uploadId: id(1),
    samples: 50,
    totalBytes: 100n,
    offset: 0n,
    bytes: new Uint8Array(10),
    ...more,
  });
}

function id(fill: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(16).fill(fill);
}

function open() {
  const clock = new ManualClock();
  return { clock, admission: new Admission(limits, clock) };
}

const refused: [string, Parameters<typeof part>[0], Verdict][] = [
  ["a short upload id", { uploadId: new Uint8Array(15) }, Verdict.MALFORMED],
  ["another tensor set", { name: "variates" }, Verdict.UNSUPPORTED],
  ["an encoding", { encoding: "gzip" }, Verdict.UNSUPPORTED],
  ["an older model", { modelRound: 3 }, Verdict.STALE],
  ["a newer model", { modelRound: 5 }, Verdict.EARLY],
  ["no samples", { samples: 0 }, Verdict.MALFORMED],
  ["more samples than declared", { samples: 51 }, Verdict.OUT_OF_RANGE],
  ["more bytes than one update may have", { totalBytes: 101n }, Verdict.OVERSIZED],
  ["a total beyond any number", { totalBytes: 2n ** 64n - 1n }, Verdict.OVERSIZED],
  ["an end beyond its total", { offset: 91n }, Verdict.MALFORMED],
  ["an offset beyond any number", { offset: 2n ** 64n - 1n }, Verdict.MALFORMED],
  ["nothing of something", { bytes: new Uint8Array() }, Verdict.MALFORMED],
  ["a metric that is no number", { metrics: { loss: NaN } }, Verdict.NON_FINITE],
  ["a metric without bound", { metrics: { ok: 1, loss: -Infinity } }, Verdict.NON_FINITE],
];

for (const [what, more, verdict] of refused) {
  Deno.test(`Admission.admit() refuses a part with ${what}, and reserves nothing`, () => {
    const { admission } = open();
    const judgement = admission.admit("a", part(more), task);
    assert.equal(judgement?.verdict, verdict);
    assert.ok(judgement?.detail);
    assert.equal(admission.bytesInFlight, 0);
  });
}

Deno.test("Admission.admit() takes a tensor set named weights, and an empty update", () => {
  const { admission } = open();
  assert.equal(admission.admit("a", part({ name: "weights" }), task), undefined);
  assert.equal(
    admission.admit("b", part({ totalBytes: 0n, bytes: new Uint8Array() }), task),
    undefined,
  );
});

Deno.test("the first part reserves the whole update, later ones nothing", () => {
  const { admission } = open();
  admission.admit("a", part(), task);
  assert.equal(admission.bytesInFlight, 100);
  admission.admit("a", part({ offset: 10n }), task);
  assert.equal(admission.bytesInFlight, 100);
  admission.release("a");
  admission.release("a");
  assert.equal(admission.bytesInFlight, 0);
});

Deno.test("an update beyond the bound is told to wait, those admitted before go on", () => {
  const { admission } = open();
  admission.admit("a", part(), task);
  admission.admit("b", part(), task);
  const busy = admission.admit("c", part(), task);
  assert.equal(busy?.verdict, Verdict.BUSY);
  assert.ok((busy?.retryAfterMs ?? 0) > 0);
  assert.equal(admission.admit("a", part({ offset: 10n }), task), undefined);
  assert.equal(admission.admit("d", part({ totalBytes: 50n }), task), undefined);
  admission.release("a");
  assert.equal(admission.admit("c", part(), task), undefined);
});

Deno.test("another upload id takes the place of its predecessor, which cannot come back", () => {
  const { admission } = open();
  admission.admit("a", part(), task);
  assert.equal(admission.admit("a", part({ uploadId: id(2), totalBytes: 60n }), task), undefined);
  assert.equal(admission.bytesInFlight, 60);
  assert.equal(admission.admit("a", part({ offset: 10n }), task)?.verdict, Verdict.STALE);
  assert.equal(admission.admit("a", part({ uploadId: id(3) }), task), undefined);
  assert.equal(admission.admit("a", part({ uploadId: id(2) }), task)?.verdict, Verdict.STALE);
  // What is retired for one task may be used for another: ids are the client's own.
  const next = { ...task, taskId: 4 };
  assert.equal(admission.admit("a", part({ taskId: 4 }), next), undefined);
});

Deno.test("only so many retired upload ids are remembered", () => {
  const { admission } = open();
  for (let fill = 0; fill < 200; fill++) admission.admit("a", part({ uploadId: id(fill) }), task);
  assert.equal(admission.admit("a", part({ uploadId: id(198) }), task)?.verdict, Verdict.STALE);
  assert.equal(admission.admit("a", part({ uploadId: id(0) }), task), undefined);
});

Deno.test("an update of which nothing arrives gives its place back", () => {
  const { admission, clock } = open();
  admission.admit("a", part(), task);
  clock.pass(EXPIRY_MS - 1);
  admission.admit("b", part(), task);
  assert.deepEqual(admission.expire(), []);
  admission.admit("a", part({ offset: 10n }), task);
  clock.pass(EXPIRY_MS);
  assert.deepEqual(admission.expire(), []);
  clock.pass(1);
  assert.deepEqual(admission.expire(), ["a", "b"]);
  assert.equal(admission.bytesInFlight, 0);
});

Deno.test("no unfinished update keeps its place when its round is over", () => {
  const { admission } = open();
  admission.admit("a", part(), task);
  admission.admit("b", part(), task);
  admission.clear();
  assert.equal(admission.bytesInFlight, 0);
  assert.deepEqual(admission.expire(), []);
});

const client = fc.constantFrom("a", "b", "c", "d");
const acts = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant("admit" as const),
      client,
      upload: fc.nat({ max: 4 }),
      taskId: fc.constantFrom(2, 4),
      totalBytes: fc.nat({ max: 120 }),
    }),
    fc.record({ kind: fc.constant("release" as const), client }),
    fc.record({ kind: fc.constant("pass" as const), durationMs: fc.nat({ max: 1500 }) }),
    fc.record({ kind: fc.constant("clear" as const) }),
  ),
  { maxLength: 60, size: "max" },
);

Deno.test("the bytes in flight are never beyond the bound, and return to 0", () => {
  fc.assert(fc.property(acts, (acts) => {
    const { admission, clock } = open();
    for (const act of acts) {
      if (act.kind === "release") admission.release(act.client);
      else if (act.kind === "clear") admission.clear();
      else if (act.kind === "pass") {
        clock.pass(act.durationMs);
        admission.expire();
      } else {
        const { taskId, totalBytes } = act;
        const bytes = new Uint8Array(Math.min(1, totalBytes));
        const before = admission.bytesInFlight;
        const judgement = admission.admit(
          act.client,
          part({ taskId, totalBytes: BigInt(totalBytes), uploadId: id(act.upload), bytes }),
          { ...task, taskId },
        );
        if (judgement !== undefined) assert.equal(admission.bytesInFlight, before);
      }
      assert.ok(admission.bytesInFlight >= 0);
      assert.ok(admission.bytesInFlight <= limits.maxBytesInFlight);
    }
    clock.pass(EXPIRY_MS + 1);
    admission.expire();
    assert.equal(admission.bytesInFlight, 0);
  }));
});
