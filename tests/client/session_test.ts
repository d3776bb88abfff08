/** The edge client against the real server: coordinator, vault and one wire, in this process. */

import assert from "node:assert/strict";
import { Verdict } from "../../src/contract/federation_pb.ts";
import { Session, SessionEnded, type SessionEvent } from "../../src/client/session.ts";
import type { Part } from "../../src/vault/vault.ts";
import { Awaitable } from "../support/awaitable.ts";
import {
  Federation,
  type FederationSpec,
  PART_BYTES,
  ROUND_TIMEOUT_MS,
  weights,
} from "../support/federation.ts";
import { grpc } from "../support/grpc.ts";
import { valuesOf } from "../support/member.ts";
import { mqtt } from "../support/mqtt.ts";
import { Relay } from "../support/relay.ts";
import { StateDirectory } from "../vault/state_directory.ts";
import { GivenTrainer, held } from "./given_trainer.ts";

async function open(spec: Partial<FederationSpec> = {}): Promise<Federation> {
  return await Federation.open({ subjects: [grpc], placement: "in process", ...spec });
}

/** A client that takes part until its end, or until the scope is left. */
class Participant implements AsyncDisposable {
  readonly events = new Awaitable<SessionEvent>();
  readonly trainer: GivenTrainer;
  readonly run: ReturnType<Session["run"]>;
  readonly #abort = new AbortController();

  constructor(
    urls: readonly string[],
    { id = "a", learn = () => weights([1, 2, 3, 4]) }: {
      id?: string;
      learn?: GivenTrainer["learn"];
    } = {},
  ) {
    this.trainer = new GivenTrainer(learn);
    const session = new Session({
      clientId: id,
      urls: urls.map((url) => new URL(url)),
      trainer: this.trainer,
      software: "test/1",
      labels: { site: "here" },
      signal: this.#abort.signal,
      observe: (event) => this.events.push(event),
      backoff: { firstMs: 1, mostMs: 10 },
    });
    this.run = session.run();
    this.run.then(
      () => this.events.end("the session has ended"),
      (error) => this.events.end(`the session has ended: ${error}`),
    );
  }

  async event<Kind extends SessionEvent["kind"]>(
    kind: Kind,
    fits: (event: Extract<SessionEvent, { kind: Kind }>) => boolean = () => true,
    from = 0,
  ): Promise<Extract<SessionEvent, { kind: Kind }>> {
    const event = await this.events.find(
      (each) => each.kind === kind && fits(each as Extract<SessionEvent, { kind: Kind }>),
      from,
    );
    return event as Extract<SessionEvent, { kind: Kind }>;
  }

  count(kind: SessionEvent["kind"]): number {
    return this.events.all.filter((event) => event.kind === kind).length;
  }

  stop(reason: Error): void {
    this.#abort.abort(reason);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop(new Error("the test is over"));
    await this.run.catch(() => {});
  }
}

/** Weights of several windows: F32 of which the first four may be named. */
function large(values: readonly number[]): Uint8Array<ArrayBuffer> {
  return weights([...values, ...new Array(20 * PART_BYTES).fill(0.25)]);
}

Deno.test("a session takes part until Finish, and ends with the final model", async () => {
  await using federation = await open({ plan: { rounds: 2 } });
  await using a = new Participant([federation.url()], {
    learn: (model) => weights(valuesOf(model).map((value) => value + 1)),
  });
  const final = await a.run;
  assert.deepEqual(valuesOf(final.model), [2, 2, 2, 2]);
  assert.equal(final.round, 2);
  assert.equal(final.reason, "2 rounds are done");
  assert.deepEqual((await federation.coordinator.finished).confirmed, ["a"]);
  assert.equal(a.count("lost"), 0);
  const uploaded = a.events.all.filter((event) => event.kind === "uploaded");
  assert.deepEqual(uploaded.map((event) => [event.round, Verdict[event.verdict]]), [
    [1, "ACCEPTED"],
    [2, "ACCEPTED"],
  ]);
  const [prepared, trained] = a.trainer.calls.all;
  assert.equal(prepared?.kind, "prepare");
  assert.deepEqual(trained?.task, { taskId: 2, round: 1, settings: { epochs: 1 } });
});

Deno.test("a session evaluates each model that it is asked to", async () => {
  await using federation = await open({ plan: { rounds: 2 }, evaluateFraction: 1 });
  await using a = new Participant([federation.url()]);
  const final = await a.run;
  assert.deepEqual(final.metrics, { accuracy: 0.2 });
  const records = federation.coordinator.history;
  assert.deepEqual(records.map((record) => record.evaluation), [
    { accuracy: 0.1 },
    { accuracy: 0.2 },
  ]);
});

Deno.test("cut off while it trains, a session goes on with the same training", async () => {
  await using federation = await open();
  await using relay = new Relay(federation.url());
  const trained = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
  await using a = new Participant([relay.url], {
    learn: (_model, _task, signal) => held(signal, trained.promise),
  });
  await a.trainer.training(1);
  relay.cut();
  await a.event("lost");
  await a.event("welcomed", () => true, a.events.all.length);
  trained.resolve(weights([4, 3, 2, 1]));
  assert.deepEqual(valuesOf((await a.run).model), [4, 3, 2, 1]);
  assert.equal(a.trainer.calls.all.filter((call) => call.kind === "train").length, 1);
  assert.equal(a.count("lost"), 1);
  assert.equal(a.count("modelHeld"), 2); // what it held was not sent again
});

