/** A session with the five wires of a real server, each in its Worker. */

import assert from "node:assert/strict";
import { Session, type SessionEvent } from "../../src/client/session.ts";
import { Federation, weights } from "../support/federation.ts";
import { allWires } from "../support/wires.ts";
import { GivenTrainer } from "./given_trainer.ts";

const ROUNDS = 20;
const MODEL = weights(new Array(8 * 1024).fill(0.25)); // two windows

Deno.test("a session tries each of five wires, and every round counts its update once", async () => {
  await using federation = await Federation.open({
    subjects: allWires,
    placement: "in its Worker",
    plan: { rounds: ROUNDS },
    model: MODEL.slice(),
  });
  const events: SessionEvent[] = [];
  const session = new Session({
    clientId: "a",
    urls: allWires.map(({ wire }) => new URL(federation.url(wire))),
    trainer: new GivenTrainer(() => MODEL.slice()),
    software: "test/1",
    signal: new AbortController().signal,
    observe: (event) => events.push(event),
    random: () => 0, // what may be tried is tried
  });
  const final = await session.run();
  assert.equal(final.round, ROUNDS);
  const wires = new Set(events.flatMap((event) => event.kind === "welcomed" ? [event.wire] : []));
  assert.deepEqual([...wires].sort(), allWires.map(({ wire }) => wire).sort());
  assert.deepEqual(events.filter(({ kind }) => kind === "lost"), []);
  const accepted = federation.log.all.filter(({ message }) => message === "update accepted")
    .map(({ fields }) => fields["round"]);
  assert.deepEqual(accepted, Array.from({ length: ROUNDS }, (_, index) => index + 1));
  assert.deepEqual((await federation.coordinator.finished).confirmed, ["a"]);
});
