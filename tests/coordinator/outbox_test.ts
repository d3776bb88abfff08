import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { serverMessage } from "../../src/contract/codec.ts";
import { WorkerLink } from "../../src/contract/link.ts";
import { PacedServer } from "../../src/contract/paced_server.ts";
import type {
  Link,
  ModelOffset,
  ProtocolServer,
  Route,
  SendOutcome,
} from "../../src/contract/protocol_server.ts";
import { Outbox } from "../../src/coordinator/outbox.ts";
import type { Client } from "../../src/coordinator/roster.ts";
import { SmallServer } from "../contract/small_server.ts";
import { ScriptedCoordinator } from "../support/scripted_coordinator.ts";

const pacing = { runId: "run", partBytes: 10, windowBytes: 20 };

/** A paced server that remembers the downloads it was asked for. */
class Downloads extends PacedServer {
  readonly asked: ModelOffset[] = [];

  constructor(server: ProtocolServer = new SmallServer({})) {
    super(server, pacing);
  }

  override download(
    route: Route,
    from: ModelOffset,
    options: { signal: AbortSignal },
  ): Promise<SendOutcome> {
    this.asked.push(from);
    return super.download(route, from, options);
  }
}

function open(links: Readonly<Record<string, Link>> = {}) {
  const failures: string[] = [];
  const overflowed: Route[] = [];
  const outbox = new Outbox({
    runId: "run",
    sendTimeoutMs: 1000,
    maxUnsentMessages: 3,
    overflowed: (route) => overflowed.push(route),
    failed: (what, error) => failures.push(`${what}: ${error}`),
  });
  for (const [wire, link] of Object.entries(links)) outbox.addLink(wire, link);
  return { outbox, failures, overflowed };
}

function client(routes: readonly Route[] = [{ wire: "small", id: 1 }]): Client {
  return {
    id: "a",
    session: new Uint8Array(16),
    nonce: new Uint8Array(16),
    newestNonce: new Uint8Array(16),
    samples: 1,
    software: "",
    labels: {},
    routes,
    downlinkWire: undefined,
    lastHeardMs: 0,
    held: undefined,
    counted: undefined,
  };
}

function workerLink(): WorkerLink {
  const url = new URL("../contract/small_worker.ts", import.meta.url);
  return new WorkerLink(new Worker(url, { type: "module" }), {}, pacing);
}

Deno.test("Outbox.hold() hands each wire its copy, and lets the model before go", async () => {
  const [one, two] = [new Downloads(), new Downloads()];
  const { outbox } = open({ one, two });
  const copies = [new ArrayBuffer(30), new ArrayBuffer(30)];
  await outbox.hold(1, copies);
  assert.ok(copies.every((copy) => copy.detached));
  await outbox.hold(2, [new ArrayBuffer(30), new ArrayBuffer(30)]);
  const signal = AbortSignal.abort();
  for (const link of [one, two]) {
    const route = { wire: "small", id: 1 };
    await assert.rejects(link.download(route, { round: 1, offset: 0 }, { signal }), RangeError);
    assert.equal(await link.download(route, { round: 2, offset: 0 }, { signal }), "stalled");
  }
});

Deno.test("a wire that dies while it is given a model holds nobody up", async () => {
  await using dying = workerLink();
  await using steady = workerLink();
  for (const link of [dying, steady]) await link.listen(new ScriptedCoordinator());
  const { outbox, failures } = open({ dying, steady });
  // As the supervisor does once a link is lost.
  dying.closed.catch(() => outbox.removeLink("dying"));
  const body = { case: "closing", value: { detail: "lose the listener" } } as const;
  const { signal } = new AbortController();
  const lost = dying.send({ wire: "dying", id: 1 }, serverMessage({ body }), { signal });
  await outbox.hold(1, [new ArrayBuffer(30), new ArrayBuffer(30)]);
  assert.equal(await lost, "gone");
  assert.deepEqual(outbox.wires, ["steady"]);
  assert.deepEqual(failures, []);
});