Deno.test("cut off in mid-upload, a session sends the rest on the next connection", async () => {
  const parts: Part[] = [];
  const some = Promise.withResolvers<void>();
  await using federation = await open({
    model: large([0, 0, 0, 0]),
    vault: (calls) => ({
      ...calls,
      part: (part) => {
        parts.push(part);
        if (parts.length === 20) some.resolve();
        return calls.part(part);
      },
    }),
  });
  await using relay = new Relay(federation.url());
  await using a = new Participant([relay.url], { learn: () => large([1, 2, 3, 4]) });
  await some.promise;
  relay.cut();
  assert.deepEqual(valuesOf((await a.run).model).slice(0, 4), [1, 2, 3, 4]);
  // One upload, which began once.
  assert.equal(new Set(parts.map((part) => part.uploadId)).size, 1);
  assert.equal(parts.filter((part) => part.offset === 0).length, 1);
  assert.equal(a.count("lost"), 1);
});

Deno.test("cut off in mid-download, a session asks for what is missing only", async () => {
  const model = large([0, 0, 0, 0]);
  await using federation = await open({ model: model.slice() });
  await using relay = new Relay(federation.url());
  await using a = new Participant([relay.url], { learn: () => large([1, 2, 3, 4]) });
  const before = await a.event("modelPart", (event) => event.offset > model.length / 2);
  relay.cut();
  await a.event("lost");
  await a.event("modelHeld", (event) => event.round === 0);
  const trainedFrom = (await a.trainer.training(1)).model;
  assert.ok(trainedFrom?.every((byte, index) => byte === model[index]));
  const parts = a.events.all.filter((event) => event.kind === "modelPart" && event.round === 0);
  const lostAt = a.events.all.findIndex((event) => event.kind === "lost");
  const again = a.events.all.slice(lostAt).find((event) => event.kind === "modelPart");
  assert.ok(again?.kind === "modelPart" && again.offset > 0 && before.offset > 0);
  assert.ok(parts.length < 1.5 * model.length / PART_BYTES, `${parts.length} parts`);
  await a.run;
});

Deno.test("a session outlives its server, which goes on from its state directory", async () => {
  using directory = new StateDirectory();
  await using stack = new AsyncDisposableStack();
  const spec = { subjects: [mqtt], plan: { rounds: 2 }, state: directory.path };
  const first = await open(spec);
  await using relay = new Relay(first.url());
  const trained = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
  await using a = new Participant([relay.url], {
    learn: (model, { round }, signal) =>
      round === 1 ? weights([1, 1, 1, 1]) : held(signal, trained.promise.then(() => model.slice())),
  });
  await a.trainer.training(2);
  await first[Symbol.asyncDispose]();
  const second = stack.use(await open(spec));
  assert.equal(second.coordinator.runId, first.coordinator.runId);
  relay.target = new URL(second.url());
  relay.cut();
  trained.resolve(weights([0, 0, 0, 0]));
  const final = await a.run;
  assert.equal(final.round, 2);
  assert.deepEqual(valuesOf(final.model), [1, 1, 1, 1]);
  assert.deepEqual((await second.coordinator.finished).confirmed, ["a"]);
  // The session was unknown to the second server: one Hello more, on the same connection.
  const connections = second.log.all.filter((line) => line.message === "peer connected");
  assert.equal(connections.length, 1);
});

Deno.test("a session joins the run that took its own one's place, also in the midst of a training", async () => {
  await using stack = new AsyncDisposableStack();
  const first = await open({ subjects: [mqtt] });
  await using relay = new Relay(first.url());
  const ended = Promise.withResolvers<void>();
  let trainings = 0;
  await using a = new Participant([relay.url], {
    learn: async (_model, _task, signal) => {
      if (++trainings > 1) return weights([7, 7, 7, 7]);
      // It takes its time to notice that nobody wants it any more.
      await held(signal, ended.promise).catch(() => ended.promise);
      throw signal.reason;
    },
  });
  await a.trainer.training(1);
  await first[Symbol.asyncDispose]();
  const second = stack.use(await open({ subjects: [mqtt] }));
  relay.target = new URL(second.url());
  relay.cut();
  // Its first task has the same id as that of the run before.
  const [old] = a.trainer.calls.all.filter((call) => call.kind === "train");
  const fresh = await a.trainer.training(1, a.trainer.calls.all.indexOf(old ?? assert.fail()) + 1);
  assert.equal(fresh.task?.taskId, old?.task?.taskId);
  assert.equal(old?.signal?.aborted, true);
  ended.resolve();
  assert.deepEqual(valuesOf((await a.run).model), [7, 7, 7, 7]);
  assert.deepEqual((await second.coordinator.finished).confirmed, ["a"]);
});

