import assert from "node:assert/strict";
import {
  clientMessage,
  decodeServerMessage,
  encodeClientMessage,
  serverMessage,
} from "../../src/contract/codec.ts";
import {
  type ClientMessage,
  ClosingReason,
  LeaveReason,
  type ServerMessage,
  Verdict,
} from "../../src/contract/federation_pb.ts";
import type { Route } from "../../src/contract/protocol_server.ts";
import { Relay, type RelayOptions } from "../../src/contract/relay.ts";
import { serverOptions } from "../protocols/subject.ts";
import { Awaitable } from "../support/awaitable.ts";
import { body, heartbeat, hello } from "../support/peer.ts";
import { answer, RUN_ID, ScriptedCoordinator } from "../support/scripted_coordinator.ts";

const { signal } = new AbortController();

/** A relay at a broker that takes everything and gives it to whoever is there. */
class Bench implements Disposable {
  readonly coordinator = new ScriptedCoordinator();
  readonly written = new Awaitable<{ address: string; message: ServerMessage }>();
  /** Addresses at which nobody is any more. */
  readonly empty = new Set<string>();
  readonly relay: Relay;
  #sequence = 0;

  constructor(server: Partial<RelayOptions["server"]> = {}) {
    this.relay = new Relay({
      server: { ...serverOptions("test@broker"), ...server },
      upcalls: this.coordinator,
      publish: (address, bytes) => {
        this.written.push({ address, message: decodeServerMessage(bytes) });
        return Promise.resolve(!this.empty.has(address));
      },
      windowMessages: 64,
      maxUnreadBytes: 1024 * 1024,
    });
  }

  /** What a client of an id publishes, its answers going to an address of the same name. */
  say(clientId: string, said: ClientMessage["body"], sequence = ++this.#sequence) {
    const message = clientMessage({ clientId, runId: RUN_ID, sequence, body: said });
    return this.relay.hear({ clientId, address: clientId }, encodeClientMessage(message));
  }

  async route(clientId: string): Promise<Route> {
    return (await this.coordinator.message(clientId)).route;
  }

  async detached({ id }: Route): Promise<string> {
    const arrival = await this.coordinator.arrivals.find((each) =>
      each.kind === "detached" && each.route.id === id
    );
    return arrival.kind === "detached" ? arrival.reason : "";
  }

  /** The Closings that went to an address. */
  closings(address: string) {
    return this.written.all.flatMap((each) => {
      const { body } = each.message;
      return each.address === address && body.case === "closing" ? [body.value] : [];
    });
  }

  get refusals(): string[] {
    return this.coordinator.events.all.flatMap((event) =>
      event.kind === "refused" ? [event.reason] : []
    );
  }

  [Symbol.dispose](): void {
    this.relay.abandon();
  }
}

/** @param of Fills the nonce of the connection's Hello. */
function leave(reason: LeaveReason, of = 0): ClientMessage["body"] {
  return body({ case: "leave", value: { reason, nonce: nonce(of) } });
}

function nonce(of: number): Uint8Array {
  return new Uint8Array(16).fill(of);
}

function task(): ServerMessage {
  return serverMessage({ runId: RUN_ID, body: { case: "task", value: { round: 1 } } });
}

Deno.test("Relay makes a client of an address that is heard, and answers there", async () => {
  using bench = new Bench();
  assert.equal(await bench.say("a", hello()), "judged");
  assert.equal(await bench.say("a", heartbeat()), "judged");
  assert.equal(await bench.say("b", hello()), "judged");
  assert.equal(bench.relay.connections, 2);
  const ids = bench.coordinator.arrivals.all.map(({ route }) => route.id);
  assert.deepEqual(ids, [ids[0], ids[0], ids[2]]);
  assert.notEqual(ids[0], ids[2]);
  assert.deepEqual(bench.written.all.map(({ address }) => address), ["a", "a", "b"]);
  assert.equal(await bench.relay.send(await bench.route("b"), task(), { signal }), "taken");
  assert.equal(bench.written.all.at(-1)?.address, "b");
});

