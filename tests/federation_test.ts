/**
 * Clients of five wires in one federation: what nobody could see on one wire alone. With
 * TRIBUTARY_EXECUTABLE, of an executable's server and the wires that it has.
 */

import assert from "node:assert/strict";
import { ClosingReason, TaskKind, Verdict } from "../src/contract/federation_pb.ts";
import { type ProtocolName, PROTOCOLS } from "../src/protocols/mod.ts";
import { weights } from "./support/federation.ts";
import { type Member, valuesOf } from "./support/member.ts";
import { type MixedFederation, type MixedSpec, openMixed } from "./support/mixed_federation.ts";
import { body, heartbeat } from "./support/peer.ts";
import { wire } from "./support/wires.ts";

function claim(
  text: string,
  spec: MixedSpec,
  test: (federation: MixedFederation) => Promise<void>,
): void {
  Deno.test(text, async () => {
    await using federation = await openMixed(spec);
    await test(federation);
  });
}

/** The wire; in an executable that cannot serve gRPC, AMQP in its place. */
function wireFor(name: ProtocolName, { wires }: MixedFederation): ProtocolName {
  return wires.includes(name) ? name : "amqp";
}

/** One client on each wire, named after it. */
async function joinAll(
  federation: MixedFederation,
  stack: AsyncDisposableStack,
  samples: (index: number) => number = () => 100,
): Promise<Member[]> {
  return await Promise.all(PROTOCOLS.map(async (name, index) =>
    stack.use(
      await federation.join(`client-${name}`, {
        wire: wireFor(name, federation),
        samples: samples(index),
      }),
    )
  ));
}

claim("all protocols run at once", {}, async (federation) => {
  for (const name of federation.wires) {
    await using member = await federation.dial(`client-${name}`, name);
    const welcome = await member.hello();
    assert.equal(welcome.round, 0);
    assert.equal((await member.ask(heartbeat())).verdict, Verdict.ACCEPTED);
  }
});

claim("mixed clients: five clients on five wires train one model together", {
  minClients: 5,
  rounds: 1,
}, async (federation) => {
  await using stack = new AsyncDisposableStack();
  const members = await joinAll(federation, stack, (index) => (index + 1) * 10);
  await Promise.all(members.map(async (member, index) => {
    const task = await member.task(1);
    assert.deepEqual(valuesOf(await member.model(0)), [0, 0, 0, 0]);
    const update = weights([index, 0, 1, -index]);
    const receipt = await member.update(task, update, { samples: (index + 1) * 10, partBytes: 50 });
    assert.equal(receipt.verdict, Verdict.ACCEPTED, receipt.detail);
  }));
  // Samples 10, 20, 30, 40, 50 weigh the values 0, 1, 2, 3, 4: 400 / 150.
  const mean = Math.fround(400 / 150);
  const confirmed = await Promise.all(members.map(async (member) => {
    assert.deepEqual(valuesOf(await member.model(1)), [mean, 0, 1, -mean]);
    return (await member.confirm()).verdict;
  }));
  assert.ok(confirmed.every((verdict) => verdict === Verdict.ACCEPTED));
  assert.equal((await federation.finished()).length, 5);
});

claim("rounds progress with mixed protocols", {
  minClients: 5,
  rounds: 4,
  evaluateFraction: 1,
}, async (federation) => {
  await using stack = new AsyncDisposableStack();
  const members = await joinAll(federation, stack);
  for (let round = 1; round <= 4; round++) {
    await Promise.all(members.map(async (member) => {
      const task = await member.task(round);
      const before = valuesOf(await member.model(round - 1));
      const receipt = await member.update(task, weights(before.map((value) => value + 1)));
      assert.equal(receipt.verdict, Verdict.ACCEPTED, receipt.detail);
      const evaluation = await member.task(round, TaskKind.EVALUATE);
      const value = { taskId: evaluation.taskId, samples: 10, metrics: { accuracy: round / 10 } };
      await member.ask(body({ case: "evaluation", value }));
    }));
    await federation.logged("round closed", { round, clients: 5 });
  }
  assert.deepEqual(valuesOf(await members[0]?.model(4) ?? new Uint8Array()), [4, 4, 4, 4]);
  await federation.logged("model evaluated", { round: 3, accuracy: 0.3, clients: 5 });
});

claim("a client registers on gRPC, uploads over QUIC and gets its model over MQTT", {
  minClients: 1,
  rounds: 2,
}, async (federation) => {
  const first = wireFor("grpc", federation);
  await using grpc = await federation.join("client-1", { wire: first });
  const task = await grpc.task(1);
  const update = weights([1, 2, 3, 4]);
  await using quic = await federation.dial("client-1", "quic");
  quic.session = (await quic.hello({ session: grpc.session, attach: true })).session;
  await using mqtt = await federation.dial("client-1", "mqtt");
  await mqtt.hello({ session: grpc.session, attach: true });
  assert.deepEqual(await federation.wiresOfClients(), [[first, "quic", "mqtt"]]);
  assert.equal((await grpc.part(task, update, { to: 60 })).nextOffset, 60n);
  const rest = await quic.part(task, update, { from: 60 });
  assert.equal(rest.verdict, Verdict.ACCEPTED, rest.detail);
  // The newest route brings what comes next.
  assert.equal((await mqtt.task(2)).modelRound, 1);
  assert.deepEqual(valuesOf(await mqtt.model(1)), [1, 2, 3, 4]);
});

