/** Verdicts, where a coordinator, a roster and a vault have to agree on them. */

import assert from "node:assert/strict";
import { LeaveReason, type Receipt, TaskKind, Verdict } from "../../src/contract/federation_pb.ts";
import type { VaultCalls } from "../../src/vault/calls.ts";
import {
  Federation,
  type FederationSpec,
  HEARTBEAT_MS,
  ROUND_TIMEOUT_MS,
  weights,
} from "../support/federation.ts";
import { grpc } from "../support/grpc.ts";
import { type Member, partOf, valuesOf } from "../support/member.ts";
import { body, heartbeat, hello } from "../support/peer.ts";

async function open(spec: Partial<FederationSpec> = {}): Promise<Federation> {
  return await Federation.open({ subjects: [grpc], placement: "in process", ...spec });
}

function assertVerdict(receipt: Receipt, expected: Verdict): void {
  assert.equal(Verdict[receipt.verdict], Verdict[expected], receipt.detail);
}

const UPDATE = weights([1, 2, 3, 4]);

Deno.test("Welcome carries the nonce of the Hello it answers, whichever opened the session", async () => {
  await using federation = await open();
  await using member = await federation.dial("a");
  const [first, second] = [new Uint8Array(16).fill(1), new Uint8Array(16).fill(2)];
  assert.deepEqual((await member.hello({ nonce: first })).nonce, first);
  const { session } = member;
  const resumed = await member.hello({ nonce: second, session });
  assert.deepEqual(resumed.nonce, second);
  assert.deepEqual(resumed.session, session);
});

Deno.test("a Hello that this server cannot take is told why", async () => {
  await using federation = await open({ limits: { maxSamples: 1000 } });
  await using member = await federation.dial("a");
  const verdict = async (value: object, expected: Verdict) => {
    const whole = { contractVersion: 1, nonce: new Uint8Array(16), samples: 1, ...value };
    assertVerdict(await member.peer.ask(body({ case: "hello", value: whole })), expected);
  };
  await verdict({ contractVersion: 2 }, Verdict.UNSUPPORTED);
  await verdict({ nonce: new Uint8Array(15) }, Verdict.MALFORMED);
  await verdict({ samples: 0 }, Verdict.MALFORMED);
  await verdict({ samples: 1001 }, Verdict.OUT_OF_RANGE);
  await verdict({ session: new Uint8Array(16) }, Verdict.NO_SESSION);
  await verdict({ labels: { site: "x".repeat(4096) } }, Verdict.MALFORMED);
  assert.deepEqual(federation.coordinator.clients(), []);
});

Deno.test("a full federation tells a further client to come again", async () => {
  await using federation = await open({ plan: { minClients: 9 }, limits: { maxClients: 1 } });
  await using _ = await federation.join("a");
  await using member = await federation.dial("b");
  const receipt = await member.peer.ask(hello());
  assertVerdict(receipt, Verdict.BUSY);
  assert.equal(receipt.retryAfterMs, HEARTBEAT_MS);
});

Deno.test("an update's last part that is sent twice at once counts once", async () => {
  await using federation = await open({ plan: { minClients: 2, rounds: 2 } });
  await using a = await federation.join("a");
  await using b = await federation.join("b");
  const task = await a.task(1);
  const both = [1, 2].map(() => a.part(task, UPDATE));
  const verdicts = (await Promise.all(both)).map((receipt) => Verdict[receipt.verdict]);
  assert.deepEqual(verdicts, ["ACCEPTED", "DUPLICATE"]);
  assertVerdict(await b.update(await b.task(1), weights([3, 4, 5, 6])), Verdict.ACCEPTED);
  await federation.logged("round closed", { round: 1, clients: 2, samples: 200 });
  assert.deepEqual(valuesOf(await a.model(1)), [2, 3, 4, 5]);
});

Deno.test("a part that contradicts what is held takes nobody's place: the upload keeps its own", async () => {
  await using federation = await open({
    plan: { minClients: 2 },
    limits: { maxBytesInFlight: UPDATE.length },
  });
  await using a = await federation.join("a");
  await using b = await federation.join("b");
  const task = await a.task(1);
  assertVerdict(await a.part(task, UPDATE, { to: 40 }), Verdict.HELD);
  const forged = UPDATE.slice();
  forged[20] = 255;
  const refused = await a.part(task, forged, { to: 40 });
  assertVerdict(refused, Verdict.MALFORMED);
  assert.equal(refused.nextOffset, 40n);
  assertVerdict(await b.part(await b.task(1), UPDATE, { to: 40 }), Verdict.BUSY);
  assertVerdict(await a.part(task, UPDATE, { from: 40 }), Verdict.ACCEPTED);
  assertVerdict(await b.part(await b.task(1), UPDATE), Verdict.ACCEPTED);
});