Deno.test("a session gives way to a second client of the same id, and says what to do", async () => {
  await using federation = await open();
  const { promise: never } = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
  await using first = new Participant([federation.url()], {
    learn: (_model, _task, signal) => held(signal, never),
  });
  const training = await first.trainer.training(1);
  await using second = new Participant([federation.url()]);
  await assert.rejects(first.run, (error) => {
    assert.ok(error instanceof SessionEnded);
    assert.match(error.message, /Another client joined as a: .*--id/);
    return true;
  });
  assert.equal(training.signal?.aborted, true);
  assert.equal(first.count("lost"), 0);
  await second.run;
});

Deno.test("a session falls back to its second address", async () => {
  await using federation = await open();
  using unused = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = unused.addr;
  unused.close();
  const deserted = `mqtt://127.0.0.1:${port}/default`;
  await using a = new Participant([deserted, federation.url()]);
  await a.run;
  assert.equal((await a.event("unreachable")).url, deserted);
  assert.equal((await a.event("welcomed")).wire, "grpc");
});

Deno.test("a session that is stopped tells the server, ends its training and rejects with the reason", async () => {
  await using federation = await open();
  const { promise: never } = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
  await using a = new Participant([federation.url()], {
    learn: (_model, _task, signal) => held(signal, never),
  });
  const training = await a.trainer.training(1);
  const reason = new Error("Ctrl-C");
  a.stop(reason);
  await assert.rejects(a.run, reason);
  assert.equal(training.signal?.aborted, true);
  await federation.logged("client left", { client: "a", reason: "shutting_down" });
  assert.equal(a.count("lost"), 0);
});

Deno.test("a session whose trainer cannot train this model tells the server that it leaves", async () => {
  await using federation = await open();
  await using a = new Participant([federation.url()]);
  const reason = new Error("The data has 1 feature a sample, the model takes 4");
  a.trainer.prepare = () => Promise.reject(reason);
  await assert.rejects(a.run, reason);
  await federation.logged("client left", { client: "a", reason: "shutting_down" });
});

Deno.test("a session that is stopped while it looks for its server rejects with the reason", async () => {
  using unused = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = unused.addr;
  unused.close();
  await using a = new Participant([`mqtt://127.0.0.1:${port}/default`]);
  await a.event("unreachable");
  const reason = new Error("Ctrl-C");
  a.stop(reason);
  await assert.rejects(a.run, reason);
});

Deno.test("a training that fails costs its round, not the session", async () => {
  await using federation = await open({ plan: { rounds: 1 } });
  await using a = new Participant([federation.url()], {
    learn: (_model, { taskId }) => {
      if (taskId === 2) throw new RangeError("the loss is NaN");
      return weights([1, 2, 3, 4]);
    },
  });
  assert.equal((await a.event("taskFailed")).reason, "the loss is NaN");
  federation.clock.pass(ROUND_TIMEOUT_MS);
  assert.deepEqual(valuesOf((await a.run).model), [1, 2, 3, 4]);
});

Deno.test("an update that is refused is told, and the session goes on", async () => {
  await using federation = await open();
  await using a = new Participant([federation.url()], {
    learn: (_model, { taskId }) => weights(taskId === 2 ? [1, NaN, 3, 4] : [1, 2, 3, 4]),
  });
  const refused = await a.event("uploaded");
  assert.equal(Verdict[refused.verdict], "NON_FINITE");
  federation.clock.pass(ROUND_TIMEOUT_MS);
  assert.deepEqual(valuesOf((await a.run).model), [1, 2, 3, 4]);
});

Deno.test("work for a round that closed without it is ended", async () => {
  await using federation = await open({ plan: { minClients: 2, quorum: 0.5, rounds: 2 } });
  const { promise: never } = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
  await using slow = new Participant([federation.url()], {
    id: "slow",
    learn: (_model, { round }, signal) => round === 1 ? held(signal, never) : weights([3, 3, 3, 3]),
  });
  await using quick = new Participant([federation.url()], { id: "quick" });
  const training = await slow.trainer.training(1);
  await quick.event("uploaded");
  federation.clock.pass(5000);
  await slow.run;
  assert.equal(training.signal?.aborted, true);
  assert.deepEqual(
    slow.events.all.filter((event) => event.kind === "uploaded").map((event) => event.round),
    [2],
  );
});

Deno.test("a server that says it shuts down ends the session; one that restarts is looked for", async () => {
  await using federation = await open();
  const { promise: never } = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
  await using a = new Participant([federation.url()], {
    learn: (_model, _task, signal) => held(signal, never),
  });
  await a.trainer.training(1);
  await federation.coordinator.farewell("restart", "a newer version");
  await a.event("welcomed", () => true, a.events.all.length);
  await federation.coordinator.farewell("shutdown", "that was all");
  await assert.rejects(a.run, /The server shut down before the run ended: that was all/);
});

Deno.test("a client that the server refuses for good is told why", async () => {
  await using federation = await open({ limits: { maxSamples: 5 } });
  await using a = new Participant([federation.url()]);
  await assert.rejects(a.run, /The server refused this client: samples exceeds the limit of 5/);
});
