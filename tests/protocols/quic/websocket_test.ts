import assert from "node:assert/strict";
import { clientMessage, encodeClientMessage } from "../../../src/contract/codec.ts";
import { WebSocketNewcomer } from "../../../src/protocols/quic/websocket.ts";
import { opcodes } from "../../../src/websocket/frames.ts";
import { WEBSOCKET_CLOSE_CODES } from "../../../src/protocols/quic/wire.ts";
import { ManualTimers } from "../../support/manual_timers.ts";
import { heartbeat, hello } from "../../support/peer.ts";
import { Bench, model, NEVER, task } from "./bench.ts";
import { update } from "./stranger.ts";
import { WebSocketStranger } from "../../support/websocket_stranger.ts";

const BINARY = opcodes.binary;

/** A stranger that has said Hello as client c. */
async function greeted(bench: Bench): Promise<WebSocketStranger> {
  const stranger = await WebSocketStranger.connect(bench.url);
  await stranger.tell("c", 1, hello());
  await stranger.hear();
  return stranger;
}

Deno.test("WEBSOCKET_CLOSE_CODES tells every verdict from every other", () => {
  const codes = Object.values(WEBSOCKET_CLOSE_CODES);
  assert.equal(new Set(codes).size, codes.length);
  assert.ok(codes.every((code) => code < 1015 || code >= 4000 && code < 5000));
});

Deno.test("a WebSocket for another federation is answered 404", async () => {
  await using bench = await Bench.open();
  await using stranger = await WebSocketStranger.connect(bench.url, { path: "/other" });
  assert.match(stranger.answer, /^HTTP\/1\.1 404 /);
  assert.equal(
    await bench.heard("refused"),
    "This is the federation default, with which its addresses end",
  );
  await stranger.tcp.drain();
});

Deno.test("a WebSocket's path is the federation's name, percent-encoded", async () => {
  await using bench = await Bench.open({}, { federation: "Köln/1 ?" });
  await using stranger = await greeted(bench);
  assert.match(stranger.answer, /^HTTP\/1\.1 101 /);
});

Deno.test("a page from elsewhere is answered 403, unless it is allowed", async () => {
  const origin = "https://example.org";
  await using bench = await Bench.open();
  await using stranger = await WebSocketStranger.connect(bench.url, { origin });
  assert.match(stranger.answer, /^HTTP\/1\.1 403 /);
  assert.equal(
    await bench.heard("refused"),
    "Pages of https://example.org may not join; allow them by --quic-origins",
  );
  await using open = await Bench.open({ origins: [origin] });
  await using welcome = await WebSocketStranger.connect(open.url, { origin });
  assert.match(welcome.answer, /^HTTP\/1\.1 101 /);
});

Deno.test("a WebSocket beyond maxConnections is answered 503, whatever the others speak", async () => {
  await using bench = await Bench.open({}, { maxConnections: 1 });
  await using first = await greeted(bench);
  await using second = await WebSocketStranger.connect(bench.url);
  assert.match(second.answer, /^HTTP\/1\.1 503 /);
  assert.equal(
    await bench.heard("refused"),
    "All 1 connections are taken; try again later",
  );
  await first.tell("c", 2, heartbeat());
  await first.hear();
});

Deno.test("a TCP connection that asks for nothing is closed after connectTimeoutMs", async () => {
  await using bench = await Bench.open({ connectTimeoutMs: 100 });
  const { hostname, port } = new URL(bench.url);
  const conn = await Deno.connect({ hostname, port: Number(port) });
  const answer = await new Response(conn.readable).text();
  assert.match(answer, /^HTTP\/1\.1 400 /);
  assert.equal(await bench.heard("refused"), "No message came within 100 ms");
});

Deno.test("a WebSocket without a message is closed after connectTimeoutMs", async () => {
  await using bench = await Bench.open({ connectTimeoutMs: 100 });
  using timers = new ManualTimers();
  await using stranger = await WebSocketStranger.connect(bench.url);
  timers.pass(100);
  const reason = "No message came within 100 ms";
  assert.deepEqual(await stranger.hearClose(), { code: 1002, reason });
});

