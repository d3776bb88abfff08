/** Clients of five wires that must have tokens, with the real coordinator and vault behind them. */

import assert from "node:assert/strict";
import { DEFAULT_BACKOFF } from "../src/client/dialling.ts";
import { Session, SessionEnded, type SessionEvent } from "../src/client/session.ts";
import type { Dial } from "../src/contract/connection.ts";
import { ConnectionLost } from "../src/contract/connection.ts";
import { ClosingReason, Verdict } from "../src/contract/federation_pb.ts";
import { dialUrl, PROTOCOLS } from "../src/protocols/mod.ts";
import { GivenTrainer } from "./client/given_trainer.ts";
import { type AnySubject, Federation, type FederationSpec, weights } from "./support/federation.ts";
import { Member, valuesOf } from "./support/member.ts";
import { heartbeat, hello } from "./support/peer.ts";
import { StandingTime } from "./support/standing_time.ts";
import { FOREIGN, NOW_MS, OTHER, RULE, tokenFor } from "./support/tokens.ts";
import { wire } from "./support/wires.ts";
import { grpc } from "./support/grpc.ts";
import { StateDirectory } from "./vault/state_directory.ts";

/** As the program dials: with its token. */
const dial: Dial = (url, options) =>
  dialUrl(url, { ...options, token: tokenFor(options.clientId) });

const guardedWires: readonly AnySubject[] = PROTOCOLS.map((name) => ({
  ...wire(name),
  dial,
  tokens: RULE,
  takesOpen: name !== "dds",
}));

function claim(
  text: string,
  spec: Partial<FederationSpec>,
  test: (federation: Federation) => Promise<void>,
): void {
  Deno.test(text, async () => {
    await using federation = await Federation.open({ subjects: guardedWires, ...spec });
    await test(federation);
  });
}

claim("five clients with tokens train one model on five wires", {
  plan: { minClients: 5, rounds: 2 },
}, async (federation) => {
  await using stack = new AsyncDisposableStack();
  const members = await Promise.all(PROTOCOLS.map(async (name) => {
    const token = name === "quic" ? { token: tokenFor(`client-${name}`) } : {};
    return stack.use(await federation.join(`client-${name}`, { wire: name, ...token }));
  }));
  for (const round of [1, 2]) {
    await Promise.all(members.map(async (member) => {
      const task = await member.task(round);
      const before = valuesOf(await member.model(round - 1));
      const update = weights(before.map((value) => value + 1));
      const receipt = await member.update(task, update, { partBytes: 50 });
      assert.equal(receipt.verdict, Verdict.ACCEPTED, receipt.detail);
    }));
  }
  for (const member of members) {
    assert.deepEqual(valuesOf(await member.model(2)), [2, 2, 2, 2]);
    assert.equal((await member.confirm()).verdict, Verdict.ACCEPTED);
  }
  assert.equal((await federation.coordinator.finished).confirmed.length, 5);
});

