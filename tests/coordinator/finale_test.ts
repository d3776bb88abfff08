import assert from "node:assert/strict";
import { LeaveReason, TaskKind, Verdict } from "../../src/contract/federation_pb.ts";
import {
  Federation,
  type FederationSpec,
  FINISH_TIMEOUT_MS,
  HEARTBEAT_MS,
  weights,
} from "../support/federation.ts";
import { grpc } from "../support/grpc.ts";
import { type Member, valuesOf } from "../support/member.ts";
import { body, heartbeat, hello } from "../support/peer.ts";
import { Archive } from "../../src/vault/archive.ts";
import { StateDirectory } from "../vault/state_directory.ts";

async function open(spec: Partial<FederationSpec> = {}): Promise<Federation> {
  return await Federation.open({ subjects: [grpc], placement: "in process", ...spec });
}

const UPDATE = weights([1, 2, 3, 4]);

async function answer(member: Member, round = 1): Promise<void> {
  const receipt = await member.update(await member.task(round), UPDATE);
  assert.equal(receipt.verdict, Verdict.ACCEPTED, receipt.detail);
}

Deno.test("a run is over once every client confirmed the final model", async () => {
  await using federation = await open({ plan: { minClients: 2 } });
  await using a = await federation.join("a");
  await using b = await federation.join("b");
  await Promise.all([answer(a), answer(b)]);
  assert.equal((await b.confirm()).verdict, Verdict.ACCEPTED);
  assert.equal(federation.coordinator.phase, "finishing");
  assert.equal((await a.confirm()).verdict, Verdict.ACCEPTED);
  const outcome = await federation.coordinator.finished;
  assert.deepEqual(outcome.confirmed, ["a", "b"]);
  assert.equal(outcome.reason, "1 rounds are done");
  assert.equal(federation.coordinator.phase, "finished");
});

Deno.test("who does not confirm has its time, and then the run is over without it", async () => {
  await using federation = await open({ plan: { minClients: 2 } });
  await using a = await federation.join("a");
  await using b = await federation.join("b");
  await Promise.all([answer(a), answer(b)]);
  await b.hears("finish");
  await a.confirm();
  // It lives, and still does not confirm.
  for (let passedMs = 0; passedMs < FINISH_TIMEOUT_MS; passedMs += HEARTBEAT_MS) {
    assert.equal(federation.coordinator.phase, "finishing");
    assert.equal((await b.ask(heartbeat())).verdict, Verdict.ACCEPTED);
    federation.clock.pass(HEARTBEAT_MS);
  }
  assert.deepEqual((await federation.coordinator.finished).confirmed, ["a"]);
});

Deno.test("who left, or fell silent, is not waited for", async () => {
  await using federation = await open({ plan: { minClients: 3 } });
  await using a = await federation.join("a");
  await using b = await federation.join("b");
  await using silent = await federation.join("c");
  await Promise.all([answer(a), answer(b), answer(silent)]);
  await Promise.all([a, b, silent].map((member) => member.hears("finish")));
  await b.ask(body({ case: "leave", value: { reason: LeaveReason.SHUTTING_DOWN } }));
  for (let beats = 0; beats < 4; beats++) {
    await a.ask(heartbeat());
    federation.clock.pass(HEARTBEAT_MS);
  }
  await federation.logged("client left", { client: "c", reason: "silent" });
  await a.confirm();
  assert.deepEqual((await federation.coordinator.finished).confirmed, ["a"]);
});

Deno.test("another model than the final one confirms nothing", async () => {
  await using federation = await open();
  await using member = await federation.join("a");
  await answer(member);
  await member.hears("finish");
  const value = { reason: LeaveReason.DONE, modelSha256: new Uint8Array(32) };
  const refused = await member.ask(body({ case: "leave", value }));
  assert.equal(refused.verdict, Verdict.MALFORMED);
  assert.equal(federation.coordinator.phase, "finishing");
  assert.equal((await member.confirm()).verdict, Verdict.ACCEPTED);
  await federation.coordinator.finished;
});