for (
  const [what, begin, reason] of [
    ["text", "818000000000", "Messages are binary WebSocket frames, not text"],
    ["a frame that is not masked", "820100000000", "A WebSocket frame of a client must be masked"],
    [
      "a message's end without a beginning",
      "808000000000",
      "A WebSocket message begins within another, or goes on without a beginning",
    ],
  ] as const
) {
  Deno.test(`a WebSocket that sends ${what} is closed with 1002, and the server goes on`, async () => {
    await using bench = await Bench.open();
    await using stranger = await greeted(bench);
    await stranger.tcp.write(Uint8Array.fromHex(begin));
    assert.deepEqual(await stranger.hearClose(), { code: 1002, reason });
    assert.equal(await bench.heard("refused"), reason);
    await using other = await greeted(bench);
    assert.match(other.answer, /^HTTP\/1\.1 101 /);
  });
}

Deno.test("a WebSocket message is refused with 1009 as soon as its length is known", async () => {
  await using bench = await Bench.open();
  await using stranger = await greeted(bench);
  await stranger.tcp.write(Uint8Array.fromHex("82ff00000000ffffffff00000000"));
  const reason = "A message of 4294967295 bytes is larger than 524288";
  assert.deepEqual(await stranger.hearClose(), { code: 1009, reason });
});

Deno.test("a WebSocket message in many frames is refused with 1009 once it is too long", async () => {
  await using bench = await Bench.open();
  await using stranger = await greeted(bench);
  const bytes = new Uint8Array(60_000);
  await stranger.say(BINARY, bytes, { final: false });
  for (let count = 1; count < 9; count++) {
    await stranger.say(opcodes.continuation, bytes, { final: false });
  }
  const reason = "A message of 540000 bytes is larger than 524288";
  assert.deepEqual(await stranger.hearClose(), { code: 1009, reason });
});

Deno.test("a WebSocket message may come in frames, with a ping between them that is answered", async () => {
  await using bench = await Bench.open();
  await using stranger = await greeted(bench);
  const part = new Uint8Array(70_001).map((_, index) => index * 7);
  const message = encodeClientMessage(
    clientMessage({ clientId: "c", sequence: 2, body: update(1, part) }),
  );
  const cuts = [0, 3, 3, 50_003, message.length];
  for (let index = 1; index < cuts.length; index++) {
    const bytes = message.subarray(cuts[index - 1], cuts[index]);
    const final = index === cuts.length - 1;
    await stranger.say(index === 1 ? BINARY : opcodes.continuation, bytes, { final });
    if (final) break;
    await stranger.say(opcodes.ping, Uint8Array.of(index));
    const pong = await stranger.hearFrame();
    assert.deepEqual(pong, { opcode: opcodes.pong, bytes: Uint8Array.of(index) });
  }
  const receipt = await stranger.hear();
  assert.ok(receipt.body.case === "receipt");
  assert.equal(receipt.body.value.sequence, 2);
  const { message: { body } } = await bench.coordinator.message(
    "c",
    ({ sequence }) => sequence === 2,
  );
  assert.ok(body.case === "updatePart");
  assert.deepEqual(body.value.bytes, part);
});

Deno.test("a WebSocket client that says Close hears what was due, then Close, and is detached", async () => {
  await using bench = await Bench.open();
  await using stranger = await greeted(bench);
  const judged = Promise.withResolvers<void>();
  const { judge } = bench.coordinator;
  bench.coordinator.judge = async (message) => {
    await judged.promise;
    return await judge(message);
  };
  await stranger.tell("c", 2, heartbeat());
  await stranger.say(opcodes.close, Uint8Array.of(0x03, 0xe8));
  await bench.coordinator.arrivals.find((arrival) => arrival.kind === "detached");
  judged.resolve();
  const receipt = await stranger.hear();
  assert.ok(receipt.body.case === "receipt");
  assert.equal(receipt.body.value.sequence, 2);
  assert.equal((await stranger.hearClose()).code, 1000);
  assert.equal(await stranger.hearFrame(), undefined);
});

Deno.test("QuicServer.drop tells a WebSocket client why, after what was taken for it", async () => {
  await using bench = await Bench.open();
  await using stranger = await greeted(bench);
  const { route } = await bench.coordinator.message("c");
  assert.equal(await bench.server.send(route, task(1), { signal: NEVER }), "taken");
  bench.server.drop(route, "enough");
  assert.equal((await stranger.hear()).body.case, "task");
  assert.deepEqual(await stranger.hearClose(), { code: 1000, reason: "enough" });
  await stranger.say(opcodes.close, Uint8Array.of(0x03, 0xe8));
  assert.equal(await stranger.hearFrame(), undefined);
  assert.equal(await bench.heard("disconnected"), "enough");
  assert.ok(!bench.coordinator.arrivals.all.some((arrival) => arrival.kind === "detached"));
});

