import assert from "node:assert/strict";
import { PacedServer } from "../../src/contract/paced_server.ts";
import { ClosingReason, TaskKind, Verdict } from "../../src/contract/federation_pb.ts";
import type { Arrival, Upcalls } from "../../src/contract/protocol_server.ts";
import type { VaultCalls } from "../../src/vault/calls.ts";
import { serverOptions } from "../protocols/subject.ts";
import {
  Federation,
  type FederationSpec,
  HEARTBEAT_MS,
  PART_BYTES,
  weights,
} from "../support/federation.ts";
import { grpc } from "../support/grpc.ts";
import { Member, valuesOf } from "../support/member.ts";
import { heartbeat } from "../support/peer.ts";

const second = { ...grpc, wire: "grpc@second" };
const UPDATE = weights([1, 2, 3, 4]);

async function open(spec: Partial<FederationSpec> = {}): Promise<Federation> {
  return await Federation.open({ subjects: [grpc, second], placement: "in process", ...spec });
}

Deno.test("who is silent for three intervals is gone, but for who works on a standing connection", async () => {
  await using federation = await open({ plan: { minClients: 2, clientsPerRound: { number: 1 } } });
  await using a = await federation.join("a");
  await using b = await federation.join("b");
  await federation.logged("round started", { clients: 1 });
  const [working, idle] = federation.coordinator.clients()[0]?.state === "open" ? [a, b] : [b, a];
  await working.task(1);
  federation.clock.pass(3 * HEARTBEAT_MS);
  assert.equal(federation.coordinator.clients().length, 2);
  assert.equal((await working.ask(heartbeat())).verdict, Verdict.ACCEPTED);
  federation.clock.pass(5 * HEARTBEAT_MS);
  await federation.logged("client left", { client: idle.clientId, reason: "silent" });
  await idle.peer.connection.lost;
  const receipt = await working.update(await working.task(1), UPDATE);
  assert.equal(receipt.verdict, Verdict.ACCEPTED, receipt.detail);
});

Deno.test("who was silent and speaks again with its session is back", async () => {
  await using federation = await open({ plan: { minClients: 2 } });
  const member = await federation.join("a");
  federation.clock.pass(5 * HEARTBEAT_MS);
  await member.peer.connection.lost;
  await member[Symbol.asyncDispose]();
  await using again = await federation.dial("a");
  Object.assign(again, { session: member.session, runId: member.runId });
  assert.equal((await again.ask(heartbeat())).verdict, Verdict.ACCEPTED);
  assert.deepEqual(federation.coordinator.clients()[0]?.state, "idle");
  await using _ = await federation.join("b");
  assert.equal((await again.task(1)).round, 1);
});

Deno.test("what was on its way on a route that is over takes no task away from the newer one", async () => {
  const said: { arrival: Arrival; upcalls: Upcalls }[] = [];
  const subject: typeof grpc = {
    ...grpc,
    make: (options, own) => {
      const server = grpc.make(options, own);
      const listen = server.listen.bind(server);
      server.listen = (upcalls) =>
        listen({
          ...upcalls,
          observe: (event) => upcalls.observe(event),
          deliver: (arrival) => {
            said.push({ arrival: structuredClone(arrival), upcalls });
            return upcalls.deliver(arrival);
          },
        });
      return server;
    },
  };
  await using federation = await open({ subjects: [subject], plan: { minClients: 2 } });
  const member = await federation.join("a");
  await member.ask(heartbeat());
  const beat = said.find(({ arrival }) =>
    arrival.kind === "message" && arrival.message.body.case === "heartbeat"
  );
  assert.ok(beat);
  await member[Symbol.asyncDispose]();
  await federation.logged("route detached");
  await using again = await federation.dial("a");
  await again.hello({ session: member.session });
  await beat.upcalls.deliver(beat.arrival); // on the route that it came on
  await using _ = await federation.join("b");
  assert.equal((await again.task(1)).round, 1);
});

