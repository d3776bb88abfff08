import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { type Hello, HelloSchema } from "../../src/contract/federation_pb.ts";
import type { Route } from "../../src/contract/protocol_server.ts";
import { type Client, downlinkOf, type Greeting, Roster } from "../../src/coordinator/roster.ts";
import { Awaitable } from "../support/awaitable.ts";
import { eventsTo, type LogLine } from "../support/federation.ts";

let nextRoute = 1;

function route(wire = "grpc"): Route {
  return { wire, id: nextRoute++ };
}

function nonce(fill: number): Uint8Array {
  return new Uint8Array(16).fill(fill);
}

function hello(more: Partial<Omit<Hello, "$typeName" | "$unknown">> = {}): Hello {
  return create(HelloSchema, { contractVersion: 1, nonce: nonce(1), samples: 10, ...more });
}

function open(maxClients = 10) {
  const log = new Awaitable<LogLine>();
  return { roster: new Roster({ maxClients, events: eventsTo(log) }), log };
}

function welcomed(greeting: Greeting): Extract<Greeting, { kind: "welcome" }> {
  assert.equal(greeting.kind, "welcome");
  return greeting;
}

function greet(roster: Roster, id: string, init: Parameters<typeof hello>[0], at = route()) {
  return welcomed(roster.greet(id, hello(init), { route: at, nowMs: 0 }));
}

Deno.test("a Hello without a session opens one on its route", () => {
  const { roster } = open();
  const at = route();
  const { client, how, replaced } = greet(roster, "a", { samples: 7, software: "test" }, at);
  assert.equal(how, "opened");
  assert.deepEqual(replaced, []);
  assert.equal(client.session.length, 16);
  assert.deepEqual(client.routes, [at]);
  assert.equal(client.samples, 7);
  assert.equal(roster.on(at), client);
  assert.equal(roster.get("a"), client);
});

Deno.test("the same Hello redelivered gets the same session, and replaces nothing of its own", () => {
  const { roster } = open();
  const at = route();
  const { client } = greet(roster, "a", {}, at);
  const again = greet(roster, "a", {}, at);
  assert.equal(again.how, "again");
  assert.equal(again.client, client);
  assert.deepEqual(again.replaced, []);
});

Deno.test("a Hello with another nonce opens another session and replaces every route", () => {
  const { roster } = open();
  const [first, second] = [route(), route("mqtt")];
  const { client: older } = greet(roster, "a", {}, first);
  greet(roster, "a", { session: older.session, attach: true }, second);
  const { client, how, replaced } = greet(roster, "a", { nonce: nonce(2) });
  assert.equal(how, "opened");
  assert.notDeepEqual(client.session, older.session);
  assert.deepEqual(replaced, [first, second]);
  assert.equal(client.routes.length, 1);
  assert.equal(roster.on(first), undefined);
  assert.equal(roster.all().length, 1);
});

Deno.test("a Hello with the session resumes it: the newest route wins", () => {
  const { roster } = open();
  const old = route();
  const { client } = greet(roster, "a", {}, old);
  const at = route("mqtt");
  const resumed = greet(roster, "a", { nonce: nonce(2), session: client.session }, at);
  assert.equal(resumed.how, "resumed");
  assert.equal(resumed.client, client);
  assert.deepEqual(resumed.replaced, [old]);
  assert.deepEqual(client.routes, [at]);
});

Deno.test("attach adds a route to the others; tasks go to the newest, or where the client wants", () => {
  const { roster } = open();
  const [grpc, mqtt, quic] = [route("grpc"), route("mqtt"), route("quic")];
  const { client } = greet(roster, "a", {}, grpc);
  const { session } = client;
  assert.deepEqual(greet(roster, "a", { session, attach: true }, mqtt).replaced, []);
  assert.deepEqual(downlinkOf(client), mqtt);
  greet(roster, "a", { session, attach: true, downlink: "grpc" }, quic);
  assert.deepEqual(client.routes, [grpc, mqtt, quic]);
  assert.deepEqual(downlinkOf(client), grpc);
  roster.detach(grpc, "lost");
  assert.deepEqual(downlinkOf(client), quic);
});

Deno.test("a session that is not the client's resumes nothing", () => {
  const { roster } = open();
  const { client: other } = greet(roster, "b", {});
  greet(roster, "a", {});
  for (const [id, session] of [["a", other.session], ["c", other.session]] as const) {
    const greeting = roster.greet(id, hello({ session }), { route: route(), nowMs: 0 });
    assert.equal(greeting.kind, "noSession");
  }
});

Deno.test("a session that another client's Hello replaced is not resumed, nor replaces it", () => {
  const { roster } = open();
  const { client: { session } } = greet(roster, "a", {});
  const { client: newer } = greet(roster, "a", { nonce: nonce(2) });
  const greeting = roster.greet("a", hello({ session }), { route: route(), nowMs: 0 });
  assert.equal(greeting.kind, "replaced");
  assert.equal(roster.get("a"), newer);
  assert.equal(greet(roster, "a", { session: newer.session }).how, "resumed");
});

