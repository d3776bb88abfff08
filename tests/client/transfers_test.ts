import assert from "node:assert/strict";
import { serverMessage } from "../../src/contract/codec.ts";
import { type Task, TaskKind, Verdict } from "../../src/contract/federation_pb.ts";
import type { SessionEvent } from "../../src/client/session_event.ts";
import { Transfers, type TransfersOptions } from "../../src/client/transfers.ts";
import type { Observation } from "../../src/client/wire_records.ts";

/** A session's events with a clock of the test's, in seconds. */
class Timed {
  readonly seen: Observation[] = [];
  seconds = 0;
  readonly transfers: Transfers;

  constructor(kept?: TransfersOptions["kept"]) {
    const seen = (observation: Observation) => this.seen.push(observation);
    this.transfers = new Transfers({ nowMs: () => 1000 * this.seconds, seen, kept });
  }

  at(seconds: number, event: SessionEvent): boolean {
    this.seconds = seconds;
    return this.transfers.observe(event);
  }

  tasked(seconds: number, round: number): void {
    this.seconds = seconds;
    const value = { taskId: 2 * round, kind: TaskKind.TRAIN, round, modelRound: round - 1 };
    const { body } = serverMessage({ body: { case: "task", value } });
    this.transfers.tasked(body.value as Task);
  }
}

function welcomed(round: number): SessionEvent {
  return { kind: "welcomed", wire: "mqtt", runId: "run", round };
}

function part(round: number, offset: number, bytes: number): SessionEvent {
  return { kind: "modelPart", round, offset, bytes, totalBytes: 300 };
}

function held(round: number): SessionEvent {
  return { kind: "modelHeld", round, bytes: 300 };
}

function trained(round: number): SessionEvent {
  return { kind: "trained", round, metrics: {} };
}

function uploaded(round: number, verdict = Verdict.ACCEPTED): SessionEvent {
  return { kind: "uploaded", round, verdict, detail: "" };
}

Deno.test("a download is timed from Welcome, or from the task that needs it", () => {
  const timed = new Timed();
  timed.at(1, welcomed(0));
  timed.at(2, part(0, 0, 100));
  assert.ok(timed.transfers.underWay);
  timed.at(4, part(0, 100, 200));
  timed.at(4, held(0));
  timed.tasked(5, 1); // its model is there
  timed.tasked(10, 2);
  timed.at(12, part(1, 0, 300));
  timed.at(12, held(1));
  assert.ok(!timed.transfers.underWay);
  assert.deepEqual(timed.seen, [
    { kind: "down", bytes: 300, seconds: 3 },
    { kind: "down", bytes: 300, seconds: 2 },
  ]);
});

Deno.test("a model that comes unasked is timed from its first part, without it", () => {
  const timed = new Timed();
  timed.at(0, welcomed(0));
  timed.at(0, part(0, 0, 300));
  timed.at(1, held(0));
  timed.at(5, part(1, 0, 100));
  timed.at(7, part(1, 100, 200));
  timed.at(7, held(1));
  timed.at(9, part(2, 0, 300)); // all at once: it shows nothing
  timed.at(9, held(2));
  assert.deepEqual(timed.seen.slice(1), [{ kind: "down", bytes: 200, seconds: 2 }]);
});

Deno.test("an upload is timed when it is accepted, and ends its round in any case", () => {
  const timed = new Timed();
  timed.at(0, welcomed(0));
  timed.at(0, part(0, 0, 300));
  timed.at(1, held(0));
  timed.at(5, trained(1));
  assert.equal(timed.at(9, uploaded(1)), true);
  timed.at(10, trained(2));
  assert.equal(timed.at(10.1, uploaded(2, Verdict.NON_FINITE)), true);
  assert.deepEqual(timed.seen.slice(1), [{ kind: "up", bytes: 300, seconds: 4 }]);
});

Deno.test("what two connections had a part in is not timed", () => {
  const timed = new Timed();
  timed.at(0, welcomed(0));
  timed.at(0, part(0, 0, 100));
  timed.transfers.interrupt();
  timed.at(9, held(0));
  timed.at(9, trained(1));
  timed.transfers.interrupt();
  timed.at(20, uploaded(1));
  assert.deepEqual(timed.seen, []);
});

Deno.test("a round that closes without this client has taken its transfers at least so long", () => {
  const timed = new Timed();
  timed.at(0, welcomed(0));
  timed.at(0, part(0, 0, 300));
  timed.at(1, held(0));
  timed.tasked(1, 1);
  timed.at(2, trained(1));
  assert.equal(timed.at(50, { kind: "roundClosed", round: 1, clients: 3 }), true);
  timed.tasked(50, 2);
  assert.equal(timed.at(90, { kind: "roundClosed", round: 2, clients: 3 }), true);
  assert.equal(timed.at(91, { kind: "roundClosed", round: 3, clients: 3 }), false);
  assert.deepEqual(timed.seen.slice(1), [
    { kind: "up", bytes: 300, seconds: 48 },
    { kind: "down", bytes: 300, seconds: 40 },
  ]);
});

Deno.test("a model of another run with the same round is another model", () => {
  const timed = new Timed();
  timed.at(0, welcomed(0));
  timed.at(0, part(0, 0, 300));
  timed.at(1, held(0));
  timed.at(2, { kind: "welcomed", wire: "mqtt", runId: "another", round: 0 });
  assert.ok(timed.transfers.underWay);
});

Deno.test("a model that an earlier process has kept is no transfer of the first round", () => {
  const [bytes, sha256] = [new Uint8Array(300), new Uint8Array(32)];
  const timed = new Timed({ runId: "run", model: { round: 4, bytes, sha256 } });
  timed.at(1, welcomed(4));
  assert.ok(!timed.transfers.underWay);
  timed.tasked(1, 5);
  timed.at(60, trained(5));
  timed.at(62, uploaded(5));
  timed.tasked(63, 6);
  timed.at(65, part(5, 0, 300));
  timed.at(65, held(5));
  assert.deepEqual(timed.seen, [
    { kind: "up", bytes: 300, seconds: 2 },
    { kind: "down", bytes: 300, seconds: 2 },
  ]);
});