Deno.test("Outbox.supply() starts one download a model and route, from where the client stands", async () => {
  const small = new Downloads();
  const { outbox } = open({ small });
  await outbox.hold(1, [new ArrayBuffer(30)]);
  const a = client();
  a.held = { round: 1, offset: 7, whole: false };
  outbox.supply(a, 1);
  outbox.supply(a, 1);
  assert.deepEqual(small.asked, [{ round: 1, offset: 7 }]);
  // A model held in another round is no part of this one.
  await outbox.hold(2, [new ArrayBuffer(30)]);
  outbox.supply(a, 2);
  assert.deepEqual(small.asked.slice(1), [{ round: 2, offset: 0 }]);
  a.held = { round: 2, offset: 30, whole: true };
  outbox.supply(a, 2);
  assert.equal(small.asked.length, 2);
  outbox.close();
});

Deno.test("Outbox.supply() starts again on another route, and after forget()", async () => {
  const small = new Downloads();
  const { outbox, failures } = open({ small });
  await outbox.hold(1, [new ArrayBuffer(30)]);
  const a = client();
  outbox.supply(a, 1);
  a.routes = [{ wire: "small", id: 2 }];
  outbox.supply(a, 1);
  assert.equal(small.asked.length, 2);
  outbox.forget("a");
  outbox.supply(a, 1);
  assert.equal(small.asked.length, 3);
  // What was given up does not take its successor away when it ends.
  await turn();
  outbox.supply(a, 1);
  assert.equal(small.asked.length, 3);
  outbox.close();
  await turn();
  assert.deepEqual(failures, []);
});

Deno.test("Outbox.acknowledge() reaches the wire that sends the model, whichever it came by", async () => {
  const small = new Downloads();
  const { outbox } = open({ small });
  await outbox.hold(1, [new ArrayBuffer(30)]);
  const a = client([{ wire: "small", id: 1 }]);
  outbox.supply(a, 1);
  await turn();
  a.routes = [{ wire: "small", id: 1 }, { wire: "elsewhere", id: 5 }];
  outbox.acknowledge(a, { round: 1, offset: 30 });
  await turn();
  // The download is over: asking for the model again is another one.
  outbox.supply({ ...a, routes: [{ wire: "small", id: 1 }] }, 1);
  assert.equal(small.asked.length, 2);
  outbox.close();
});

Deno.test("a client without a route, or on a wire that is gone, is sent nothing", () => {
  const { outbox, failures } = open();
  const body = serverMessage({ body: { case: "finish", value: {} } }).body;
  outbox.tell(client([]), body);
  outbox.tell(client(), body);
  outbox.supply(client(), 1);
  outbox.drop({ wire: "small", id: 1 }, "for the test");
  outbox.acknowledge(client(), { round: 1, offset: 0 });
  outbox.forget("nobody");
  assert.deepEqual(failures, []);
});

Deno.test("a wire that breaks its promise is told about", async () => {
  const small = new Downloads();
  const { outbox, failures } = open({ small });
  outbox.supply(client(), 9);
  const body = serverMessage({ body: { case: "closing", value: { detail: "break" } } }).body;
  outbox.send({ wire: "small", id: 1 }, body);
  await turn();
  assert.deepEqual(failures.toSorted(), [
    "download of model 9 to a: RangeError: Cannot download the model of round 9: it is not held",
    "send: TypeError: small cannot send",
  ]);
});

Deno.test("a route that takes nothing gets so many messages, and then is given up", async () => {
  const stalled = Promise.withResolvers<SendOutcome>();
  class Stalled extends PacedServer {
    override send(): Promise<SendOutcome> {
      return stalled.promise;
    }
  }
  await using link = new Stalled(new SmallServer({}), pacing);
  const { outbox, overflowed } = open({ small: link });
  const { body } = serverMessage({ body: { case: "closing", value: {} } });
  const route = { wire: "small", id: 1 };
  for (let count = 0; count < 3; count++) outbox.send(route, body);
  assert.deepEqual(overflowed, []);
  outbox.send({ wire: "small", id: 2 }, body); // another one is not hurt
  outbox.send(route, body);
  assert.deepEqual(overflowed, [route]);
  stalled.resolve("taken");
  await turn();
  await outbox.sendLast(route, body);
  assert.deepEqual(overflowed, [route]);
});
