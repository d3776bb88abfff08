/** The whole server, put together from a configuration. */

import assert from "node:assert/strict";
import { ClosingReason, Verdict } from "../../src/contract/federation_pb.ts";
import { ListenError } from "../../src/contract/protocol_server.ts";
import { Metrics } from "../../src/metrics.ts";
import { FederationServer } from "../../src/server/federation_server.ts";
import { VaultError } from "../../src/vault/vault.ts";
import { Awaitable } from "../support/awaitable.ts";
import { eventsTo, type LogLine, weights } from "../support/federation.ts";
import { grpc } from "../support/grpc.ts";
import { Member, valuesOf } from "../support/member.ts";
import { StateDirectory } from "../vault/state_directory.ts";
import { smallConfig } from "./small_config.ts";

async function open(
  directory: StateDirectory,
  flags: Parameters<typeof smallConfig>[1] = {},
  missing: Readonly<Record<string, string>> = {},
) {
  const log = new Awaitable<LogLine>();
  const server = await FederationServer.open({
    config: smallConfig(directory.path, flags),
    events: eventsTo(log),
    metrics: new Metrics(),
    missing,
  });
  const join = async (clientId: string) => {
    const member = await Member.connect(grpc.dial, server.addresses[0]?.url ?? "", clientId);
    await member.hello();
    return member;
  };
  return { server, log, join };
}

async function finish(member: Member): Promise<void> {
  const receipt = await member.update(await member.task(1), weights([1, 2, 3, 4]));
  assert.equal(receipt.verdict, Verdict.ACCEPTED, receipt.detail);
  assert.equal((await member.confirm()).verdict, Verdict.ACCEPTED);
}

Deno.test("a federation opens, trains, ends and leaves its model", async () => {
  using directory = new StateDirectory();
  const state = `${directory.path}/run`;
  const { server, join } = await open(directory, { state });
  await using _ = server;
  await using member = await join("a");
  await finish(member);
  const outcome = await server.finished;
  assert.equal(outcome.rounds, 1);
  assert.deepEqual(outcome.confirmed, ["a"]);
  assert.equal(outcome.modelPath, `${state}/model.safetensors`);
  assert.deepEqual(valuesOf(Deno.readFileSync(outcome.modelPath)), [1, 2, 3, 4]);
});

Deno.test("the status tells of the run, its clients and its wires", async () => {
  using directory = new StateDirectory();
  const { server, join, log } = await open(directory, { "min-clients": "2" }, {
    dds: "no libddsc",
  });
  await using _ = server;
  await using member = await join("a");
  const status = await server.status();
  assert.equal(status.run_id, server.runId);
  assert.deepEqual([status.name, status.phase, status.round, status.rounds], [
    "default",
    "gathering",
    0,
    1,
  ]);
  const [client] = status.clients;
  assert.deepEqual([client?.id, client?.wires, client?.state, client?.samples], [
    "a",
    ["grpc"],
    "idle",
    100,
  ]);
  const [wire, off] = status.wires;
  assert.deepEqual([wire?.wire, wire?.state, wire?.url], ["grpc", "up", server.addresses[0]?.url]);
  assert.equal(wire?.connections, 1);
  assert.ok((wire?.up_bytes ?? 0) > 0 && (wire?.down_bytes ?? 0) > 0);
  assert.deepEqual([off?.wire, off?.state, off?.reason], ["dds", "off", "no libddsc"]);
  assert.ok(log.all.some((line) => line.message === "wire off" && line.fields.wire === "dds"));
  assert.deepEqual(status.history, []);
  await member.peer.connection[Symbol.asyncDispose]();
});

Deno.test("the status tells of closed rounds", async () => {
  using directory = new StateDirectory();
  const { server, join } = await open(directory);
  await using _ = server;
  await using member = await join("a");
  await finish(member);
  const { sha256 } = await server.finished;
  const [record, ...others] = (await server.status()).history;
  assert.deepEqual(others, []);
  assert.deepEqual([record?.round, record?.clients, record?.samples, record?.model_sha256], [
    1,
    1,
    100,
    sha256,
  ]);
});

Deno.test("a run that is over is not begun again", async () => {
  using directory = new StateDirectory();
  const state = `${directory.path}/run`;
  {
    const { server, join } = await open(directory, { state });
    await using _ = server;
    await using member = await join("a");
    await finish(member);
    await server.finished;
  }
  await assert.rejects(open(directory, { state }), (error) => {
    assert.ok(error instanceof VaultError);
    assert.match(error.message, /is over \(1 rounds are done\).*model\.safetensors.*--state/);
    return true;
  });
});

Deno.test("a server whose port is in use says so, leaves nothing running, and can be started again", async () => {
  using directory = new StateDirectory();
  const { server } = await open(directory);
  const { port } = new URL(server.addresses[0]?.url ?? "");
  {
    await using _ = server;
    await assert.rejects(open(directory, { "grpc-port": port }), ListenError);
  }
  const again = await open(directory, { "grpc-port": port });
  await using _ = again.server;
  await using member = await again.join("client-1");
  await finish(member);
});

Deno.test("clients are told whether a server that goes away comes back", async () => {
  using directory = new StateDirectory();
  for (
    const [state, reason] of [
      [undefined, ClosingReason.SHUTDOWN],
      [`${directory.path}/run`, ClosingReason.RESTART],
    ] as const
  ) {
    const { server, join } = await open(directory, state === undefined ? {} : { state });
    await using member = await join("a");
    await server.farewell("for the test");
    await server[Symbol.asyncDispose]();
    assert.equal((await member.hears("closing")).reason, reason);
    await member.peer.connection.lost;
  }
});

Deno.test("a server with a status page serves it, and closes it with the rest", async () => {
  using directory = new StateDirectory();
  const { server, log } = await open(directory, { web: true, "web-port": "0" });
  {
    await using _ = server;
    assert.ok(server.webUrl);
    const answer = await fetch(new URL("/healthz", server.webUrl));
    await answer.body?.cancel();
    assert.equal(answer.status, 200);
  }
  assert.ok(log.all.some((line) => line.message === "status page up"));
});

Deno.test("a server that goes away is not ready any more, and still healthy", async () => {
  using directory = new StateDirectory();
  const { server, join } = await open(directory, {
    web: true,
    "web-port": "0",
    "min-clients": "2",
  });
  await using _ = server;
  await using member = await join("a");
  const answer = async (path: string) => {
    const response = await fetch(new URL(path, server.webUrl));
    return [response.status, await response.text()];
  };
  assert.deepEqual(await answer("readyz"), [200, "ready\n"]);
  await server.farewell("stopped by the test");
  assert.deepEqual(await answer("readyz"), [503, "Not ready: the server is going away\n"]);
  assert.deepEqual(await answer("healthz"), [200, "ok\n"]);
  assert.equal((await server.status()).phase, "draining");
  assert.equal((await member.hears("closing")).reason, ClosingReason.SHUTDOWN);
});
