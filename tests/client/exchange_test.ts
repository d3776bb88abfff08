import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { serverMessage } from "../../src/contract/codec.ts";
import { ConnectionLost } from "../../src/contract/connection.ts";
import { type ServerMessage, Verdict } from "../../src/contract/federation_pb.ts";
import { Exchange, type Identity } from "../../src/client/exchange.ts";
import { ManualTimers } from "../support/manual_timers.ts";
import { heartbeat } from "../support/peer.ts";
import { MemoryConnection } from "./memory_connection.ts";

const SILENCE_MS = 1000;

function open(identity: Identity = { clientId: "a", runId: "", session: new Uint8Array() }) {
  const connection = new MemoryConnection();
  const heard: ServerMessage[] = [];
  const exchange = new Exchange(connection, identity, {
    hear: (message) => heard.push(message),
    silenceMs: () => SILENCE_MS,
  });
  return { connection, exchange, heard };
}

function roundClosed(): ServerMessage {
  return serverMessage({ body: { case: "roundClosed", value: {} } });
}

/** Whether the exchange is over once everything that can run has run. */
async function isOver(exchange: Exchange): Promise<boolean> {
  await turn();
  return exchange.signal.aborted;
}

Deno.test("Exchange.ask() resolves with the receipt of its own message", async () => {
  const { connection, exchange } = open();
  await using _ = exchange;
  const [first, second] = [exchange.ask(heartbeat()), exchange.ask(heartbeat())];
  connection.judge(2, Verdict.STALE);
  connection.judge(1, Verdict.ACCEPTED);
  assert.equal((await first).verdict, Verdict.ACCEPTED);
  assert.equal((await second).verdict, Verdict.STALE);
});

Deno.test("every message carries who says it, as of then, and a sequence of its own", async () => {
  const identity = { clientId: "a", runId: "", session: new Uint8Array() };
  const { connection, exchange } = open(identity);
  await using _ = exchange;
  void exchange.ask(heartbeat()).catch(() => {});
  identity.runId = "run";
  identity.session = new Uint8Array([1]);
  void exchange.ask(heartbeat()).catch(() => {});
  assert.deepEqual(
    connection.sent.all.map(({ clientId, runId, session, sequence }) => [
      clientId,
      runId,
      session.length,
      sequence,
    ]),
    [["a", "", 0, 1], ["a", "run", 1, 2]],
  );
});

Deno.test("everything the server says is heard, in order, receipts too", async () => {
  const { connection, exchange, heard } = open();
  await using _ = exchange;
  const asked = exchange.ask(heartbeat());
  connection.say(roundClosed());
  connection.judge(1);
  connection.say(roundClosed());
  await asked;
  await turn();
  assert.deepEqual(heard.map((message) => message.body.case), [
    "roundClosed",
    "receipt",
    "roundClosed",
  ]);
});

Deno.test("a receipt that is repeated, or answers nothing, harms nothing", async () => {
  const { connection, exchange } = open();
  await using _ = exchange;
  const asked = exchange.ask(heartbeat());
  for (const sequence of [1, 1, 0, 99]) connection.judge(sequence);
  await asked;
  const again = exchange.ask(heartbeat());
  connection.judge(2);
  await again;
});

Deno.test("what waits when the connection ends is told so, and whatever is asked afterwards", async () => {
  const { connection, exchange } = open();
  await using _ = exchange;
  const asked = exchange.ask(heartbeat());
  connection.end("cable pulled");
  await assert.rejects(asked, (error) => error instanceof ConnectionLost);
  assert.equal(await exchange.over, "cable pulled");
  assert.ok(exchange.signal.reason instanceof ConnectionLost);
  await assert.rejects(exchange.ask(heartbeat()), { message: "cable pulled" });
});

Deno.test("a message that the wire does not take rejects", async () => {
  const { connection, exchange } = open();
  await using _ = exchange;
  connection.send = () => Promise.reject(new ConnectionLost("no route"));
  await assert.rejects(exchange.ask(heartbeat()), { message: "no route" });
});

Deno.test("a listener that throws ends the connection, with its reason", async () => {
  const connection = new MemoryConnection();
  await using exchange = new Exchange(connection, {
    clientId: "a",
    runId: "",
    session: new Uint8Array(),
  }, {
    hear: () => {
      throw new TypeError("cannot hear");
    },
    silenceMs: () => SILENCE_MS,
  });
  connection.say(roundClosed());
  assert.equal(await exchange.over, "cannot hear");
});

Deno.test("an Exchange that is left closes its connection", async () => {
  const { connection, exchange } = open();
  {
    await using _ = exchange;
  }
  assert.equal(connection.disposed, 1);
  assert.equal(await exchange.over, "closed by the client");
});

Deno.test("a server that says nothing while a receipt is awaited is given up", async () => {
  using timers = new ManualTimers();
  const { exchange } = open();
  await using _ = exchange;
  const asked = exchange.ask(heartbeat());
  timers.pass(SILENCE_MS - 1);
  assert.equal(await isOver(exchange), false);
  timers.pass(1);
  await assert.rejects(asked, { message: "the server does not answer" });
  assert.equal(await exchange.over, "the server does not answer");
});

Deno.test("any word is life", async () => {
  using timers = new ManualTimers();
  const { connection, exchange } = open();
  await using _ = exchange;
  const asked = exchange.ask(heartbeat());
  for (let words = 0; words < 5; words++) {
    timers.pass(SILENCE_MS - 1);
    connection.say(roundClosed());
    assert.equal(await isOver(exchange), false);
  }
  connection.judge(1);
  await asked;
});

Deno.test("where nothing is awaited, nothing is missed", async () => {
  using timers = new ManualTimers();
  const { connection, exchange } = open();
  await using _ = exchange;
  assert.equal(timers.waiting, 0);
  const asked = exchange.ask(heartbeat());
  connection.judge(1);
  await asked;
  await turn();
  assert.equal(timers.waiting, 0);
  connection.say(roundClosed());
  timers.pass(10 * SILENCE_MS);
  assert.equal(await isOver(exchange), false);
});

Deno.test("a receipt that was passed over is missed, whatever else the server says", async () => {
  using timers = new ManualTimers();
  const { connection, exchange } = open();
  await using _ = exchange;
  const lost = exchange.ask(heartbeat());
  lost.catch(() => {});
  for (let sequence = 2; sequence <= 4; sequence++) {
    const asked = exchange.ask(heartbeat());
    connection.judge(sequence);
    await asked;
    assert.equal(await isOver(exchange), false);
    timers.pass(0.4 * SILENCE_MS);
  }
  assert.equal(await isOver(exchange), true);
  await assert.rejects(lost, ConnectionLost);
});

Deno.test("a receipt that was only overtaken is waited for", async () => {
  using timers = new ManualTimers();
  const { connection, exchange } = open();
  await using _ = exchange;
  const [first, second] = [exchange.ask(heartbeat()), exchange.ask(heartbeat())];
  connection.judge(2);
  await second;
  timers.pass(SILENCE_MS - 1);
  connection.judge(1);
  await first;
  timers.pass(SILENCE_MS);
  assert.equal(await isOver(exchange), false);
});
