import assert from "node:assert/strict";
import { serverMessage } from "../../src/contract/codec.ts";
import { Verdict } from "../../src/contract/federation_pb.ts";
import { WorkerLink } from "../../src/contract/link.ts";
import { type Answer, ListenError } from "../../src/contract/protocol_server.ts";
import { answer, ScriptedCoordinator } from "../support/scripted_coordinator.ts";
import { partOf, type SmallOptions } from "./small_server.ts";

const pacing = { runId: "run", partBytes: 100, windowBytes: 1000 };
const route = { wire: "small", id: 1 };
const { signal } = new AbortController();

function open(options: SmallOptions = {}): WorkerLink {
  const worker = new Worker(new URL("./small_worker.ts", import.meta.url), { type: "module" });
  return new WorkerLink(worker, options, pacing);
}

function order(detail: string) {
  return serverMessage({ body: { case: "closing", value: { detail } } });
}

async function says(coordinator: ScriptedCoordinator, reason: string): Promise<void> {
  await coordinator.events.find((event) => event.kind === "refused" && event.reason === reason);
}

Deno.test("WorkerLink.listen() resolves with the addresses of the server in the Worker", async () => {
  await using link = open();
  assert.deepEqual(await link.listen(new ScriptedCoordinator()), [
    { wire: "small", url: "small://here/default" },
  ]);
  assert.deepEqual(await link.traffic(), { up: 1, down: 2, connections: 3 });
});

Deno.test("WorkerLink.hold() leaves the sender's buffer detached", async () => {
  await using link = open();
  await link.listen(new ScriptedCoordinator());
  const bytes = new ArrayBuffer(1000);
  const held = link.hold({ round: 1, bytes });
  assert.ok(bytes.detached);
  await held;
});

Deno.test("an update's bytes are moved out of the Worker, and arrive whole", async () => {
  await using link = open();
  const coordinator = new ScriptedCoordinator();
  coordinator.judge = (message) => answer(message.sequence, Verdict.HELD);
  await link.listen(coordinator);
  assert.equal(await link.send(route, order("deliver"), { signal }), "taken");
  const { message } = await coordinator.message("client-1");
  assert.deepEqual(message, partOf(1000));
  await says(coordinator, "left 0");
});

Deno.test("the verdict goes back into the Worker", async () => {
  await using link = open();
  const coordinator = new ScriptedCoordinator();
  coordinator.deliver = (arrival) => {
    coordinator.arrivals.push(arrival);
    return Promise.resolve(answer(1, Verdict.STALE));
  };
  await link.listen(coordinator);
  await link.send(route, order("deliver"), { signal });
  await says(coordinator, `answered ${Verdict.STALE}`);
});

Deno.test("WorkerLink.send() is stalled once its signal fires, or has fired", async () => {
  await using link = open();
  const coordinator = new ScriptedCoordinator();
  await link.listen(coordinator);
  const abort = new AbortController();
  const outcome = link.send(route, order("wait"), { signal: abort.signal });
  await says(coordinator, "waiting");
  abort.abort();
  assert.equal(await outcome, "stalled");
  assert.equal(await link.send(route, order(""), { signal: abort.signal }), "stalled");
});

Deno.test("WorkerLink.drop() reaches the server in the Worker", async () => {
  await using link = open();
  const coordinator = new ScriptedCoordinator();
  await link.listen(coordinator);
  link.drop(route, "for the test");
  await says(coordinator, "dropped 1 for the test");
});

Deno.test("the operator's mistake crosses as a ListenError with its sentence", async () => {
  await using link = open({ listen: "is refused" });
  await assert.rejects(link.listen(new ScriptedCoordinator()), (error: Error) => {
    assert.ok(error instanceof ListenError);
    assert.equal(error.message, "The port 7 is in use: choose another --small-port");
    return true;
  });
  await assert.rejects(link.closed);
});

Deno.test("a server that breaks while it starts is no operator's mistake", async () => {
  await using link = open({ listen: "breaks" });
  await assert.rejects(link.listen(new ScriptedCoordinator()), (error: Error) => {
    assert.ok(!(error instanceof ListenError));
    assert.equal(error.message, "small is broken");
    return true;
  });
});

Deno.test("one call that fails in the Worker rejects alone", async () => {
  await using link = open();
  await link.listen(new ScriptedCoordinator());
  await assert.rejects(link.send(route, order("break"), { signal }), /small cannot send/);
  await assert.rejects(link.download(route, { round: 9, offset: 0 }, { signal }), RangeError);
  assert.equal(await link.send(route, order(""), { signal }), "taken");
});

for (const [order_, reason] of [["crash", /small crashed/], ["lose the listener", /lost its/]]) {
  Deno.test(`a Worker whose server is told to ${order_} rejects closed and settles every call`, async () => {
    await using link = open();
    const coordinator = new ScriptedCoordinator();
    await link.listen(coordinator);
    const waiting = link.send(route, order("wait"), { signal });
    await says(coordinator, "waiting");
    const crashed = link.send(route, order(String(order_)), { signal });
    await assert.rejects(link.closed, { message: reason });
    assert.equal(await waiting, "gone");
    assert.equal(await crashed, "gone");
    assert.equal(await link.send(route, order(""), { signal }), "gone");
    await assert.rejects(link.traffic(), /closed/);
    await assert.rejects(link.hold({ round: 1, bytes: new ArrayBuffer(1) }), /closed/);
  });
}

Deno.test("a hold under way when the Worker crashes rejects", async () => {
  await using link = open();
  await link.listen(new ScriptedCoordinator());
  const crashed = link.send(route, order("crash"), { signal });
  await assert.rejects(link.hold({ round: 1, bytes: new ArrayBuffer(1) }), /small crashed/);
  assert.equal(await crashed, "gone");
});

Deno.test("WorkerLink is closed when its scope is left, and closing twice is harmless", async () => {
  const link = open();
  {
    await using _ = link;
    await link.listen(new ScriptedCoordinator());
  }
  await link.closed;
  await link[Symbol.asyncDispose]();
  assert.equal(await link.send(route, order(""), { signal }), "gone");
});

Deno.test("WorkerLink closes once what has arrived is answered", async () => {
  const link = open();
  const coordinator = new ScriptedCoordinator();
  const judged = Promise.withResolvers<Answer>();
  coordinator.deliver = () => judged.promise;
  await link.listen(coordinator);
  assert.equal(await link.send(route, order("deliver"), { signal }), "taken");
  await says(coordinator, "left 0");
  const closed = link[Symbol.asyncDispose]();
  judged.resolve(answer(1, Verdict.ACCEPTED));
  await says(coordinator, "answered 1");
  await closed;
});

Deno.test("a WorkerLink that never listened closes", async () => {
  const link = open();
  await link[Symbol.asyncDispose]();
  await link.closed;
  await assert.rejects(link.listen(new ScriptedCoordinator()), /closed/);
});

Deno.test("a Worker that never answers close is ended all the same", async () => {
  const link = open({ deaf: true });
  const coordinator = new ScriptedCoordinator();
  await link.listen(coordinator);
  const waiting = link.send(route, order("wait"), { signal });
  await says(coordinator, "waiting");
  await link[Symbol.asyncDispose]();
  await link.closed;
  assert.equal(await waiting, "gone");
});