Deno.test("a WebSocket client that is gone without a word is detached", async () => {
  await using bench = await Bench.open();
  await using stranger = await greeted(bench);
  stranger.tcp.close("the test");
  const detached = await bench.coordinator.arrivals.find(({ kind }) => kind === "detached");
  assert.ok(detached.kind === "detached");
  assert.match(detached.reason, /^The connection is lost: /);
});

Deno.test("a receipt overtakes the models that wait for a slow WebSocket reader", async () => {
  await using bench = await Bench.open();
  await using stranger = await greeted(bench);
  const { route } = await bench.coordinator.message("c");
  const bytes = new Uint8Array(1_000_000);
  const abort = new AbortController();
  const sends = Array.from(
    { length: 40 },
    (_, round) => bench.server.send(route, model(round, bytes), { signal: abort.signal }),
  );
  await sends[0];
  await stranger.tell("c", 2, heartbeat());
  await bench.coordinator.message("c", ({ sequence }) => sequence === 2);
  let models = 0;
  while ((await stranger.hear()).body.case === "modelPart") models++;
  assert.ok(models < 39, `${models} models came before the receipt`);
  abort.abort();
  await Promise.all(sends);
});

Deno.test("a WebSocket is not read on while maxUnjudgedBytes are with the coordinator", async () => {
  await using bench = await Bench.open({}, { maxUnjudgedBytes: 100_000 });
  await using stranger = await greeted(bench);
  const judged = Promise.withResolvers<void>();
  const { judge } = bench.coordinator;
  bench.coordinator.judge = async (message) => {
    if (message.clientId === "c") await judged.promise;
    return await judge(message);
  };
  const bytes = new Uint8Array(60_000);
  for (let sequence = 2; sequence <= 5; sequence++) {
    await stranger.tell("c", sequence, update(sequence, bytes));
  }
  const arrived = () =>
    bench.coordinator.arrivals.all.filter((arrival) =>
      arrival.kind === "message" && arrival.message.body.case === "updatePart"
    ).length;
  await bench.coordinator.arrivals.find(() => arrived() === 2);
  // Another connection is served meanwhile: whatever was on the wire has been read by then.
  await using other = await WebSocketStranger.connect(bench.url);
  await other.tell("other", 1, heartbeat());
  await other.hear();
  assert.equal(arrived(), 2);
  judged.resolve();
  for (let sequence = 2; sequence <= 5; sequence++) await stranger.hear();
  assert.equal(arrived(), 4);
});

Deno.test("a silent WebSocket is asked whether it is there, and without an answer lost", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `quic://127.0.0.1:${listener.addr.port}/default`;
  const connecting = WebSocketStranger.connect(url);
  const newcomer = new WebSocketNewcomer(await listener.accept(), {
    maxIdleTimeout: 200,
    keepAliveInterval: 20,
  });
  const carrier = await newcomer.admit({ federation: "default", origins: [], count: () => {} });
  assert.ok("control" in carrier);
  await using stranger = await connecting;
  const read = carrier.control.frames.next({ maxBytes: 100 });
  assert.deepEqual(await stranger.hearFrame(), { opcode: opcodes.ping, bytes: new Uint8Array(0) });
  assert.equal(await carrier.over, "The connection is lost: timed out");
  assert.deepEqual(await read, { kind: "lost" });
});

Deno.test("QuicServer takes back WebSockets that have said nothing when it stops", async () => {
  const bench = await Bench.open();
  const { hostname, port } = new URL(bench.url);
  const conn = await Deno.connect({ hostname, port: Number(port) });
  await using stranger = await WebSocketStranger.connect(bench.url);
  await bench[Symbol.asyncDispose]();
  assert.equal(await new Response(conn.readable).text(), "");
  assert.equal((await stranger.hearClose()).reason, "The server stops");
});

// As wire.md has them: masked with zeros, so that the bytes can be read.
Deno.test("a WebSocket plays wire.md's vectors", async () => {
  await using bench = await Bench.open();
  await using stranger = await WebSocketStranger.connect(bench.url);
  await stranger.tcp.write(Uint8Array.fromHex(
    "82ab00000000" +
      "1208636c69656e742d312001521d08011210000102030405060708090a0b0c0d0e0f220573746f636b2864",
  ));
  const { message } = await bench.coordinator.message("client-1");
  assert.ok(message.body.case === "hello");
  assert.equal(message.body.value.software, "stock");
  assert.equal((await stranger.hear()).body.case, "receipt");
});
