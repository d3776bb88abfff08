import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { decodeServerMessage, serverMessage } from "../../src/contract/codec.ts";
import { ClosingReason, type ServerMessage, Verdict } from "../../src/contract/federation_pb.ts";
import { Outflow } from "../../src/contract/outflow.ts";
import type { Answer } from "../../src/contract/protocol_server.ts";
import { RelayedClient } from "../../src/contract/relayed_client.ts";
import { answer, RUN_ID } from "../support/scripted_coordinator.ts";

const PART_BYTES = 100;
const { signal } = new AbortController();

/** A client at a broker that takes everything at once. */
function open({ maxUnreadBytes = 1000 } = {}) {
  const heard: ServerMessage[] = [];
  const lost: (string | undefined)[] = [];
  const outflow = new Outflow({
    publish: (address, bytes) => {
      assert.equal(address, "down/a");
      heard.push(decodeServerMessage(bytes));
      return Promise.resolve(true);
    },
    windowMessages: 100,
    windowBytes: 1_000_000,
  });
  const client = new RelayedClient({
    route: { wire: "test", id: 1 },
    sender: { clientId: "a", address: "down/a" },
    outflow,
    maxUnreadBytes,
    cover: () => {}, // nothing is sealed
    lost: (reason) => lost.push(reason),
  });
  return { client, heard, lost, outflow };
}

function task(round: number): ServerMessage {
  return serverMessage({ runId: RUN_ID, body: { case: "task", value: { round } } });
}

function part(index: number): ServerMessage {
  const bytes = new Uint8Array(PART_BYTES);
  const value = { modelRound: 1, offset: BigInt(index * PART_BYTES), bytes };
  return serverMessage({ runId: RUN_ID, body: { case: "modelPart", value } });
}

function closing(reason: ClosingReason): ServerMessage {
  return serverMessage({ runId: RUN_ID, body: { case: "closing", value: { reason } } });
}

Deno.test("RelayedClient writes answers in the order of what they answer", async () => {
  const { client, heard } = open();
  const verdicts = [1, 2, 3].map(() => Promise.withResolvers<Answer | undefined>());
  const written = verdicts.map(({ promise }) => client.answer(promise));
  verdicts[2]?.resolve(answer(3, Verdict.ACCEPTED));
  verdicts[1]?.resolve(undefined); // none is due
  await turn();
  assert.equal(heard.length, 0);
  verdicts[0]?.resolve(answer(1, Verdict.ACCEPTED));
  await Promise.all(written);
  const sequences = heard.map(({ body }) => body.case === "receipt" && body.value.sequence);
  assert.deepEqual(sequences, [1, 3]);
});

Deno.test("RelayedClient.send() stops at what the client does not acknowledge", async () => {
  const { client, heard } = open({ maxUnreadBytes: 2 * PART_BYTES });
  const outcomes = [0, 1, 2].map((index) => client.send(part(index), signal));
  const behind = client.send(task(1), signal);
  assert.deepEqual(await Promise.all(outcomes.slice(0, 2)), ["taken", "taken"]);
  await turn();
  assert.equal(heard.length, 2);
  client.acknowledge({ round: 1, offset: PART_BYTES });
  assert.deepEqual(await Promise.all([outcomes[2], behind]), ["taken", "taken"]);
  assert.deepEqual(heard.slice(2).map(({ body }) => body.case), ["modelPart", "task"]);
});

Deno.test("RelayedClient.send() lets go of what is called off, and goes on with the next", async () => {
  const { client, heard } = open({ maxUnreadBytes: PART_BYTES });
  assert.equal(await client.send(part(0), signal), "taken");
  const abort = new AbortController();
  const stalled = client.send(part(1), abort.signal);
  const behind = client.send(task(1), signal);
  abort.abort();
  assert.deepEqual(await Promise.all([stalled, behind]), ["stalled", "taken"]);
  assert.equal(await client.send(task(2), abort.signal), "stalled");
  assert.deepEqual(heard.map(({ body }) => body.case), ["modelPart", "task"]);
});

Deno.test("RelayedClient.end() settles what waits, and tells the client once", async () => {
  const { client, heard, outflow } = open();
  outflow.pause();
  const waiting = client.send(task(1), signal);
  const unanswered = client.answer(Promise.withResolvers<undefined>().promise);
  client.end(closing(ClosingReason.RESTART));
  client.end(closing(ClosingReason.RESTART));
  assert.equal(await waiting, "gone");
  assert.equal(await client.send(task(2), signal), "gone");
  outflow.resume();
  await outflow.settled();
  assert.deepEqual(heard.map(({ body }) => body.case), ["closing"]);
  void unanswered; // its verdict never comes
});

Deno.test("RelayedClient.end() keeps a Closing that was on its way, and its reason", async () => {
  const { client, heard, outflow } = open();
  outflow.pause();
  const replaced = client.send(closing(ClosingReason.REPLACED), signal);
  client.end(closing(ClosingReason.REFUSED));
  outflow.resume();
  assert.equal(await replaced, "gone");
  await outflow.settled();
  const reasons = heard.map(({ body }) => body.case === "closing" && body.value.reason);
  assert.deepEqual(reasons, [ClosingReason.REPLACED]);
});

Deno.test("RelayedClient.end() says nothing to a client that was told to go before", async () => {
  const { client, heard, outflow } = open();
  assert.equal(await client.send(closing(ClosingReason.SHUTDOWN), signal), "taken");
  client.end(closing(ClosingReason.RESTART));
  await outflow.settled();
  assert.equal(heard.length, 1);
});
