/** Rounds as they are carried out: the real vault, one wire, a clock moved by hand. */

import assert from "node:assert/strict";
import { LeaveReason, type Task, Verdict } from "../../src/contract/federation_pb.ts";
import type { SessionRow } from "../../src/vault/ledger.ts";
import { VaultLink } from "../../src/vault/link.ts";
import {
  Federation,
  type FederationSpec,
  GRACE_MS,
  HEARTBEAT_MS,
  ROUND_TIMEOUT_MS,
  weights,
} from "../support/federation.ts";
import { grpc } from "../support/grpc.ts";
import { type Member, valuesOf } from "../support/member.ts";
import { body, heartbeat } from "../support/peer.ts";
import { StateDirectory } from "../vault/state_directory.ts";

async function open(spec: Partial<FederationSpec> = {}): Promise<Federation> {
  return await Federation.open({ subjects: [grpc], placement: "in process", ...spec });
}

/** The next train task after one. */
async function taskAfter(member: Member, task: Task): Promise<Task> {
  const message = await member.peer.heard.find(({ body }) =>
    body.case === "task" && body.value.taskId > task.taskId
  );
  assert.ok(message.body.case === "task");
  return message.body.value;
}

/** Answers a round with these weights. */
async function answer(member: Member, round: number, values: number[]): Promise<void> {
  const receipt = await member.update(await member.task(round), weights(values));
  assert.equal(receipt.verdict, Verdict.ACCEPTED, receipt.detail);
}

Deno.test("a round without an answer is begun again at its deadline, with other task ids", async () => {
  await using federation = await open();
  await using member = await federation.join("a");
  const task = await member.task(1);
  federation.clock.pass(ROUND_TIMEOUT_MS);
  const again = await taskAfter(member, task);
  assert.equal(again.round, 1);
  assert.equal((await member.update(task, weights([1, 1, 1, 1]))).verdict, Verdict.STALE);
  assert.equal((await member.update(again, weights([2, 2, 2, 2]))).verdict, Verdict.ACCEPTED);
  assert.deepEqual(valuesOf(await member.model(1)), [2, 2, 2, 2]);
});

Deno.test("at its deadline a round closes with the answers it has", async () => {
  await using federation = await open({ plan: { minClients: 2 } });
  await using a = await federation.join("a");
  await using b = await federation.join("b");
  const task = await b.task(1);
  await answer(a, 1, [1, 2, 3, 4]);
  for (let passedMs = 0; passedMs < ROUND_TIMEOUT_MS; passedMs += HEARTBEAT_MS) {
    assert.equal((await a.ask(heartbeat())).verdict, Verdict.ACCEPTED);
    federation.clock.pass(HEARTBEAT_MS);
  }
  const line = await federation.logged("round closed", { cause: "deadline", clients: 1 });
  assert.equal(line.fields.selected, 2);
  assert.equal((await b.update(task, weights([9, 9, 9, 9]))).verdict, Verdict.FINISHED);
  assert.deepEqual(valuesOf(await a.model(1)), [1, 2, 3, 4]);
});

Deno.test("with a quorum a round waits for the grace period, and no longer", async () => {
  await using federation = await open({ plan: { minClients: 2, quorum: 0.5, rounds: 2 } });
  await using a = await federation.join("a");
  await using b = await federation.join("b");
  const missed = await b.task(1);
  await answer(a, 1, [1, 1, 1, 1]);
  federation.clock.pass(GRACE_MS - 1);
  assert.equal((await a.ask(heartbeat())).verdict, Verdict.ACCEPTED);
  assert.equal(federation.coordinator.phase, "training");
  federation.clock.pass(1);
  await federation.logged("round closed", { round: 1, cause: "quorum", clients: 1 });
  assert.equal((await b.update(missed, weights([9, 9, 9, 9]))).verdict, Verdict.STALE);
  // Who was late is in the next round.
  await answer(b, 2, [3, 3, 3, 3]);
  await answer(a, 2, [1, 1, 1, 1]);
  assert.deepEqual(valuesOf(await b.model(2)), [2, 2, 2, 2]);
});

Deno.test("an adaptive deadline is learned from the rounds before, and told to the clients", async () => {
  await using federation = await open({
    plan: { minClients: 2, rounds: 4 },
    deadlineFactor: 2,
  });
  await using a = await federation.join("a");
  await using b = await federation.join("b");
  for (let round = 1; round <= 3; round++) {
    assert.equal((await a.task(round)).deadlineMs, ROUND_TIMEOUT_MS);
    await b.task(round);
    federation.clock.pass(9000);
    await Promise.all([a, b].map((member) => answer(member, round, [1, 1, 1, 1])));
    await federation.logged("round closed", { round, cause: "complete" });
  }
  assert.equal((await a.task(4)).deadlineMs, 18_000);
  await answer(a, 4, [2, 2, 2, 2]);
  federation.clock.pass(17_999);
  assert.equal((await a.ask(heartbeat())).verdict, Verdict.ACCEPTED);
  assert.equal(federation.coordinator.phase, "training");
  federation.clock.pass(1);
  await federation.logged("round closed", { round: 4, cause: "deadline", clients: 1 });
});

