/** The client's end of a sealed connection, against a server that the test plays, and against others. */

import assert from "node:assert/strict";
import {
  clientMessage,
  decodeServerMessage,
  encodeServerMessage,
  serverMessage,
} from "../../src/contract/codec.ts";
import { type Connection, ConnectionLost } from "../../src/contract/connection.ts";
import {
  type ClientMessage,
  ClosingReason,
  type ServerMessage,
} from "../../src/contract/federation_pb.ts";
import { Gatekeeper } from "../../src/contract/gatekeeper.ts";
import { dialSealed } from "../../src/contract/sealed_connection.ts";
import { MemoryConnection } from "../client/memory_connection.ts";
import { FOREIGN, RULE, tokenFor } from "../support/tokens.ts";

const URL_HERE = new URL("mqtt://127.0.0.1:1883/default");
const NEVER = new AbortController().signal;
const will = clientMessage({ clientId: "a", body: { case: "leave", value: { reason: 4 } } });

/** A server's end in memory. */
class Far implements Disposable {
  readonly connection = new MemoryConnection();
  keeper = new Gatekeeper({ rule: RULE, sealedOnly: true, voided: () => {} });
  #heard = 0;

  async dial(
    { rule = RULE, doubtMs = 3000, signal = NEVER }: {
      rule?: typeof RULE;
      doubtMs?: number;
      signal?: AbortSignal;
    } = {},
  ): Promise<Connection> {
    const dialling = dialSealed(
      URL_HERE,
      { clientId: "a", will, signal, token: tokenFor("a", { rule }), hearsayMs: 1, doubtMs },
      () => Promise.resolve(this.connection),
    );
    dialling.catch(() => {});
    await this.next();
    return await dialling;
  }

  /** What the gatekeeper makes of the next message, and its reply. */
  async next(place = "here"): Promise<ClientMessage | undefined> {
    const message = await this.connection.sent.find(() => true, this.#heard++);
    const passage = this.keeper.hear(place, {
      kind: "message",
      route: { wire: "test", id: 1 },
      message,
    });
    if (passage.kind === "challenged") this.connection.say(passage.challenge);
    if (passage.kind === "refused" && passage.answer) this.say(passage.answer);
    return passage.kind === "passes" && passage.arrival.kind === "message"
      ? passage.arrival.message
      : undefined;
  }

  /** As it would leave: sealed, where the gatekeeper covers it. */
  say(message: ServerMessage): ServerMessage {
    const leaving = decodeServerMessage(encodeServerMessage(message));
    this.connection.say(leaving);
    return leaving;
  }

  sayCovered(message: ServerMessage): ServerMessage {
    this.keeper.cover("here", message);
    return this.say(message);
  }

  [Symbol.dispose](): void {
    this.keeper[Symbol.dispose]();
  }
}

const heartbeat = clientMessage({
  clientId: "a",
  sequence: 1,
  body: { case: "heartbeat", value: {} },
});
const receipt = (sequence: number) =>
  serverMessage({ runId: "run", body: { case: "receipt", value: { sequence, verdict: 1 } } });
const closing = () => {
  const value = { reason: ClosingReason.REFUSED, detail: "enough" };
  return serverMessage({ runId: "run", body: { case: "closing", value } });
};

Deno.test("dialSealed() sends no token, in Hello neither, and seals the last will", async () => {
  using far = new Far();
  await using connection = await far.dial();
  const value = { contractVersion: 1, nonce: new Uint8Array(16), samples: 1, token: tokenFor("a") };
  await connection.send(
    clientMessage({ clientId: "a", sequence: 1, body: { case: "hello", value } }),
  );
  const said = await far.next();
  assert.ok(said?.body.case === "hello");
  assert.equal(said.body.value.token, "");
  for (const { body } of far.connection.sent.all) {
    assert.ok(body.case === "sealed");
    assert.notEqual(body.value.token, tokenFor("a"));
  }
});

Deno.test("a sealed connection passes over what its server has not said to it now", async () => {
  using far = new Far();
  await using connection = await far.dial();
  await connection.send(heartbeat);
  await far.next();
  const messages = connection.messages[Symbol.asyncIterator]();
  far.say(closing()); // anybody's
  far.say(receipt(7));
  far.connection.say(serverMessage({ body: { case: "sealed", value: {} } }));
  const real = far.sayCovered(receipt(1));
  far.connection.say(real); // a replay
  const forged = far.sayCovered(receipt(8));
  assert.ok(forged.body.case === "sealed");
  far.sayCovered(receipt(2));
  const numbers = [await messages.next(), await messages.next(), await messages.next()].map((
    next,
  ) => next.value?.body.case === "receipt" ? next.value.body.value.sequence : undefined);
  assert.deepEqual(numbers, [1, 8, 2]);
});

Deno.test("a sealed connection ends once its server has said Closing", async () => {
  using far = new Far();
  await using connection = await far.dial();
  await connection.send(heartbeat);
  await far.next();
  far.sayCovered(closing());
  const said: ServerMessage[] = [];
  for await (const message of connection.messages) said.push(message);
  assert.equal(said.at(-1)?.body.case, "closing");
  assert.equal(await connection.lost, "enough");
});

Deno.test("dialSealed() says why, where nobody takes the token", async () => {
  using far = new Far();
  await assert.rejects(
    far.dial({ rule: FOREIGN }),
    (error) =>
      error instanceof ConnectionLost && /not made with this server's key/.test(error.message),
  );
  assert.equal(far.connection.disposed, 1);
});

Deno.test("dialSealed() ends with its signal, and for a token that is none at once", async () => {
  using far = new Far();
  await assert.rejects(far.dial({ signal: AbortSignal.abort() }), ConnectionLost);
  const options = { clientId: "a", will, signal: NEVER, token: "nonsense" };
  await assert.rejects(dialSealed(URL_HERE, options, () => assert.fail()), TypeError);
});

/** A connection on which the server has answered, and then a new server that does not know it. */
async function restarted(far: Far, doubtMs: number) {
  const connection = await far.dial({ doubtMs });
  const messages = connection.messages[Symbol.asyncIterator]();
  await connection.send(heartbeat);
  await far.next();
  far.sayCovered(receipt(1));
  await messages.next();
  const standing = far.keeper;
  far.keeper = new Gatekeeper({ rule: RULE, sealedOnly: true, voided: () => {} });
  await connection.send(heartbeat);
  await far.next();
  return { connection, messages, standing };
}

Deno.test("a sealed connection is lost when its server was started again", async () => {
  using far = new Far();
  const { connection, messages } = await restarted(far, 1);
  await using _ = connection;
  assert.equal((await messages.next()).done, true);
  assert.match(await connection.lost, /connect again/);
});

Deno.test("a challenge that somebody has brought about ends no connection that is answered", async () => {
  using far = new Far();
  const { connection, messages, standing } = await restarted(far, 60_000);
  await using _ = connection;
  far.keeper = standing; // it was another server's
  const next = messages.next();
  far.sayCovered(receipt(2));
  assert.equal((await next).value?.body.case, "receipt");
});