Deno.test("when a wire is gone, another route of the client takes over what it was to bring", async () => {
  await using federation = await open({ plan: { minClients: 2 } });
  await using member = await federation.join("a", { wire: second.wire });
  await using other = await federation.dial("a", "grpc");
  await other.hello({ session: member.session, attach: true });
  // Tasks go to the newest route, until the other one is all there is.
  await member.ask(heartbeat());
  federation.coordinator.detach("grpc", "the test ends the wire");
  assert.deepEqual(federation.coordinator.clients()[0]?.wires, [second.wire]);
  await using _ = await federation.join("b", { wire: second.wire });
  assert.equal((await member.task(1)).round, 1);
  assert.deepEqual(valuesOf(await member.model(0)), [0, 0, 0, 0]);
});

Deno.test("a wire that comes while a round closes gets the model that is being made", async () => {
  const [asked, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const slow = (calls: VaultCalls): VaultCalls => ({
    ...calls,
    copies: async (round, count) => {
      const copies = await calls.copies(round, count);
      if (round === 1) {
        asked.resolve();
        await answered.promise;
      }
      return copies;
    },
  });
  await using federation = await open({ subjects: [grpc], plan: { rounds: 2 }, vault: slow });
  await using a = await federation.join("a");
  assert.equal((await a.update(await a.task(1), UPDATE)).verdict, Verdict.ACCEPTED);
  await asked.promise;
  await using late = new PacedServer(
    grpc.make(serverOptions("late"), grpc.own()),
    { runId: federation.coordinator.runId, partBytes: PART_BYTES, windowBytes: PART_BYTES },
  );
  const [address] = await federation.coordinator.attach("late", late);
  answered.resolve();
  await using b = await Member.connect(grpc.dial, address?.url ?? "", "b");
  await b.hello();
  await a.task(2);
  assert.deepEqual(valuesOf(await b.model(1)), [1, 2, 3, 4]);
  assert.ok(!federation.log.all.some((line) => line.message === "server failed"));
});

Deno.test("whatever is on its way to them, clients hear why their routes end", async () => {
  const model = weights(new Array(100_000).fill(0.5));
  await using federation = await open({
    plan: { minClients: 3 },
    model,
    limits: { windowBytes: 64 * PART_BYTES },
  });
  await using first = await federation.join("a");
  await using other = await federation.join("b");
  await using second = await federation.join("a");
  assert.equal((await first.hears("closing")).reason, ClosingReason.REPLACED);
  await first.peer.connection.lost;
  await federation.coordinator.farewell("shutdown", "for the test");
  await federation[Symbol.asyncDispose]();
  for (const member of [other, second]) {
    assert.equal((await member.hears("closing")).reason, ClosingReason.SHUTDOWN);
  }
});

Deno.test("a client that is asked to evaluate and leaves is not waited for", async () => {
  await using federation = await open({ plan: { minClients: 2 }, evaluateFraction: 1 });
  await using a = await federation.join("a");
  const b = await federation.join("b");
  for (const member of [a, b]) {
    assert.equal((await member.update(await member.task(1), UPDATE)).verdict, Verdict.ACCEPTED);
  }
  const task = await a.task(1, TaskKind.EVALUATE);
  await b.task(1, TaskKind.EVALUATE);
  const { taskId } = task;
  const value = { $typeName: "tributary.v1.Evaluation", taskId, samples: 5 } as const;
  await a.ask({ case: "evaluation", value: { ...value, metrics: { accuracy: 0.5 } } });
  await b[Symbol.asyncDispose]();
  for (let beats = 0; beats < 5; beats++) {
    await a.ask(heartbeat());
    federation.clock.pass(HEARTBEAT_MS);
  }
  await federation.logged("model evaluated", { round: 1, clients: 1, accuracy: 0.5 });
  assert.deepEqual((await a.hears("finish")).metrics, { accuracy: 0.5 });
});

Deno.test("a coordinator that is closed leaves no timer", async () => {
  const federation = await open();
  await using member = await federation.join("a");
  await member.task(1);
  await federation[Symbol.asyncDispose]();
  assert.equal(federation.clock.timers, 0);
});