Deno.test("a run that every client has left says so, and goes on when they are back", async () => {
  await using federation = await open({ plan: { minClients: 2 } });
  const leave = body({ case: "leave", value: { reason: LeaveReason.SHUTTING_DOWN } });
  {
    await using a = await federation.join("a");
    await using b = await federation.join("b");
    await Promise.all([a.ask(leave), b.ask(leave)]);
  }
  await federation.logged("every client is gone", { phase: "gathering", round: 0 });
  assert.equal(federation.coordinator.waitingFor, "2 clients; none is here");
  await using a = await federation.join("a");
  await using b = await federation.join("b");
  await Promise.all([a, b].map((member) => answer(member, 1, [3, 3, 3, 3])));
  assert.deepEqual(valuesOf(await a.model(1)), [3, 3, 3, 3]);
});

Deno.test("what is left of an upload when its round closes gives its place back", async () => {
  const update = weights([1, 2, 3, 4]);
  await using federation = await open({
    plan: { minClients: 2, quorum: 0.5, rounds: 2 },
    limits: { maxBytesInFlight: update.length * 1.5 },
  });
  await using a = await federation.join("a");
  await using b = await federation.join("b");
  await answer(a, 1, [1, 1, 1, 1]);
  assert.equal((await b.part(await b.task(1), update, { to: 40 })).verdict, Verdict.HELD);
  federation.clock.pass(GRACE_MS);
  await federation.logged("round closed", { round: 1 });
  assert.equal((await a.part(await a.task(2), update, { to: 40 })).verdict, Verdict.HELD);
});

Deno.test("a run that goes on drops who does not come back, also where its rounds are short", async () => {
  using directory = new StateDirectory();
  await remember(directory, ["a", "ghost"], []);
  await using federation = await open({
    plan: { minClients: 1, quorum: 0.5, rounds: 10 },
    state: directory.path,
  });
  await using a = await federation.join("a");
  for (let round = 1; round <= 4; round++) {
    await answer(a, round, [round, 0, 0, 0]);
    federation.clock.pass(HEARTBEAT_MS);
    await federation.logged("round closed", { round });
    await a.task(round + 1);
    assert.equal((await a.ask(heartbeat())).verdict, Verdict.ACCEPTED);
  }
  await federation.logged("client left", { client: "ghost", reason: "silent" });
  await answer(a, 5, [5, 0, 0, 0]);
  await federation.logged("round closed", { round: 5, cause: "complete", selected: 1 });
});

function sessionOf(client: string): SessionRow {
  return {
    client,
    session: new Uint8Array(16).fill(client.charCodeAt(0)),
    nonce: new Uint8Array(16),
    samples: 100,
    software: "test",
    labels: {},
    downlinkWire: undefined,
    present: true,
    converged: false,
  };
}

/** A state directory with an open round. */
async function remember(
  directory: StateDirectory,
  clients: readonly string[],
  answered: readonly string[],
): Promise<void> {
  const { vault } = await VaultLink.open({
    stateDirectory: directory.path,
    name: "default",
    strategy: { name: "fedavg", options: {} },
    keepModels: 3,
    durability: "process",
    keepRounds: 1000,
    initialModel: weights([0, 0, 0, 0]).buffer,
  });
  await using _ = vault;
  const assigned = clients.map((client, index) => ({
    client,
    taskId: 2 + 2 * index,
    samples: 100,
  }));
  for (const client of clients) await vault.calls.keepSession(sessionOf(client));
  await vault.calls.begin(1, assigned);
  for (const { client, taskId } of assigned.filter((each) => answered.includes(each.client))) {
    const bytes = weights([1, 2, 3, 4]);
    const { kind } = await vault.calls.part({
      client,
      taskId,
      round: 1,
      uploadId: client,
      kind: "weights",
      samples: 100,
      metrics: {},
      totalBytes: bytes.length,
      offset: 0,
      bytes,
    });
    assert.equal(kind, "accepted");
  }
}

