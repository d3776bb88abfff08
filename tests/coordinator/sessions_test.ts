/** Sessions that outlive the process: what a client finds when its server is back. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { LeaveReason, Verdict } from "../../src/contract/federation_pb.ts";
import { Federation, type FederationSpec, weights } from "../support/federation.ts";
import { grpc } from "../support/grpc.ts";
import { valuesOf } from "../support/member.ts";
import { body, hello } from "../support/peer.ts";
import { StateDirectory } from "../vault/state_directory.ts";

async function open(
  directory: StateDirectory,
  plan: FederationSpec["plan"] = {},
): Promise<Federation> {
  return await Federation.open({
    subjects: [grpc],
    placement: "in process",
    state: directory.path,
    plan: { minClients: 2, rounds: 3, ...plan },
  });
}

const UPDATE = weights([1, 2, 3, 4]);

Deno.test("a session is resumed after a restart: the same session, run and round, and its task again", async () => {
  using directory = new StateDirectory();
  let session: Uint8Array;
  let runId: string;
  let taskId: number;
  {
    await using federation = await open(directory);
    await using a = await federation.join("a");
    await using _b = await federation.join("b");
    ({ session, runId } = a);
    ({ taskId } = await a.task(1));
  }
  await using federation = await open(directory);
  await using a = await federation.dial("a");
  const welcome = await a.hello({ session });
  assert.deepEqual(welcome.session, session);
  assert.equal(welcome.round, 0);
  assert.equal(a.runId, runId);
  assert.equal((await a.task(1)).taskId, taskId);
});

Deno.test("an accepted update is a duplicate after a restart, while its round is open and when it is closed", async () => {
  using directory = new StateDirectory();
  await using stack = new AsyncDisposableStack();
  const first = stack.use(await open(directory));
  const [a, b] = [stack.use(await first.join("a")), stack.use(await first.join("b"))];
  const [{ session }, { session: other }] = [a, b];
  const [task, others] = [await a.task(1), await b.task(1)];
  assert.equal((await a.update(task, UPDATE)).verdict, Verdict.ACCEPTED);
  await stack.disposeAsync();

  await using federation = await open(directory);
  await using again = await federation.dial("a");
  await again.hello({ session });
  const repeated = await again.update(task, UPDATE);
  assert.equal(repeated.verdict, Verdict.DUPLICATE);
  assert.equal(repeated.nextOffset, BigInt(UPDATE.length));
  await using last = await federation.dial("b");
  await last.hello({ session: other });
  assert.equal((await last.update(others, UPDATE)).verdict, Verdict.ACCEPTED);
  await federation.logged("round closed", { round: 1, clients: 2 });
  assert.equal((await again.update(task, UPDATE)).verdict, Verdict.DUPLICATE);
  assert.equal((await last.update(others, UPDATE)).verdict, Verdict.DUPLICATE);
});

Deno.test("an accepted update that is damaged is named in the log, and its client is asked again", async () => {
  using directory = new StateDirectory();
  await using stack = new AsyncDisposableStack();
  const first = stack.use(await open(directory));
  const [a, b] = [stack.use(await first.join("a")), stack.use(await first.join("b"))];
  const [{ session }, { session: other }] = [a, b];
  const [task, others] = [await a.task(1), await b.task(1)];
  assert.equal((await a.update(task, UPDATE)).verdict, Verdict.ACCEPTED);
  await stack.disposeAsync();
  for (const file of directory.files("updates")) Deno.truncateSync(join(directory.path, file), 9);

  await using federation = await open(directory);
  const { fields } = await federation.logged("accepted update lost, its client is asked again");
  assert.equal(fields.client, "a");
  assert.equal(fields.round, 1);
  await using again = await federation.dial("a");
  await again.hello({ session });
  assert.equal((await again.task(1)).taskId, task.taskId);
  assert.equal((await again.update(task, UPDATE)).verdict, Verdict.ACCEPTED);
  assert.equal((await again.update(task, UPDATE)).verdict, Verdict.DUPLICATE);
  await using last = await federation.dial("b");
  await last.hello({ session: other });
  assert.equal((await last.update(others, weights([3, 4, 5, 6]))).verdict, Verdict.ACCEPTED);
  await federation.logged("round closed", { round: 1, clients: 2, samples: 200 });
  assert.deepEqual(valuesOf(await last.model(1)), [2, 3, 4, 5]);
});

Deno.test("a session that its client has left is not resumed after a restart", async () => {
  using directory = new StateDirectory();
  let session: Uint8Array;
  {
    await using federation = await open(directory);
    await using a = await federation.join("a");
    ({ session } = a);
    const leave = body({ case: "leave", value: { reason: LeaveReason.SHUTTING_DOWN } });
    assert.equal((await a.ask(leave)).verdict, Verdict.ACCEPTED);
  }
  await using federation = await open(directory);
  await using a = await federation.dial("a");
  assert.equal((await a.peer.ask(hello({ session }))).verdict, Verdict.NO_SESSION);
});

Deno.test("after a restart between two rounds the next one begins with those who were there", async () => {
  using directory = new StateDirectory();
  let session: Uint8Array;
  {
    await using federation = await open(directory, { minClients: 1 });
    await using a = await federation.join("a");
    ({ session } = a);
    assert.equal((await a.update(await a.task(1), UPDATE)).verdict, Verdict.ACCEPTED);
    await federation.logged("model saved", { round: 1 });
  }
  await using federation = await open(directory, { minClients: 1 });
  await federation.logged("round started", { round: 2, clients: 1 });
  await using a = await federation.dial("a");
  await a.hello({ session });
  assert.equal((await a.update(await a.task(2), UPDATE)).verdict, Verdict.ACCEPTED);
});

Deno.test("who does not come back after a restart is dropped like any silent client", async () => {
  using directory = new StateDirectory();
  {
    await using federation = await open(directory);
    await using _a = await federation.join("a");
    await using _b = await federation.join("b");
  }
  await using federation = await open(directory);
  assert.equal(federation.coordinator.phase, "training");
  federation.clock.pass(50_000);
  assert.equal(federation.coordinator.phase, "gathering");
  assert.deepEqual(federation.coordinator.clients().map(({ state }) => state), ["gone", "gone"]);
});
