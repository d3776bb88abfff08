/** A broker whose other clients read everything and write anywhere: what they can do to a client. */

import assert from "node:assert/strict";
import fc from "fast-check";
import {
  clientMessage,
  decodeServerMessage,
  encodeServerMessage,
  serverMessage,
} from "../../src/contract/codec.ts";
import type { Arrival } from "../../src/contract/protocol_server.ts";
import { Relay } from "../../src/contract/relay.ts";
import { serverOptions } from "../protocols/subject.ts";
import { Awaitable } from "../support/awaitable.ts";
import { ScriptedCoordinator } from "../support/scripted_coordinator.ts";
import { bytesOf, copyOf, sealedIn, Speaker } from "../support/speaker.ts";
import { RULE, tokenFor } from "../support/tokens.ts";

interface Post {
  readonly address: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

class Broker implements AsyncDisposable {
  readonly coordinator = new ScriptedCoordinator();
  readonly posts = new Awaitable<Post>();
  readonly relay: Relay;

  constructor({ maxConnections = 2 } = {}) {
    this.relay = new Relay({
      server: { ...serverOptions("mqtt@broker"), maxConnections, tokens: { ...RULE } },
      upcalls: this.coordinator,
      publish: (address, bytes) => {
        this.posts.push({ address, bytes });
        return Promise.resolve(true);
      },
      windowMessages: 16,
      maxUnreadBytes: 1024 * 1024,
    });
  }

  hear(speaker: { readonly clientId: string }, bytes: Uint8Array): ReturnType<Relay["hear"]> {
    const { clientId } = speaker;
    return this.relay.hear({ clientId, address: clientId }, bytes);
  }

  /** A client that knocked, was challenged, and said Hello. */
  async meet(speaker: Speaker): Promise<void> {
    const before = this.posts.all.length;
    await this.hear(speaker, bytesOf(speaker.knock()));
    const { bytes } = await this.posts.find(() => true, before);
    speaker.meet(decodeServerMessage(bytes));
    assert.equal(await this.hear(speaker, bytesOf(speaker.hello())), "judged");
  }

  /** Everything that a speaker would believe so far. */
  heardBy(speaker: Speaker) {
    return this.posts.all.flatMap(({ bytes }) => speaker.hear(bytes) ?? []);
  }

  get detached(): Arrival[] {
    return this.coordinator.arrivals.all.filter(({ kind }) => kind === "detached");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.relay.close();
  }
}

const open = (clientId: string, content: Parameters<typeof clientMessage>[0]["body"]) =>
  bytesOf(clientMessage({ clientId, sequence: 5, ...(content && { body: content }) }));

Deno.test("Relay hears a sealed client, and answers it under its seal", async () => {
  await using broker = new Broker();
  const speaker = new Speaker("a");
  await broker.meet(speaker);
  assert.equal(await broker.hear(speaker, bytesOf(speaker.heartbeat(2))), "judged");
  const heard = broker.heardBy(speaker).map(({ body }) =>
    body.case === "receipt" ? body.value.sequence : body.case
  );
  assert.deepEqual(heard, [1, 2]);
});

Deno.test("Relay detaches nobody for what somebody else publishes", async () => {
  await using broker = new Broker();
  const speaker = new Speaker("a");
  await broker.meet(speaker);
  const will = { case: "leave", value: { reason: 4, nonce: new Uint8Array(16).fill(3) } } as const;
  const tooLong = new Uint8Array(serverOptions("").maxMessageBytes + 1);
  for (
    const bytes of [
      new Uint8Array(),
      new Uint8Array([255, 255]),
      tooLong,
      open("a", undefined),
      open("a", will),
      open("a", { case: "leave", value: { reason: 3 } }),
      open("a", { case: "hello", value: { token: tokenFor("b") } }),
      open("b", { case: "heartbeat", value: {} }),
      open("a", { case: "sealed", value: {} }),
      bytesOf(new Speaker("a", { token: tokenFor("b") }).knock()),
    ]
  ) assert.equal(await broker.hear(speaker, bytes), "refused");
  assert.equal(await broker.hear(speaker, bytesOf(speaker.heartbeat(2))), "judged");
  assert.deepEqual(broker.detached, []);
  assert.equal(broker.relay.connections, 1);
  assert.equal(broker.coordinator.events.all.filter(({ kind }) => kind === "refused").length, 1);
});

Deno.test("Relay survives whatever is published, and passes none of it on", async () => {
  await using broker = new Broker();
  const speaker = new Speaker("a");
  await broker.meet(speaker);
  const known = broker.coordinator.arrivals.all.length;
  const message = speaker.heartbeat(2);
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.tuple(fc.nat(), fc.nat({ max: 255 })).map(([at, value]) => {
      const bytes = bytesOf(message);
      bytes[at % bytes.length] = value;
      return bytes;
    }).filter((bytes) => bytes.toHex() !== bytesOf(message).toHex()),
  );
  await fc.assert(fc.asyncProperty(noise, async (bytes) => {
    await broker.hear(speaker, bytes);
    // Fields that count for nothing may differ: then it is the client's message all the same.
    const passed = broker.coordinator.arrivals.all.slice(known);
    for (const arrival of passed) {
      assert.ok(arrival.kind === "message" && arrival.message.body.case === "heartbeat");
    }
    assert.ok(passed.length <= 1);
  }));
  assert.deepEqual(broker.detached, []);
});