Deno.test("an update that was taken in when its round had been given up does not count", async () => {
  const [taken, told] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let parts = 0;
  const slow = (calls: VaultCalls): VaultCalls => ({
    ...calls,
    part: async (part) => {
      const outcome = await calls.part(part);
      if (parts++ > 0) return outcome;
      taken.resolve();
      await told.promise;
      return outcome;
    },
  });
  await using federation = await open({ vault: slow });
  await using member = await federation.join("a");
  const task = await member.task(1);
  const late = member.update(task, weights([9, 9, 9, 9]));
  await taken.promise;
  federation.clock.pass(ROUND_TIMEOUT_MS);
  told.resolve();
  assertVerdict(await late, Verdict.STALE);
  const message = await member.peer.heard.find((heard) =>
    heard.body.case === "task" && heard.body.value.taskId > task.taskId
  );
  assert.ok(message.body.case === "task");
  assertVerdict(await member.update(message.body.value, UPDATE), Verdict.ACCEPTED);
  assert.deepEqual(valuesOf(await member.model(1)), [1, 2, 3, 4]);
});

Deno.test("while the vault takes an update in, and while it makes a model, others are answered", async () => {
  const begun = { part: Promise.withResolvers<void>(), close: Promise.withResolvers<void>() };
  const on = { part: Promise.withResolvers<void>(), close: Promise.withResolvers<void>() };
  const busy = (calls: VaultCalls): VaultCalls => ({
    ...calls,
    part: async (part) => {
      begun.part.resolve();
      await on.part.promise;
      return await calls.part(part);
    },
    close: async (round) => {
      begun.close.resolve();
      await on.close.promise;
      return await calls.close(round);
    },
  });
  await using federation = await open({ vault: busy });
  await using a = await federation.join("a");
  const update = a.update(await a.task(1), UPDATE);
  await begun.part.promise;
  await using b = await federation.join("b");
  assertVerdict(await b.ask(heartbeat()), Verdict.ACCEPTED);
  on.part.resolve();
  assertVerdict(await update, Verdict.ACCEPTED);
  await begun.close.promise;
  for (const member of [a, b]) assertVerdict(await member.ask(heartbeat()), Verdict.ACCEPTED);
  on.close.resolve();
  for (const member of [a, b]) assert.deepEqual(valuesOf(await member.model(1)), [1, 2, 3, 4]);
});

Deno.test("the server's own failure is a verdict, and the next try may succeed", async () => {
  let failures = 1;
  await using federation = await open({
    vault: (calls) => ({
      ...calls,
      part: (part) => failures-- > 0 ? Promise.reject(new Error("out of paper")) : calls.part(part),
    }),
  });
  await using member = await federation.join("a");
  const task = await member.task(1);
  const failed = await member.update(task, UPDATE);
  assertVerdict(failed, Verdict.FAILED);
  assert.ok(failed.retryAfterMs > 0);
  assert.ok(!failed.detail.includes("paper"), "the server's own affairs are not the client's");
  await federation.logged("server failed", { reason: "out of paper" });
  assertVerdict(await member.update(task, UPDATE), Verdict.ACCEPTED);
});

Deno.test("a model that came damaged is sent again from its beginning", async () => {
  await using federation = await open({ plan: { rounds: 2 } });
  await using member = await federation.join("a");
  assertVerdict(await member.update(await member.task(1), UPDATE), Verdict.ACCEPTED);
  await federation.logged("model saved", { round: 1 });
  const isPart = (from: number) =>
    member.peer.heard.find(
      ({ body }) => body.case === "modelPart" && body.value.modelRound === 1,
      from,
    );
  const first = await isPart(0);
  const value = {
    modelRound: 1,
    offset: BigInt(UPDATE.length),
    sha256: new Uint8Array(32),
  };
  assertVerdict(await member.ask(body({ case: "modelHeld", value })), Verdict.MALFORMED);
  const again = await isPart(member.peer.heard.all.indexOf(first) + 1);
  assert.deepEqual(again, first);
});

Deno.test("what is held of another model than the newest is told so", async () => {
  await using federation = await open({ plan: { rounds: 2 } });
  await using member = await federation.join("a");
  const held = async (modelRound: number, offset: number, expected: Verdict) => {
    const value = { modelRound, offset: BigInt(offset) };
    assertVerdict(await member.ask(body({ case: "modelHeld", value })), expected);
  };
  await held(1, 0, Verdict.EARLY);
  await held(0, UPDATE.length + 1, Verdict.MALFORMED);
  await held(0, UPDATE.length, Verdict.ACCEPTED);
  assertVerdict(await member.update(await member.task(1), UPDATE), Verdict.ACCEPTED);
  await member.task(2);
  await held(0, UPDATE.length, Verdict.STALE);
});