Deno.test("a resuming Hello says what model is held; one that says nothing holds nothing", () => {
  const { roster } = open();
  const { client } = greet(roster, "a", {});
  client.held = { round: 3, offset: 10, whole: false };
  const held = { $typeName: "tributary.v1.ModelHeld", modelRound: 4, offset: 7n } as const;
  greet(roster, "a", { session: client.session, held: { ...held, sha256: nonce(0) } });
  assert.deepEqual(client.held, { round: 4, offset: 7, whole: true });
  greet(roster, "a", { session: client.session, attach: true });
  assert.deepEqual(client.held, { round: 4, offset: 7, whole: true });
  greet(roster, "a", { session: client.session });
  assert.equal(client.held, undefined);
});

Deno.test("a route that is detached is nobody's, and its client stays known", () => {
  const { roster } = open();
  const at = route();
  const { client } = greet(roster, "a", {}, at);
  assert.equal(roster.detach(at, "lost"), client);
  assert.equal(roster.detach(at, "lost"), undefined);
  assert.deepEqual(client.routes, []);
  assert.equal(downlinkOf(client), undefined);
  assert.equal(roster.get("a"), client);
});

Deno.test("a route reaches one client: the one that spoke on it last", () => {
  const { roster } = open();
  const at = route();
  const { client: first } = greet(roster, "a", {}, at);
  const { client: second } = greet(roster, "b", {}, at);
  assert.deepEqual(first.routes, []);
  assert.deepEqual(second.routes, [at]);
  assert.equal(roster.detach(at, "lost"), second);
});

Deno.test("a route that is over is not brought back by what was on its way on it", () => {
  const { roster } = open();
  const [old, at] = [route(), route()];
  const { client } = greet(roster, "a", {}, old);
  greet(roster, "a", { session: client.session }, at);
  roster.attach(client, old);
  assert.deepEqual(client.routes, [at]);
  // The wire's next server counts its routes anew, and may give the same id to another client.
  roster.forget("grpc");
  roster.attach(client, old);
  assert.deepEqual(client.routes, [at, old]);
});

Deno.test("a client that is removed has to open another session", () => {
  const { roster } = open();
  const at = route();
  const { client } = greet(roster, "a", {}, at);
  roster.remove(client, "left");
  assert.equal(roster.get("a"), undefined);
  assert.equal(roster.on(at), undefined);
  const greeting = roster.greet("a", hello({ session: client.session }), { route: at, nowMs: 0 });
  assert.equal(greeting.kind, "noSession");
  assert.equal(greet(roster, "a", {}).how, "opened");
});

Deno.test("removing an older session leaves the newer one alone", () => {
  const { roster } = open();
  const { client: older } = greet(roster, "a", {});
  const { client: newer } = greet(roster, "a", { nonce: nonce(2) });
  roster.remove(older, "left");
  assert.equal(roster.get("a"), newer);
  assert.equal(newer.routes.length, 1);
});

Deno.test("a full roster takes nobody, but for the place of who is away for longest", () => {
  const { roster } = open(2);
  const absent = (id: string, nowMs: number): Client => {
    const at = route();
    const { client } = welcomed(roster.greet(id, hello(), { route: at, nowMs }));
    roster.detach(at, "lost");
    return client;
  };
  absent("newer", 20);
  absent("older", 10);
  greet(roster, "c", {});
  assert.deepEqual(roster.all().map((client) => client.id), ["newer", "c"]);
  greet(roster, "d", {});
  const full = roster.greet("e", hello(), { route: route(), nowMs: 0 });
  assert.equal(full.kind, "full");
  // Those who are known are no more than before.
  assert.equal(greet(roster, "d", { nonce: nonce(2) }).how, "opened");
});

Deno.test("Roster.onWire() names the clients that a wire reaches", () => {
  const { roster } = open();
  const { client: a } = greet(roster, "a", {}, route("grpc"));
  const { client: b } = greet(roster, "b", {}, route("mqtt"));
  greet(roster, "a", { session: a.session, attach: true }, route("mqtt"));
  assert.deepEqual(roster.onWire("mqtt"), [a, b]);
  assert.deepEqual(roster.onWire("grpc"), [a]);
  assert.deepEqual(roster.onWire("dds"), []);
});

Deno.test("routes are logged as they come and go, once each", () => {
  const { roster, log } = open();
  const at = route();
  const { client } = greet(roster, "a", {}, at);
  roster.attach(client, at);
  roster.detach(at, "lost");
  roster.detach(at, "lost");
  assert.deepEqual(log.all.map((line) => line.message), ["route attached", "route detached"]);
});

Deno.test("a client has at most sixteen routes: the oldest ends", () => {
  const { roster } = open();
  const first = route();
  const { client } = greet(roster, "a", {}, first);
  for (let count = 2; count <= 16; count++) roster.attach(client, route());
  assert.equal(client.routes[0], first);
  const newest = route();
  roster.attach(client, newest);
  assert.equal(client.routes.length, 16);
  assert.ok(!client.routes.includes(first));
  assert.equal(downlinkOf(client), newest);
});