Deno.test("who comes while the run finishes hears of it and gets the final model", async () => {
  await using federation = await open();
  await using member = await federation.join("a");
  await answer(member);
  await member.hears("finish");
  await using late = await federation.join("late");
  assert.equal((await late.hears("finish")).round, 1);
  assert.deepEqual(valuesOf(await late.model(1)), [1, 2, 3, 4]);
  await member.confirm();
  assert.equal(federation.coordinator.phase, "finishing");
  await late.confirm();
  assert.deepEqual((await federation.coordinator.finished).confirmed, ["a", "late"]);
});

Deno.test("who comes when the run is over is told so", async () => {
  await using federation = await open();
  await using member = await federation.join("a");
  await answer(member);
  await member.confirm();
  await federation.coordinator.finished;
  await using late = await federation.dial("late");
  assert.equal((await late.peer.ask(hello())).verdict, Verdict.FINISHED);
});

Deno.test("the final model is saved before Finish is sent", async () => {
  using directory = new StateDirectory();
  await using federation = await open({ state: directory.path });
  await using member = await federation.join("a");
  await answer(member);
  await member.hears("finish");
  assert.deepEqual(Deno.readFileSync(`${directory.path}/model.safetensors`), UPDATE);
  const history = JSON.parse(Deno.readTextFileSync(`${directory.path}/history.json`));
  assert.deepEqual(history.map((record: { clients: string[] }) => record.clients), [["a"]]);
  await member.confirm();
  assert.equal(
    (await federation.coordinator.finished).modelPath,
    `${directory.path}/model.safetensors`,
  );
});

Deno.test("Finish waits for the evaluation of the final model, but not for ever", async () => {
  await using federation = await open({ evaluateFraction: 1 });
  await using member = await federation.join("a");
  await answer(member);
  await member.task(1, TaskKind.EVALUATE);
  await federation.logged("model saved", { round: 1 });
  assert.equal((await member.ask(heartbeat())).verdict, Verdict.ACCEPTED);
  assert.ok(!member.peer.heard.all.some((message) => message.body.case === "finish"));
  for (let passedMs = 0; passedMs < 60_000; passedMs += HEARTBEAT_MS) {
    await member.ask(heartbeat());
    federation.clock.pass(HEARTBEAT_MS);
  }
  assert.deepEqual((await member.hears("finish")).metrics, {});
});

Deno.test("of clients under ever new names no more confirm in the ledger than there may be clients", async () => {
  using directory = new StateDirectory();
  {
    await using federation = await open({ state: directory.path, limits: { maxClients: 2 } });
    await using member = await federation.join("a");
    await answer(member);
    await member.hears("finish");
    for (const name of ["b", "c", "d", "e"]) {
      await using late = await federation.join(name);
      assert.equal((await late.confirm()).verdict, Verdict.ACCEPTED);
    }
    assert.equal(federation.coordinator.phase, "finishing");
  }
  using archive = new Archive(directory.path);
  assert.deepEqual(archive.records.confirmed(), ["b", "c"]);
});

Deno.test("a server that ended before its clients heard Finish tells them when it is back", async () => {
  using directory = new StateDirectory();
  {
    // It is closed while it finishes: the clients' evaluation is still to come.
    await using federation = await open({ state: directory.path, evaluateFraction: 1 });
    await using member = await federation.join("a");
    await answer(member);
    await federation.logged("model saved", { round: 1 });
    assert.equal(federation.coordinator.phase, "finishing");
  }
  await using federation = await open({ state: directory.path });
  assert.equal(federation.coordinator.phase, "finishing");
  await using member = await federation.join("a");
  assert.deepEqual(valuesOf(await member.model(1)), [1, 2, 3, 4]);
  await member.confirm();
  assert.deepEqual((await federation.coordinator.finished).confirmed, ["a"]);
});

Deno.test("a server that comes back to tell of the end does not wait for ever for those who do not", async () => {
  using directory = new StateDirectory();
  {
    await using federation = await open({ state: directory.path, evaluateFraction: 1 });
    await using member = await federation.join("a");
    await answer(member);
    await federation.logged("model saved", { round: 1 });
  }
  await using federation = await open({ state: directory.path });
  federation.clock.pass(5 * HEARTBEAT_MS);
  assert.deepEqual((await federation.coordinator.finished).confirmed, []);
});