const NOT_TAKEN: Readonly<Record<string, readonly [token: (id: string) => string, RegExp]>> = {
  "of another server": [(id) => tokenFor(id, { rule: FOREIGN }), /not made with this server's key/],
  "of another federation": [(id) => tokenFor(id, { rule: OTHER }), /federation other/],
  "of another client": [() => tokenFor("somebody"), /client somebody/],
  "that has expired": [
    (id) => tokenFor(id, { nowMs: Date.now() - 120_000, lifetimeMs: 60_000 }),
    /expired/,
  ],
};

claim(
  "a token that is not good is refused on every wire, sealed or not, and why",
  {},
  async (federation) => {
    await Promise.all(PROTOCOLS.map(async (name) => {
      for (const [kind, [token, reason]] of Object.entries(NOT_TAKEN)) {
        const why = `${name}, a token ${kind}`;
        const clientId = `client-${name}`;
        if (name !== "dds") { // as programs in other languages say it
          await using open = await Member.connect(dialUrl, federation.url(name), clientId);
          const receipt = await open.peer.ask(hello({ token: token(clientId) }));
          assert.equal(receipt.verdict, Verdict.UNAUTHORISED, why);
          assert.match(receipt.detail, reason, why);
          assert.equal((await open.peer.ask(heartbeat())).verdict, Verdict.UNAUTHORISED);
        }
        if (name === "quic") continue;
        const sealed: Dial = (url, options) => dialUrl(url, { ...options, token: token(clientId) });
        const refused = await Member.connect(sealed, federation.url(name), clientId).then(
          async (member) => {
            await using _ = member;
            return (await member.peer.ask(hello())).detail;
          },
          (error) => {
            assert.ok(error instanceof ConnectionLost, why);
            return error.message;
          },
        );
        assert.match(refused, reason, why);
      }
    }));
    assert.equal(federation.coordinator.clients().length, 0);
  },
);

claim("who has no token is told to get one, on every wire", {}, async (federation) => {
  for (const name of PROTOCOLS) {
    await using member = await Member.connect(dialUrl, federation.url(name), "client-1");
    for (const body of [hello(), heartbeat()]) {
      const receipt = await member.peer.ask(body);
      assert.equal(receipt.verdict, Verdict.UNAUTHORISED, name);
      assert.match(receipt.detail, /token/);
    }
  }
  assert.equal(federation.coordinator.clients().length, 0);
});

claim("a token in Hello is taken where the server ends the connection", {}, async (federation) => {
  for (const name of ["mqtt", "amqp", "grpc", "quic"] as const) {
    const clientId = `client-${name}`;
    await using member = await Member.connect(dialUrl, federation.url(name), clientId);
    await member.hello({ token: tokenFor(clientId) });
    assert.equal((await member.ask(heartbeat())).verdict, Verdict.ACCEPTED);
  }
});

claim(
  "a session alone lets nobody speak for its client on another connection",
  {},
  async (federation) => {
    for (const name of ["amqp", "grpc", "quic"] as const) {
      await using member = await Member.connect(dialUrl, federation.url(name), "client-1");
      await member.hello({ token: tokenFor("client-1") });
      await using thief = await Member.connect(dialUrl, federation.url(name), "thief");
      await thief.hello({ token: tokenFor("thief") });
      thief.session = member.session;
      const stolen = await thief.ask(heartbeat(), { clientId: "client-1" });
      assert.notEqual(stolen.verdict, Verdict.ACCEPTED, name);
      assert.equal((await member.ask(heartbeat())).verdict, Verdict.ACCEPTED);
    }
  },
);

claim(
  "a connection under a client's id does not displace it before its token is judged",
  {},
  async (federation) => {
    for (const name of ["mqtt", "dds"] as const) {
      await using member = await federation.join(`client-${name}`, { wire: name });
      await using intruder = await Member.connect(dialUrl, federation.url(name), `client-${name}`);
      const receipt = await intruder.peer.ask(hello());
      assert.equal(receipt.verdict, Verdict.UNAUTHORISED);
      assert.equal((await member.ask(heartbeat())).verdict, Verdict.ACCEPTED, name);
      await using again = await federation.join(`client-${name}`, { wire: name });
      assert.equal((await again.ask(heartbeat())).verdict, Verdict.ACCEPTED, name);
      await member.peer.connection.lost;
    }
  },
);

function sessionOf(
  federation: Federation,
  { name, token, observe = () => {} }: {
    name: string;
    token: string | undefined;
    observe?: (event: SessionEvent) => void;
  },
): Session {
  return new Session({
    clientId: "client-1",
    urls: [new URL(federation.url(name))],
    trainer: new GivenTrainer((model) => new Uint8Array(model)),
    software: "test",
    ...(token === undefined ? {} : { token }),
    signal: new AbortController().signal,
    observe,
    backoff: DEFAULT_BACKOFF,
  });
}

claim(
  "the client's session ends where its token is not wanted, with a sentence",
  {},
  async (federation) => {
    const lifetime = { nowMs: Date.now() - 120_000, lifetimeMs: 60_000 };
    for (const name of PROTOCOLS) {
      const none = sessionOf(federation, { name, token: undefined });
      await assert.rejects(
        none.run(),
        (error) => error instanceof SessionEnded && /get one from its operator/.test(error.message),
      );
      const expired = sessionOf(federation, { name, token: tokenFor("client-1", lifetime) });
      await assert.rejects(
        expired.run(),
        (error) => error instanceof SessionEnded && /expired/.test(error.message),
      );
    }
  },
);

for (const name of PROTOCOLS) {
  claim(`the product's client takes part with a token over ${name}`, {}, async (federation) => {
    const final = await sessionOf(federation, { name, token: tokenFor("client-1") }).run();
    assert.equal(final.round, 1);
  });
}

for (const form of ["sealed", "open"] as const) {
  Deno.test(`a client whose token expires in mid-session is told and gone; its update counts (${form})`, async () => {
    const time = new StandingTime();
    const brief = (clientId: string) =>
      tokenFor(clientId, {
        nowMs: NOW_MS,
        ...(clientId === "brief" ? { lifetimeMs: 60_000 } : {}),
      });
    const dial: Dial = (url, options) =>
      dialUrl(url, form === "open" ? options : { ...options, token: brief(options.clientId) });
    const subject = { ...grpc, dial, tokens: RULE, time, takesOpen: form === "open" };
    using directory = new StateDirectory();
    const open = () =>
      Federation.open({
        subjects: [subject],
        placement: "in process",
        plan: { minClients: 2 },
        state: directory.path,
      });
    await using stack = new AsyncDisposableStack();
    const federation = stack.use(await open());
    const join = (clientId: string) =>
      federation.join(clientId, form === "open" ? { token: brief(clientId) } : {});
    const member = stack.use(await join("brief"));
    const other = stack.use(await join("long"));
    assert.equal((await member.update(await member.task(1), weights([4, 4, 4, 4]))).verdict, 1);
    time.pass(59_000);
    assert.equal((await member.ask(heartbeat())).verdict, Verdict.ACCEPTED);
    time.pass(1000);
    const closing = await member.hears("closing");
    assert.equal(closing.reason, ClosingReason.REFUSED);
    assert.match(closing.detail, /token has expired; ask the operator/);
    await federation.logged("client left", { client: "brief", reason: "expired" });
    await member.peer.connection.lost;
    assert.deepEqual(federation.coordinator.clients().map(({ id }) => id), ["long"]);
    assert.equal((await other.update(await other.task(1), weights([0, 0, 0, 0]))).verdict, 1);
    await federation.logged("round closed", { clients: 2, cause: "complete" });
    assert.deepEqual(valuesOf(await other.model(1)), [2, 2, 2, 2]);
    await stack.disposeAsync();
    await using again = await open();
    assert.deepEqual(again.coordinator.clients().map(({ id }) => id), ["long"]);
  });
}