Deno.test("a run that goes on in a round that all have answered closes it, and every wire gets the model", async () => {
  using directory = new StateDirectory();
  await remember(directory, ["a"], ["a"]);
  await using federation = await open({ plan: { rounds: 2 }, state: directory.path });
  await federation.logged("run restored from its state", { round: 0, updates: 1 });
  await federation.logged("round closed", { round: 1, clients: 1 });
  await using member = await federation.join("a");
  assert.deepEqual(valuesOf(await member.model(1)), [1, 2, 3, 4]);
  await answer(member, 2, [5, 5, 5, 5]);
  assert.equal((await member.confirm()).verdict, Verdict.ACCEPTED);
  assert.deepEqual((await federation.coordinator.finished).confirmed, ["a"]);
});

Deno.test("a client of a run that goes on answers the task it had", async () => {
  using directory = new StateDirectory();
  await remember(directory, ["a", "b"], ["b"]);
  await using federation = await open({ state: directory.path });
  await using member = await federation.join("a");
  const task = await member.task(1);
  assert.equal(task.taskId, 2);
  await member.update(task, weights([3, 2, 1, 0]));
  assert.deepEqual(valuesOf(await member.model(1)), [2, 2, 2, 2]);
});

Deno.test("a coordinator that is closed while the vault makes a model begins nothing after it", async () => {
  const made = Promise.withResolvers<void>();
  await using federation = await open({
    plan: { rounds: 5 },
    vault: (calls) => ({
      ...calls,
      close: async (round) => {
        await made.promise;
        return await calls.close(round);
      },
    }),
  });
  await using member = await federation.join("a");
  await answer(member, 1, [1, 1, 1, 1]);
  assert.equal(federation.coordinator.phase, "closing");
  const closed = federation.coordinator[Symbol.asyncDispose]();
  made.resolve();
  await closed;
  assert.equal(federation.clock.timers, 0);
  assert.equal(federation.coordinator.closedRounds, 0);
  assert.ok(!federation.log.all.some((line) => /failed/.test(line.message)));
});

Deno.test("a run whose vault fails ends at once, and says why once", async () => {
  await using federation = await open({
    plan: { rounds: 5 },
    vault: (calls) => ({ ...calls, close: () => Promise.reject(new Error("the disk is full")) }),
  });
  await using member = await federation.join("a");
  await answer(member, 1, [1, 1, 1, 1]);
  await assert.rejects(federation.coordinator.finished, {
    message: "The run cannot go on: the disk is full",
  });
  federation.coordinator.fail(new Error("the vault is lost, too"));
  const failures = federation.log.all.filter((line) => line.message === "vault failed");
  assert.deepEqual(failures.map((line) => line.fields.reason), ["the disk is full"]);
});

Deno.test("a run ends when its target is reached, with the model that reached it", async () => {
  const accuracies = [0.5, 0.9];
  await using federation = await open({
    plan: { rounds: 100 },
    stopping: { metric: "accuracy", target: 0.9 },
    evaluate: () =>
      Promise.resolve({ samples: 10, metrics: { accuracy: accuracies.shift() ?? NaN } }),
  });
  await using member = await federation.join("a");
  await answer(member, 1, [1, 1, 1, 1]);
  await federation.logged("model evaluated", { round: 1, by: "server", accuracy: 0.5 });
  await answer(member, 2, [2, 2, 2, 2]);
  const finish = await member.hears("finish");
  assert.equal(finish.reason, "accuracy 0.9 reached the target 0.9");
  assert.equal(finish.round, 2);
  assert.deepEqual(finish.metrics, { accuracy: 0.9 });
  await member.confirm();
  assert.equal((await federation.coordinator.finished).rounds, 2);
});

Deno.test("an evaluation of the server's own that fails is no value, and stops nothing", async () => {
  await using federation = await open({
    plan: { rounds: 2 },
    evaluate: () => Promise.reject(new Error("the evaluator is gone")),
  });
  await using member = await federation.join("a");
  await answer(member, 1, [1, 1, 1, 1]);
  await federation.logged("server failed", { reason: "the evaluator is gone" });
  await answer(member, 2, [2, 2, 2, 2]);
  await member.confirm();
  assert.equal((await federation.coordinator.finished).rounds, 2);
  assert.deepEqual(federation.coordinator.history.map((record) => record.evaluation), [{}, {}]);
});

Deno.test("a loss without bound is no value: the ledger could not tell it from 0", async () => {
  using directory = new StateDirectory();
  await using federation = await open({
    plan: { rounds: 2 },
    stopping: { metric: "loss", target: 0.1 },
    state: directory.path,
    evaluate: () => Promise.resolve({ samples: 1, metrics: { loss: Infinity, accuracy: 0.1 } }),
  });
  await using member = await federation.join("a");
  await answer(member, 1, [1, 1, 1, 1]);
  await answer(member, 2, [1, 1, 1, 1]);
  assert.equal((await member.hears("finish")).reason, "2 rounds are done");
  assert.deepEqual(federation.coordinator.history[0]?.evaluation, { accuracy: 0.1 });
});
