import assert from "node:assert/strict";
import { SessionEnded } from "../../src/client/session.ts";
import { TrainerLost } from "../../src/client/trainer.ts";
import { Federation, type FederationSpec, weights } from "../support/federation.ts";
import { mqtt } from "../support/mqtt.ts";
import { valuesOf } from "../support/member.ts";
import { Relay } from "../support/relay.ts";
import { StateDirectory } from "../vault/state_directory.ts";
import { EdgeNode } from "./edge_node.ts";

async function open(spec: Partial<FederationSpec> = {}): Promise<Federation> {
  return await Federation.open({ subjects: [mqtt], placement: "in process", ...spec });
}

Deno.test("takePart() once ends with the run", async () => {
  await using federation = await open();
  await using node = new EdgeNode({ url: federation.url(), once: true });
  await node.run;
  const [final] = node.finals.all;
  assert.equal(final?.runId, federation.coordinator.runId);
  assert.deepEqual(valuesOf(final?.model ?? assert.fail()), [1, 2, 3, 4]);
});

Deno.test("takePart() takes part in one run after another, with the same addresses", async () => {
  const first = await open();
  await using relay = new Relay(first.url());
  await using node = new EdgeNode({
    url: relay.url,
    learn: (model) => weights(valuesOf(model).map((value) => value + 1)),
  });
  await first.coordinator.finished;
  await node.event("waiting", ({ reason }) => /the run has ended/.test(reason));
  await first[Symbol.asyncDispose]();
  await using second = await open({ model: weights([5, 5, 5, 5]) });
  relay.target = new URL(second.url());
  relay.cut();
  const final = await node.finals.find(() => true, 1);
  assert.equal(final.runId, second.coordinator.runId);
  assert.notEqual(final.runId, first.coordinator.runId);
  assert.deepEqual(valuesOf(final.model), [6, 6, 6, 6]);
  assert.deepEqual((await second.coordinator.finished).confirmed, ["a"]);
  assert.equal(node.trainings, 2);
});

Deno.test("takePart() keeps away from a run that it has finished, for which others are waited for", async () => {
  await using federation = await open({ plan: { minClients: 2 } });
  await using node = new EdgeNode({ url: federation.url() });
  await using other = await federation.join("b");
  const task = await other.task(1);
  await other.update(task, weights([1, 2, 3, 4]));
  await node.finals.find(() => true);
  // It came back meanwhile, more than once, and was not kept.
  await node.events.some(3, (event) => event.kind === "waiting");
  await other.confirm();
  assert.deepEqual((await federation.coordinator.finished).confirmed, ["a", "b"]);
  assert.equal(node.finals.all.length, 1);
  assert.equal(node.events.all.filter(({ kind }) => kind === "modelHeld").length, 2);
});

Deno.test("takePart() after the process has ended keeps away from the run that it finished", async () => {
  using directory = new StateDirectory();
  await using federation = await open({ plan: { minClients: 2 } });
  await using other = await federation.join("b");
  {
    await using node = new EdgeNode({ url: federation.url(), state: directory.path });
    await other.update(await other.task(1), weights([1, 2, 3, 4]));
    await node.finals.find(() => true);
  }
  await using node = new EdgeNode({ url: federation.url(), state: directory.path });
  await node.event("waiting", ({ reason }) => reason === "The run is over");
  await other.confirm();
  await federation.coordinator.finished;
  assert.deepEqual(node.finals.all, []);
});

Deno.test("takePart() waits for the next run where it comes when one is over", async () => {
  await using federation = await open();
  await using early = new EdgeNode({ url: federation.url(), once: true });
  await early.run;
  await federation.coordinator.finished;
  await using late = new EdgeNode({ url: federation.url(), id: "late" });
  assert.match((await late.event("waiting")).reason, /refused this client: the run has ended/);
  await using once = new EdgeNode({ url: federation.url(), id: "once", once: true });
  await assert.rejects(once.run, (error) => error instanceof SessionEnded && error.passes);
});

Deno.test("takePart() waits for another server where one has gone for good", async () => {
  await using first = await open({ plan: { minClients: 2 } });
  await using relay = new Relay(first.url());
  await using node = new EdgeNode({ url: relay.url });
  await node.event("welcomed");
  await using second = await open();
  relay.target = new URL(second.url());
  await first.coordinator.farewell("shutdown", "the operator stopped it");
  assert.match((await node.event("waiting")).reason, /shut down before the run ended/);
  assert.equal((await node.finals.find(() => true)).runId, second.coordinator.runId);
});

Deno.test("takePart() ends where another client has its id, for that does not pass", async () => {
  await using federation = await open({ plan: { minClients: 2 } });
  await using first = new EdgeNode({ url: federation.url() });
  await first.event("welcomed");
  await using _ = new EdgeNode({ url: federation.url() });
  await assert.rejects(first.run, (error) => error instanceof SessionEnded && !error.passes);
});

Deno.test("takePart() ends where the trainer is gone, and its round does not wait for it", async () => {
  await using federation = await open({ plan: { minClients: 2 } });
  await using _ = await federation.join("b");
  const learn = () => {
    throw new TrainerLost("The trainer failed: out of memory");
  };
  await using node = new EdgeNode({ url: federation.url(), learn });
  await assert.rejects(node.run, TrainerLost);
  await federation.logged("client left", { client: "a", reason: "shutting_down" });
});