claim("a client that comes back on another wire replaces its old route", {
  minClients: 2,
}, async (federation) => {
  await using amqp = await federation.join("client-1", { wire: "amqp" });
  await using dds = await federation.join("client-1", { wire: "dds" });
  assert.equal((await amqp.hears("closing")).reason, ClosingReason.REPLACED);
  await amqp.peer.connection.lost;
  assert.equal((await dds.ask(heartbeat())).verdict, Verdict.ACCEPTED);
  assert.deepEqual(await federation.wiresOfClients(), [["dds"]]);
});

claim("a client lost on one wire does not hold the others up", {
  minClients: 5,
}, async (federation) => {
  await using stack = new AsyncDisposableStack();
  const members = await joinAll(federation, stack);
  const [lost, ...others] = members;
  assert.ok(lost);
  await lost.task(1);
  await lost[Symbol.asyncDispose]();
  await federation.logged("route detached", { client: lost.clientId });
  for (const member of others) {
    const receipt = await member.update(await member.task(1), weights([2, 2, 2, 2]));
    assert.equal(receipt.verdict, Verdict.ACCEPTED, receipt.detail);
  }
  await federation.outlive(others);
  await federation.logged("client left", { client: lost.clientId, reason: "silent" });
  await federation.logged("round closed", { clients: 4, selected: 5, cause: "complete" });
  for (const member of others) assert.deepEqual(valuesOf(await member.model(1)), [2, 2, 2, 2]);
});

Deno.test("no connection is shared across threads: each wire's Worker may open its own port only", async () => {
  for (const name of PROTOCOLS) {
    const subject = wire(name);
    const own = subject.own(40_000);
    const permissions = await permissionsOf(name, own);
    if (name === "dds") {
      // Cyclone DDS opens its sockets itself: FFI is all it is given.
      assert.equal(permissions.ffi, true);
      assert.equal(permissions.net ?? false, false);
    } else {
      assert.deepEqual(permissions.net, ["127.0.0.1:40000"]);
      assert.equal(permissions.ffi, false);
    }
    assert.equal(permissions.write, false);
    assert.equal(permissions.run, false);
  }
});

async function permissionsOf(
  name: string,
  own: unknown,
): Promise<Deno.PermissionOptionsObject> {
  const module = await import(`../src/protocols/${name}/options.ts`);
  return module.permissions(own);
}

Deno.test("clean shutdown of every Worker: clients are told, and the same ports serve again at once", async () => {
  const stack = new AsyncDisposableStack();
  await using _ = stack;
  const members: Member[] = [];
  {
    await using federation = await openMixed({ minClients: 6 });
    members.push(...await joinAll(federation, stack));
    await federation.stop();
  }
  for (const member of members) {
    assert.equal((await member.hears("closing")).reason, ClosingReason.RESTART);
    await member.peer.connection.lost;
  }
});

/** Five updates with awkward values; each by the same client, whatever its wire and turn. */
const UPDATES = [
  { client: "a", samples: 7, values: [0.1, -3.3, 1e-8, 5] },
  { client: "b", samples: 100, values: [0.7, 2.25, -1e-3, 5] },
  { client: "c", samples: 31, values: [-12.5, 0.333333, 40, 5] },
  { client: "d", samples: 64, values: [3.14159, -0.5, 1 / 3, 5] },
  { client: "e", samples: 1, values: [60, -60, 59.99, 5] },
];

async function train(arrivals: readonly number[], wires: readonly number[]): Promise<string> {
  await using federation = await openMixed({ minClients: 5 });
  await using stack = new AsyncDisposableStack();
  const members = await Promise.all(UPDATES.map(async ({ client, samples }, index) =>
    stack.use(
      await federation.join(client, {
        samples,
        wire: wireFor(PROTOCOLS[wires[index] ?? 0] ?? "grpc", federation),
      }),
    )
  ));
  for (const index of arrivals) {
    const { samples, values } = UPDATES[index] ?? { samples: 1, values: [] };
    const member = members[index];
    assert.ok(member);
    const receipt = await member.update(await member.task(1), weights(values), { samples });
    assert.equal(receipt.verdict, Verdict.ACCEPTED, receipt.detail);
  }
  const saved = await federation.logged("model saved", { round: 1 });
  return String(saved.fields.sha256);
}

Deno.test("other arrival orders and other wires give the same model SHA-256", async () => {
  const first = await train([0, 1, 2, 3, 4], [0, 1, 2, 3, 4]);
  assert.equal(await train([4, 3, 2, 1, 0], [4, 3, 2, 1, 0]), first);
  assert.equal(await train([2, 0, 4, 1, 3], [1, 1, 3, 0, 2]), first);
});