Deno.test("Relay acts on nothing that was said before", async () => {
  await using broker = new Broker();
  const speaker = new Speaker("a");
  const said = [bytesOf(speaker.knock())];
  await broker.meet(speaker);
  for (const message of [speaker.heartbeat(2), speaker.will()]) {
    said.push(bytesOf(copyOf(message)));
    await broker.hear(speaker, bytesOf(message));
  }
  assert.equal(broker.detached.length, 1, "its will was published");
  const known = broker.coordinator.arrivals.all.length;
  for (const bytes of said) await broker.hear(speaker, bytes);
  assert.equal(broker.coordinator.arrivals.all.length, known);
  assert.equal(broker.relay.connections, 0, "a replay takes no place");
});

Deno.test("Relay gives no place to who has no token", async () => {
  await using broker = new Broker({ maxConnections: 1 });
  for (let count = 0; count < 20; count++) {
    const intruder = new Speaker(`intruder-${count}`, { token: tokenFor("a") });
    await broker.hear(intruder, bytesOf(intruder.knock()));
    await broker.hear(intruder, open(intruder.clientId, { case: "heartbeat", value: {} }));
  }
  assert.equal(broker.relay.connections, 0);
  const speaker = new Speaker("a");
  await broker.meet(speaker);
  assert.equal(broker.relay.connections, 1);
});

Deno.test("Relay tells one client too many, under its seal", async () => {
  await using broker = new Broker({ maxConnections: 1 });
  const [first, second] = [new Speaker("a"), new Speaker("b")];
  await broker.meet(first);
  const before = broker.posts.all.length;
  await broker.hear(second, bytesOf(second.knock()));
  second.meet(decodeServerMessage((await broker.posts.find(() => true, before)).bytes));
  assert.equal(await broker.hear(second, bytesOf(second.hello())), "refused");
  const [told] = broker.heardBy(second);
  assert.equal(told?.body.case, "closing");
  assert.equal(broker.relay.connections, 1);
});

Deno.test("Relay tells the coordinator whose token is revoked, and gives it no place any more", async () => {
  await using broker = new Broker();
  const [speaker, other] = [new Speaker("a"), new Speaker("b")];
  await broker.meet(speaker);
  await broker.meet(other);
  broker.relay.revoke(new Map([["a", Math.floor(Date.now() / 1000) + 1]]));
  const revoked = await broker.coordinator.arrivals.find(({ kind }) => kind === "revoked");
  assert.ok(revoked.kind === "revoked" && revoked.cause === "revoked");
  broker.relay.drop(revoked.route, "revoked");
  assert.equal(await broker.hear(speaker, bytesOf(speaker.heartbeat(2))), "refused");
  assert.equal(await broker.hear(speaker, bytesOf(new Speaker("a").knock())), "refused");
  assert.equal(await broker.hear(other, bytesOf(other.heartbeat(2))), "judged");
});

Deno.test("Relay gives a client that connected again a route of its own", async () => {
  await using broker = new Broker();
  const [older, newer] = [new Speaker("a"), new Speaker("a")];
  await broker.meet(older);
  await broker.meet(newer);
  const routes = broker.coordinator.arrivals.all.map(({ kind, route }) => [kind, route.id]);
  const [first, gone, second] = routes;
  assert.deepEqual([first?.[0], gone?.[0], second?.[0]], ["message", "detached", "message"]);
  assert.equal(first?.[1], gone?.[1]);
  assert.notEqual(second?.[1], first?.[1]);
  assert.equal(await broker.hear(newer, bytesOf(newer.heartbeat(2))), "judged");
});

Deno.test("Relay's last word to a dropped client is under its seal", async () => {
  await using broker = new Broker();
  const speaker = new Speaker("a");
  await broker.meet(speaker);
  const { route } = await broker.coordinator.message("a");
  broker.relay.drop(route, "it is silent");
  const closing = broker.heardBy(speaker).at(-1);
  assert.ok(closing?.body.case === "closing");
  assert.equal(closing.body.value.detail, "it is silent");
});

Deno.test("a client believes no model, task or end that somebody else publishes", async () => {
  await using broker = new Broker();
  const speaker = new Speaker("a");
  await broker.meet(speaker);
  const { route } = await broker.coordinator.message("a");
  const value = { reason: "done", round: 3 };
  const finish = serverMessage({ runId: "run", body: { case: "finish", value } });
  await broker.relay.send(route, finish, { signal: new AbortController().signal });
  const real = broker.posts.all.at(-1);
  assert.ok(real);
  const later = new Speaker("a");
  await broker.meet(later);
  assert.equal(later.hear(real.bytes), undefined, "of an earlier connection");
  const outer = decodeServerMessage(real.bytes);
  assert.ok(outer.body.case === "sealed");
  const said = sealedIn(speaker.heartbeat(9));
  const reflected = { ...outer.body.value, body: said.body, tag: said.tag, number: said.number };
  const bytes = encodeServerMessage(
    serverMessage({ body: { case: "sealed", value: reflected } }),
  );
  assert.equal(speaker.hear(bytes), undefined, "its own words, sent back");
  assert.equal(speaker.hear(real.bytes)?.body.case, "finish");
});