Deno.test("Relay lets nobody speak for another client", async () => {
  using bench = new Bench();
  const bytes = encodeClientMessage(clientMessage({ clientId: "b", body: heartbeat() }));
  assert.equal(await bench.relay.hear({ clientId: "a", address: "a" }, bytes), "refused");
  assert.match(bench.refusals[0] ?? "", /of client "b"/);
  assert.equal(bench.coordinator.arrivals.all.length, 0);
});

Deno.test("Relay ends a client whose message is too large, and tells it", async () => {
  using bench = new Bench({ maxMessageBytes: 100 });
  await bench.say("a", hello());
  const large = new Uint8Array(101);
  assert.equal(await bench.relay.hear({ clientId: "a", address: "a" }, large), "refused");
  assert.match(await bench.detached(await bench.route("a")), /101 bytes, the limit is 100/);
  assert.equal(bench.closings("a")[0]?.reason, ClosingReason.REFUSED);
  assert.equal(bench.relay.connections, 0);
});

Deno.test("Relay tells bytes that are no message from those that are", async () => {
  using bench = new Bench();
  const hearing = await bench.relay.hear({ clientId: "a", address: "a" }, new Uint8Array([255]));
  assert.equal(hearing, "unreadable");
  assert.equal(bench.coordinator.arrivals.all[0]?.kind, "unreadable");
});

Deno.test("Relay has a bounded number of places", async () => {
  using bench = new Bench({ maxConnections: 1 });
  await bench.say("a", hello());
  assert.equal(await bench.say("b", hello()), "refused");
  assert.equal(bench.closings("b")[0]?.reason, ClosingReason.RESTART); // it may come again
  assert.equal(await bench.say("a", leave(LeaveReason.SHUTTING_DOWN)), "judged");
  assert.equal(await bench.say("b", hello()), "judged");
});

Deno.test("Relay detaches a client by its last will, and not a stranger", async () => {
  using bench = new Bench();
  await bench.say("a", hello({ nonce: nonce(0) }));
  const route = await bench.route("a");
  assert.equal(await bench.say("a", leave(LeaveReason.LOST), 0), "judged");
  assert.match(await bench.detached(route), /last will/);
  assert.equal(await bench.relay.send(route, task(), { signal }), "gone");
  const { length } = bench.coordinator.arrivals.all;
  assert.equal(await bench.say("a", leave(LeaveReason.LOST), 0), "judged");
  assert.equal(bench.coordinator.arrivals.all.length, length);
});

Deno.test("Relay keeps a client that is back when the will of its connection before comes", async () => {
  using bench = new Bench();
  await bench.say("a", hello({ nonce: nonce(1) }));
  await bench.say("a", hello({ nonce: nonce(2) }));
  const route = await bench.route("a");
  assert.equal(await bench.say("a", leave(LeaveReason.LOST, 1), 0), "judged");
  assert.equal(await bench.relay.send(route, task(), { signal }), "taken");
  assert.equal(await bench.say("a", heartbeat()), "judged");
  assert.ok(bench.coordinator.arrivals.all.every((each) => each.route.id === route.id));
  assert.ok(bench.coordinator.arrivals.all.every(({ kind }) => kind === "message"));
  await bench.say("a", leave(LeaveReason.LOST, 2), 0);
  assert.match(await bench.detached(route), /last will/);
});

Deno.test("Relay knows the will of a connection whose Hello was turned away and said anew", async () => {
  for (const verdict of [Verdict.NO_SESSION, Verdict.OTHER_RUN]) {
    using bench = new Bench();
    bench.coordinator.judge = ({ sequence }) => answer(sequence, verdict);
    await bench.say("a", hello({ nonce: nonce(1) }));
    bench.coordinator.judge = ({ sequence }) => answer(sequence, Verdict.ACCEPTED);
    await bench.say("a", hello({ nonce: nonce(2) }));
    await bench.say("a", leave(LeaveReason.LOST, 1), 0); // fixed before either was said
    assert.match(await bench.detached(await bench.route("a")), /last will/);
  }
});