Deno.test("an evaluation that nobody asked for, or that cannot be, is told so", async () => {
  await using federation = await open({
    plan: { rounds: 2 },
    evaluateFraction: 1,
    limits: { maxSamples: 1000 },
  });
  await using member = await federation.join("a");
  const verdict = async (value: object, expected: Verdict) => {
    const whole = { taskId: 3, samples: 1, metrics: {}, ...value };
    assertVerdict(await member.ask(body({ case: "evaluation", value: whole })), expected);
  };
  await verdict({}, Verdict.EARLY);
  assertVerdict(await member.update(await member.task(1), UPDATE), Verdict.ACCEPTED);
  await member.task(1, TaskKind.EVALUATE);
  await using late = await federation.join("b");
  await verdict({ metrics: { loss: Infinity } }, Verdict.NON_FINITE);
  await verdict({ samples: 0 }, Verdict.MALFORMED);
  await verdict({ samples: 1001 }, Verdict.OUT_OF_RANGE);
  const value = { taskId: 3, samples: 1, metrics: {} };
  assertVerdict(await late.ask(body({ case: "evaluation", value })), Verdict.UNAUTHORISED);
  await verdict({}, Verdict.ACCEPTED);
});

async function leave(member: Member, value: object): Promise<Receipt> {
  return await member.ask(body({ case: "leave", value }));
}

Deno.test("a last will of a client that has left is nothing to be refused", async () => {
  await using federation = await open({ plan: { minClients: 2 } });
  await using member = await federation.dial("a");
  const nonce = new Uint8Array(16).fill(7);
  await member.hello({ nonce });
  assertVerdict(await leave(member, { reason: LeaveReason.SHUTTING_DOWN }), Verdict.ACCEPTED);
  assertVerdict(await leave(member, { reason: LeaveReason.LOST, nonce }), Verdict.ACCEPTED);
  const again = await leave(member, { reason: LeaveReason.SHUTTING_DOWN });
  assertVerdict(again, Verdict.NO_SESSION);
});

Deno.test("what comes on a route that the server has ended tells its client nothing anew", async () => {
  await using federation = await open();
  await using stack = new AsyncDisposableStack();
  const first = stack.use(await federation.join("a"));
  const { session } = first;
  let newest = first;
  for (let more = 0; more < 16; more++) { // and the first one is one too many
    newest = stack.use(await federation.dial("a"));
    await newest.hello({ session, attach: true });
  }
  await newest.task(1);
  for (let more = 0; more < 3; more++) {
    assertVerdict(await first.ask(heartbeat()), Verdict.ACCEPTED);
  }
  assertVerdict(await newest.ask(heartbeat()), Verdict.ACCEPTED);
  const tasks = newest.peer.heard.all.filter(({ body: { case: kind } }) => kind === "task");
  assert.equal(tasks.length, 1);
});

Deno.test("a session that another client's Hello replaced may not come back", async () => {
  await using federation = await open({ plan: { minClients: 3 } });
  await using first = await federation.join("a");
  await using second = await federation.join("a");
  await using third = await federation.dial("a");
  const hello = { contractVersion: 1, samples: 1, nonce: new Uint8Array(16) };
  const ask = (session: Uint8Array) =>
    third.ask(body({ case: "hello", value: { ...hello, session } }));
  const receipt = await ask(first.session);
  assertVerdict(receipt, Verdict.UNAUTHORISED);
  assert.match(receipt.detail, /another client joined as a/);
  assertVerdict(await ask(second.session), Verdict.ACCEPTED);
});

Deno.test("a last will needs no session, but the nonce of its client", async () => {
  await using federation = await open({ plan: { minClients: 2 } });
  await using member = await federation.dial("a");
  const nonce = new Uint8Array(16).fill(7);
  await member.hello({ nonce });
  const will = { reason: LeaveReason.LOST, nonce };
  const anonymous = { session: new Uint8Array(), runId: "" };
  const say = (value: object) => member.ask(body({ case: "leave", value }), anonymous);
  assertVerdict(await say(will), Verdict.ACCEPTED);
  assertVerdict(await say({ ...will, nonce: new Uint8Array(16).fill(8) }), Verdict.UNAUTHORISED);
  assertVerdict(await say({ reason: LeaveReason.LOST }), Verdict.OTHER_RUN);
  // It may come back: its session is still its own.
  assertVerdict(await member.ask(heartbeat()), Verdict.ACCEPTED);
});

