import assert from "node:assert/strict";
import type { Passage } from "../../src/bench/figures.ts";
import { Stopwatch } from "../../src/bench/stopwatch.ts";
import type { SessionEvent } from "../../src/client/session.ts";
import { Verdict } from "../../src/contract/federation_pb.ts";

/** A stopwatch whose time is the first of each pair. */
function watch(...events: readonly (readonly [nowMs: number, event: SessionEvent])[]): Passage[] {
  const passages: Passage[] = [];
  let nowMs = 0;
  const stopwatch = new Stopwatch(() => nowMs, (passage) => passages.push(passage));
  for (const [atMs, event] of events) {
    nowMs = atMs;
    stopwatch.observe(event);
  }
  return passages;
}

function part(round: number, offset: number, bytes: number): SessionEvent {
  return { kind: "modelPart", round, offset, bytes, totalBytes: 1000 };
}

function trained(round: number): SessionEvent {
  return { kind: "trained", round, metrics: {} };
}

function uploaded(round: number, verdict = Verdict.ACCEPTED): SessionEvent {
  return { kind: "uploaded", round, verdict, detail: "why" };
}

Deno.test("Stopwatch times down from the first part to the last, and up from the first part to the verdict", () => {
  assert.deepEqual(
    watch(
      [1000, part(0, 0, 400)],
      [1500, part(0, 400, 400)],
      [3000, part(0, 800, 200)],
      [3100, trained(1)],
      [5100, uploaded(1)],
    ),
    // The clock started with the first 400 bytes already here.
    [{ round: 1, down: { bytes: 600, seconds: 2 }, up: { bytes: 1000, seconds: 2 } }],
  );
});

Deno.test("Stopwatch does not count parts that are sent again", () => {
  const [passage] = watch(
    [0, part(0, 0, 500)],
    [1000, part(0, 500, 500)],
    [9000, part(0, 500, 500)],
    [9000, trained(1)],
    [9500, uploaded(1)],
  );
  assert.deepEqual(passage?.down, { bytes: 500, seconds: 1 });
});

Deno.test("Stopwatch starts anew with each model", () => {
  const passages = watch(
    [0, part(0, 0, 1000)],
    [0, trained(1)],
    [10, uploaded(1)],
    [100, part(1, 0, 500)],
    [200, part(1, 500, 500)],
    [200, trained(2)],
    [300, uploaded(2)],
  );
  assert.deepEqual(passages.map(({ round }) => round), [1, 2]);
  assert.deepEqual(passages[1]?.down, { bytes: 500, seconds: 0.1 });
});

Deno.test("Stopwatch refuses to time what did not go well", () => {
  assert.throws(
    () => watch([0, part(0, 0, 1000)], [0, trained(1)], [1, uploaded(1, Verdict.OUT_OF_RANGE)]),
    /update of round 1 is out_of_range: why/,
  );
  assert.throws(() => watch([0, trained(1)], [1, uploaded(1)]), /before its model/);
  assert.throws(
    () => watch([0, { kind: "lost", wire: "mqtt", reason: "reset" }]),
    /connection was lost: reset/,
  );
  assert.throws(
    () => watch([0, { kind: "taskFailed", round: 1, reason: "no room" }]),
    /round 1 was not sent: no room/,
  );
});
