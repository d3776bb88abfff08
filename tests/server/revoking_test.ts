/** Tokens taken back while a server runs, on every wire. */

import assert from "node:assert/strict";
import type { Dial } from "../../src/contract/connection.ts";
import { ClosingReason, Verdict } from "../../src/contract/federation_pb.ts";
import { Metrics } from "../../src/metrics.ts";
import { dialUrl, PROTOCOLS } from "../../src/protocols/mod.ts";
import { FederationServer } from "../../src/server/federation_server.ts";
import { LOOK_MS, readRevocations, revoke } from "../../src/server/revocations.ts";
import { openTokenKey } from "../../src/server/token_key.ts";
import { Awaitable } from "../support/awaitable.ts";
import { eventsTo, type LogLine } from "../support/federation.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { Member } from "../support/member.ts";
import { heartbeat, hello } from "../support/peer.ts";
import { tokenFor } from "../support/tokens.ts";
import { library } from "../support/wires.ts";
import { StateDirectory } from "../vault/state_directory.ts";
import { smallConfig } from "./small_config.ts";

Deno.test("a running server ends the routes of a client whose tokens are revoked, on every wire, and knows so when it is started again", async () => {
  using directory = new StateDirectory();
  const state = `${directory.path}/run`;
  const key = await openTokenKey({ state });
  const rule = { key, federation: "default" };
  const token = (clientId: string, nowMs = Date.now()) => tokenFor(clientId, { rule, nowMs });
  const dialAs = (made: string): Dial => (url, options) =>
    dialUrl(url, { ...options, token: made });
  const config = smallConfig(directory.path, {
    state,
    tokens: "required",
    protocols: PROTOCOLS.join(","),
    "min-clients": "99",
    "mqtt-port": "0",
    "amqp-port": "0",
    "quic-port": "0",
    "dds-port": "0",
    "dds-library": library,
  });
  const clock = new ManualClock();
  const log = new Awaitable<LogLine>();
  const opened = () =>
    FederationServer.open({ config, events: eventsTo(log), metrics: new Metrics(), clock });
  /** QUIC's messages are not sealed: the token is in Hello. */
  const join = async (server: FederationServer, name: string, clientId: string, made: string) => {
    const url = server.addresses.find(({ wire }) => wire === name)?.url ?? "";
    const member = await Member.connect(dialAs(made), url, clientId);
    return { member, words: hello(name === "quic" ? { token: made } : {}) };
  };
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await opened());
  const loyal = stack.use((await join(server, "grpc", "loyal", token("loyal"))).member);
  await loyal.hello();
  const members = await Promise.all(PROTOCOLS.map(async (name) => {
    const made = token(`client-${name}`);
    const { member } = await join(server, name, `client-${name}`, made);
    stack.use(member);
    await member.hello(name === "quic" ? { token: made } : {});
    return { name, member, made };
  }));
  for (const { member } of members) {
    await revoke(state, { clientId: member.clientId, nowMs: Date.now() });
  }
  clock.pass(LOOK_MS);
  for (const { name, member } of members) {
    const { reason, detail } = await member.hears("closing");
    assert.equal(reason, ClosingReason.REFUSED, name);
    assert.match(detail, /token has been revoked; ask the operator for a new one/, name);
    await member.peer.connection.lost;
  }
  await log.find(({ message, fields }) => message === "tokens revoked" && fields.clients === 5);
  assert.equal((await loyal.ask(heartbeat())).verdict, Verdict.ACCEPTED);
  /** With a token that is void, and with one that was made later. */
  const tried = async (to: FederationServer) => {
    const untilS = await readRevocations(state);
    for (const { name, member: { clientId }, made } of members) {
      const refused = await join(to, name, clientId, made).then(
        async ({ member, words }) => {
          await using _ = member;
          return (await member.peer.ask(words)).detail;
        },
        (error) => String(error),
      );
      assert.match(refused, /revoked/, name);
      const later = token(clientId, ((untilS.get(clientId) ?? 0) + 1) * 1000);
      const again = await join(to, name, clientId, later);
      await using member = again.member;
      assert.equal((await member.peer.ask(again.words)).verdict, Verdict.ACCEPTED, name);
    }
  };
  await tried(server);
  await stack.disposeAsync();
  await using second = await opened();
  await tried(second);
});
