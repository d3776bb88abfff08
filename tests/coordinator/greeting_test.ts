import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { HelloSchema, Verdict } from "../../src/contract/federation_pb.ts";
import { refuseHeld } from "../../src/coordinator/greeting.ts";

const KNOWN = new Uint8Array(32).fill(1);
/** Two rounds are closed, and the first one's model is hashed. */
const made = {
  state: { closedRounds: 2 },
  isResumed: false,
  sha256: (round: number) => round === 1 ? KNOWN.toHex() : undefined,
};

function verdict(
  modelRound: number,
  sha256: Uint8Array,
  { session = new Uint8Array(16), isResumed = false } = {},
) {
  const held = { modelRound, offset: 8n, sha256 };
  return refuseHeld(create(HelloSchema, { session, held }), { ...made, isResumed })?.verdict;
}

Deno.test("refuseHeld() ends the session of a client that holds a model of a round that is not closed", () => {
  assert.equal(verdict(3, KNOWN), Verdict.NO_SESSION);
  assert.equal(verdict(3, new Uint8Array()), Verdict.NO_SESSION); // in part
});

Deno.test("refuseHeld() ends the session of a client that holds another model of a closed round", () => {
  assert.equal(verdict(1, new Uint8Array(32)), Verdict.NO_SESSION);
});

Deno.test("refuseHeld() puts off who may hold another model, where a round went on in another process", () => {
  assert.equal(verdict(2, KNOWN, { isResumed: true }), Verdict.BUSY);
  assert.equal(verdict(2, new Uint8Array(), { isResumed: true }), undefined);
  assert.equal(verdict(1, KNOWN, { isResumed: true }), undefined);
  assert.equal(verdict(0, KNOWN, { isResumed: true }), undefined);
});

Deno.test("refuseHeld() lets in who holds this run's models, nothing, or begins a session", () => {
  assert.equal(verdict(1, KNOWN), undefined);
  assert.equal(verdict(1, new Uint8Array()), undefined);
  assert.equal(verdict(2, KNOWN), undefined);
  assert.equal(verdict(3, KNOWN, { session: new Uint8Array() }), undefined);
  const session = new Uint8Array(16);
  assert.equal(refuseHeld(create(HelloSchema, { session }), made), undefined);
});
