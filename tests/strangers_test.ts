/** Connections without a token, where tokens are required: they keep nobody out who has one. */

import assert from "node:assert/strict";
import type { Dial } from "../src/contract/connection.ts";
import { Verdict } from "../src/contract/federation_pb.ts";
import { dialUrl, PROTOCOLS } from "../src/protocols/mod.ts";
import { Federation } from "./support/federation.ts";
import { grpc } from "./support/grpc.ts";
import type { Member } from "./support/member.ts";
import { mqtt } from "./support/mqtt.ts";
import { heartbeat, hello, Peer } from "./support/peer.ts";
import { StandingTime } from "./support/standing_time.ts";
import { RULE, tokenFor } from "./support/tokens.ts";
import { wire } from "./support/wires.ts";

const PLACES = 3;

const dial: Dial = (url, options) =>
  dialUrl(url, { ...options, token: tokenFor(options.clientId) });

/** QUIC's messages are not sealed: the token is in Hello. */
function proof(name: string, clientId: string) {
  return name === "quic" ? { token: tokenFor(clientId) } : {};
}

for (const name of PROTOCOLS) {
  Deno.test(`${name}: strangers who hold every place make room for who has a token`, async () => {
    const subject = {
      ...wire(name),
      dial,
      tokens: RULE,
      takesOpen: name !== "dds",
      places: { maxConnections: PLACES },
    };
    await using federation = await Federation.open({
      subjects: [subject],
      plan: { minClients: 9 },
    });
    await using stack = new AsyncDisposableStack();
    const strangers: Peer[] = [];
    for (let count = 0; count < 2 * PLACES; count++) {
      const peer = stack.use(await Peer.dial(dialUrl, federation.url(name), `stranger-${count}`));
      strangers.push(peer);
      // Who says nothing at all is no route on every wire.
      assert.equal((await peer.ask(hello())).verdict, Verdict.UNAUTHORISED);
    }
    const members: Member[] = [];
    for (let count = 0; count < PLACES; count++) {
      const clientId = `client-${count}`;
      const member = stack.use(await federation.dial(clientId, name));
      await member.hello(proof(name, clientId));
      members.push(member);
    }
    for (const member of members) {
      assert.equal((await member.ask(heartbeat())).verdict, Verdict.ACCEPTED);
    }
    await Promise.all(strangers.map(({ connection }) => connection.lost));
    await federation.logged("peer refused", { wire: name });
    assert.equal(federation.coordinator.clients().length, PLACES);
  });
}

for (const subject of [mqtt, grpc]) {
  Deno.test(`${subject.wire}: a connection on which nobody proves an id in time is closed, the others stay`, async () => {
    const time = new StandingTime();
    await using federation = await Federation.open({
      subjects: [{ ...subject, dial, tokens: RULE, takesOpen: true, time }],
      placement: "in process",
      plan: { minClients: 9 },
    });
    await using member = await federation.join("client-1");
    await using stranger = await Peer.dial(dialUrl, federation.url(), "stranger");
    assert.equal((await stranger.ask(hello())).verdict, Verdict.UNAUTHORISED);
    time.pass(600_000);
    await stranger.connection.lost;
    await federation.logged("peer refused", {
      reason: "nobody has proven an id by a token within 600000 ms",
    });
    assert.equal((await member.ask(heartbeat())).verdict, Verdict.ACCEPTED);
  });
}

Deno.test("a client with a token that finds every place taken by others with theirs is told when to come again", async () => {
  const subject = { ...mqtt, dial, tokens: RULE, takesOpen: true, places: { maxConnections: 1 } };
  await using federation = await Federation.open({
    subjects: [subject],
    placement: "in process",
    plan: { minClients: 9 },
  });
  await using first = await federation.join("client-1");
  await using second = await federation.dial("client-2");
  const refused = await second.peer.ask(hello());
  assert.equal(refused.verdict, Verdict.BUSY);
  assert.match(refused.detail, /all 1 connections are taken/);
  assert.ok(refused.retryAfterMs > 0);
  assert.equal((await first.ask(heartbeat())).verdict, Verdict.ACCEPTED);
});

Deno.test("sockets that say nothing make room for who has a token", async () => {
  const subject = { ...mqtt, dial, tokens: RULE, takesOpen: true, places: { maxConnections: 2 } };
  await using federation = await Federation.open({
    subjects: [subject],
    placement: "in process",
    plan: { minClients: 9 },
  });
  const { hostname, port } = new URL(federation.url());
  await using stack = new AsyncDisposableStack();
  const sockets: Deno.TcpConn[] = [];
  for (let count = 0; count < 8; count++) {
    const socket = await Deno.connect({ hostname, port: Number(port) });
    stack.defer(() => socket.close());
    sockets.push(socket);
  }
  for (const clientId of ["client-1", "client-2"]) {
    const member = stack.use(await federation.join(clientId));
    assert.equal((await member.ask(heartbeat())).verdict, Verdict.ACCEPTED);
  }
  for (const socket of sockets) assert.equal(await socket.read(new Uint8Array(1)), null);
});