Deno.test("a last will proves itself by the newest Hello's nonce, or that which opened the session", async () => {
  await using federation = await open({ plan: { minClients: 2 } });
  await using member = await federation.dial("a");
  const nonce = (fill: number) => new Uint8Array(16).fill(fill);
  await member.hello({ nonce: nonce(1) });
  for (const fill of [2, 3]) {
    const value = { contractVersion: 1, samples: 1, session: member.session, nonce: nonce(fill) };
    assertVerdict(await member.ask(body({ case: "hello", value })), Verdict.ACCEPTED);
  }
  const say = (fill: number) => leave(member, { reason: LeaveReason.LOST, nonce: nonce(fill) });
  assertVerdict(await say(3), Verdict.ACCEPTED);
  assertVerdict(await say(2), Verdict.UNAUTHORISED);
  assertVerdict(await say(1), Verdict.ACCEPTED);
});

Deno.test("who says that it leaves is not waited for, and has no session any more", async () => {
  await using federation = await open({ plan: { minClients: 2 } });
  await using a = await federation.join("a");
  await using b = await federation.join("b");
  await a.task(1);
  assertVerdict(await leave(a, { reason: LeaveReason.SHUTTING_DOWN }), Verdict.ACCEPTED);
  await federation.logged("client left", { client: "a", reason: "shutting_down" });
  assertVerdict(await a.ask(heartbeat()), Verdict.NO_SESSION);
  assertVerdict(await b.update(await b.task(1), UPDATE), Verdict.ACCEPTED);
  await federation.logged("round closed", { clients: 1, cause: "complete" });
});

Deno.test("a run ends once its clients have converged, and they hear of it", async () => {
  await using federation = await open({ plan: { minClients: 2, rounds: 9 } });
  await using a = await federation.join("a");
  await using b = await federation.join("b");
  for (const member of [a, b]) {
    await member.task(1);
    assertVerdict(await leave(member, { reason: LeaveReason.CONVERGED }), Verdict.ACCEPTED);
  }
  for (const member of [a, b]) {
    assert.equal((await member.hears("finish")).reason, "2 of 2 clients have converged");
    assertVerdict(await member.confirm(), Verdict.ACCEPTED);
  }
  const outcome = await federation.coordinator.finished;
  assert.equal(outcome.rounds, 0);
  assert.deepEqual(outcome.confirmed, ["a", "b"]);
});

Deno.test("a client's own mistakes leave its other work unharmed", async () => {
  await using federation = await open();
  await using member = await federation.join("a");
  const task = await member.task(1);
  assertVerdict(await member.part(task, UPDATE, { to: 40 }), Verdict.HELD);
  const other = partOf(task, UPDATE, { from: 40, to: 60, taskId: 99 });
  assertVerdict(await member.ask(other), Verdict.EARLY);
  assertVerdict(
    await member.ask(heartbeat(), { session: new Uint8Array(16) }),
    Verdict.UNAUTHORISED,
  );
  assertVerdict(await member.ask(heartbeat(), { clientId: "no/id" }), Verdict.MALFORMED);
  assertVerdict(await member.part(task, UPDATE, { from: 40 }), Verdict.ACCEPTED);
});

Deno.test("an update the state directory has no room for is put off, and the client told when to come again", async () => {
  let full = true;
  await using federation = await open({
    vault: (calls) => ({
      ...calls,
      part: (part) =>
        full ? Promise.resolve({ kind: "full", detail: "full", nextOffset: 0 }) : calls.part(part),
    }),
  });
  await using member = await federation.join("a");
  const task = await member.task(1);
  const receipt = await member.update(task, UPDATE);
  assertVerdict(receipt, Verdict.BUSY);
  assert.ok(receipt.retryAfterMs > 0);
  await federation.logged("no room for an update in the state directory", { round: 1 });
  full = false;
  assertVerdict(await member.update(task, UPDATE), Verdict.ACCEPTED);
});

Deno.test("a client says at most so many metrics", async () => {
  await using federation = await open();
  await using member = await federation.join("a");
  const metrics = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`m${index}`, 1]));
  const task = await member.task(1);
  assertVerdict(await member.update(task, UPDATE, { metrics }), Verdict.MALFORMED);
  assertVerdict(await member.update(task, UPDATE), Verdict.ACCEPTED);
});

Deno.test("who has converged and left is remembered, and counts among the clients there may be", async () => {
  await using federation = await open({
    plan: { minClients: 9, convergedFraction: 1 },
    limits: { maxClients: 2 },
  });
  await using other = await federation.join("other");
  {
    await using member = await federation.join("a");
    const leave = (reason: LeaveReason) => body({ case: "leave", value: { reason } });
    await member.ask(leave(LeaveReason.CONVERGED));
    await member.ask(leave(LeaveReason.SHUTTING_DOWN));
  }
  await using third = await federation.dial("c");
  assertVerdict(await third.peer.ask(hello()), Verdict.BUSY);
  assertVerdict(await other.ask(heartbeat()), Verdict.ACCEPTED);
  await using again = await federation.join("a");
  assertVerdict(await again.ask(heartbeat()), Verdict.ACCEPTED);
});