Deno.test("Relay takes any will for the end of a client that it has not heard say Hello", async () => {
  using bench = new Bench();
  bench.coordinator.judge = ({ sequence }) => answer(sequence, Verdict.NO_SESSION);
  await bench.say("a", heartbeat()); // its connection is older than this server
  bench.coordinator.judge = ({ sequence }) => answer(sequence, Verdict.ACCEPTED);
  await bench.say("a", hello({ nonce: nonce(2) }));
  await bench.say("a", leave(LeaveReason.LOST, 1), 0);
  assert.match(await bench.detached(await bench.route("a")), /last will/);
});

Deno.test("Relay lets a client go that leaves, but not one that only converged", async () => {
  using bench = new Bench();
  await bench.say("a", hello());
  await bench.say("a", leave(LeaveReason.CONVERGED));
  assert.equal(bench.relay.connections, 1);
  bench.coordinator.judge = ({ sequence }) => answer(sequence, Verdict.MALFORMED);
  await bench.say("a", leave(LeaveReason.DONE)); // which was not its end
  assert.equal(bench.relay.connections, 1);
  bench.coordinator.judge = ({ sequence }) => answer(sequence, Verdict.ACCEPTED);
  await bench.say("a", leave(LeaveReason.DONE));
  assert.equal(await bench.detached(await bench.route("a")), "it left");
  const last = bench.written.all.at(-1)?.message.body;
  assert.equal(last?.case, "receipt"); // and no Closing after it
});

Deno.test("Relay detaches a client that is not there any more for what is sent", async () => {
  using bench = new Bench();
  await bench.say("a", hello());
  const route = await bench.route("a");
  bench.empty.add("a");
  assert.equal(await bench.relay.send(route, task(), { signal }), "taken");
  assert.match(await bench.detached(route), /nobody is there/);
  assert.deepEqual(bench.refusals, []);
});

Deno.test("Relay detaches a client that is silent for three heartbeat intervals", async () => {
  using bench = new Bench({ heartbeatIntervalMs: 1 });
  await bench.say("a", hello());
  assert.match(await bench.detached(await bench.route("a")), /silent for 3 heartbeat intervals/);
});

Deno.test("Relay.drop() has the client dial again, and tells the coordinator nothing", async () => {
  using bench = new Bench();
  await bench.say("a", hello());
  const route = await bench.route("a");
  bench.relay.drop(route, "you are too slow");
  bench.relay.drop(route, "you are too slow");
  const [closing, ...more] = bench.closings("a");
  assert.deepEqual(more, []);
  assert.equal(closing?.detail, "you are too slow");
  // Its connection to the broker cannot be closed from here; REFUSED would end the client for good.
  assert.equal(closing.reason, ClosingReason.RESTART);
  assert.ok(closing.retryAfterMs > 0);
  assert.ok(bench.coordinator.arrivals.all.every(({ kind }) => kind !== "detached"));
  assert.equal(await bench.relay.send(route, task(), { signal }), "gone");
});

Deno.test("Relay.close() tells everybody in their run's name, and hears no more", async () => {
  using bench = new Bench();
  await bench.say("a", hello());
  await bench.say("b", hello());
  await bench.relay.close();
  for (const clientId of ["a", "b"]) {
    assert.deepEqual(
      bench.closings(clientId).map(({ reason }) => reason),
      [ClosingReason.RESTART],
    );
  }
  assert.equal(bench.written.all.at(-1)?.message.runId, RUN_ID);
  assert.equal(await bench.say("a", heartbeat()), "refused");
  assert.ok(bench.coordinator.arrivals.all.every(({ kind }) => kind !== "detached"));
});
