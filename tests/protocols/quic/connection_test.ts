import assert from "node:assert/strict";
import { Verdict } from "../../../src/contract/federation_pb.ts";
import { serverMessage } from "../../../src/contract/codec.ts";
import { dial } from "../../../src/protocols/quic/client.ts";
import { CLOSE_CODES, CLOSE_NO_ERROR } from "../../../src/protocols/quic/wire.ts";
import { ManualTimers } from "../../support/manual_timers.ts";
import { heartbeat, hello, Peer } from "../../support/peer.ts";
import { RUN_ID } from "../../support/scripted_coordinator.ts";
import { Bench, model, NEVER, task } from "./bench.ts";
import { HeldNetwork } from "./held_network.ts";
import { framed, said, SHORT_IDLE_MS, Stranger, update } from "./stranger.ts";

Deno.test("QUIC clients send and receive", async () => {
  await using bench = await Bench.open();
  await using stack = new AsyncDisposableStack();
  for (let index = 0; index < 8; index++) {
    const clientId = `client-${index}`;
    const peer = stack.use(await Peer.dial(dial, bench.url, clientId));
    assert.equal((await peer.ask(hello())).verdict, Verdict.ACCEPTED);
    const { route } = await bench.coordinator.message(clientId);
    const bytes = new Uint8Array(100_000).fill(index);
    assert.equal(await bench.server.send(route, model(1, bytes), { signal: NEVER }), "taken");
    const heard = await peer.heard.find((message) => message.body.case === "modelPart");
    assert.deepEqual(heard, model(1, bytes));
    assert.equal((await peer.ask(update(1, bytes))).verdict, Verdict.ACCEPTED);
  }
});

Deno.test("QuicServer refuses another ALPN with QUIC's own error and says so once", async () => {
  await using bench = await Bench.open();
  const server = new URL(bench.url);
  // A client that sends its first packet again, for want of an answer in time, is refused again.
  await using network = new HeldNetwork(server, { mostUp: 1 });
  network.release();
  await assert.rejects(Stranger.connect(network.from(server).href, { alpnProtocol: "http/0.9" }));
  assert.match(await bench.heard("refused"), /^No QUIC handshake: /);
  assert.equal(bench.coordinator.events.all.length, 1);
  await using peer = await Peer.dial(dial, bench.url, "client-1");
  assert.equal((await peer.ask(hello())).verdict, Verdict.ACCEPTED);
});

Deno.test("QuicServer closes a connection for another federation with a code and a reason", async () => {
  await using bench = await Bench.open();
  await using stranger = await Stranger.connect(bench.url);
  await stranger.bidirectional(framed("other"));
  const reason = "This is the federation default, with which its addresses end";
  const closeCode = CLOSE_CODES[Verdict.UNSUPPORTED];
  assert.deepEqual({ ...await stranger.conn.closed }, { closeCode, reason });
  assert.equal(await bench.heard("refused"), reason);
});

Deno.test("QuicServer takes a federation name that needs percent-encoding in its URL", async () => {
  await using bench = await Bench.open({}, { federation: "Köln/1 ?" });
  await using peer = await Peer.dial(dial, bench.url, "client-1");
  assert.equal((await peer.ask(hello())).verdict, Verdict.ACCEPTED);
});

Deno.test("QuicServer tells a client beyond maxConnections that it is busy", async () => {
  await using bench = await Bench.open({}, { maxConnections: 1 });
  await using first = await Peer.dial(dial, bench.url, "client-1");
  await first.ask(hello());
  await using stranger = await Stranger.connect(bench.url);
  const { closeCode, reason } = await stranger.conn.closed;
  assert.equal(closeCode, CLOSE_CODES[Verdict.BUSY]);
  assert.match(reason, /try again later/);
  assert.equal((await first.ask(heartbeat())).verdict, Verdict.ACCEPTED);
});

const NAME = framed("default");

for (
  const [silence, chunks] of Object.entries({
    "no stream": undefined,
    "half a length": [new Uint8Array(2)],
    "a name and no message": [NAME],
    "half a message": [NAME, new Uint8Array([0, 0, 0, 9, 1])],
  })
) {
  Deno.test(`QuicServer closes a connection that opens with ${silence}`, async () => {
    await using bench = await Bench.open({ connectTimeoutMs: 100 });
    using timers = new ManualTimers();
    await using stranger = await Stranger.connect(bench.url);
    if (chunks !== undefined) await stranger.bidirectional(...chunks);
    if (chunks?.includes(NAME)) {
      await bench.coordinator.events.find(({ kind }) => kind === "connected");
    }
    await timers.some();
    timers.pass(100);
    const { closeCode, reason } = await stranger.conn.closed;
    assert.equal(closeCode, CLOSE_CODES[Verdict.MALFORMED]);
    assert.equal(reason, "No message came within 100 ms");
    assert.equal(await bench.heard("refused"), reason);
  });
}

Deno.test("QuicServer ends a connection whose control stream names a length beyond the limit", async () => {
  await using bench = await Bench.open();
  await using stranger = await Stranger.connect(bench.url);
  await stranger.bidirectional(framed("default"), new Uint8Array(4).fill(0xff));
  const { closeCode, reason } = await stranger.conn.closed;
  assert.equal(closeCode, CLOSE_CODES[Verdict.OVERSIZED]);
  assert.equal(reason, "A message of 4294967295 bytes is larger than 524288");
});

Deno.test("QuicServer stops only the stream of an oversized update, and answers on the control stream", async () => {
  await using bench = await Bench.open();
  await using stranger = await Stranger.connect(bench.url);
  const control = await stranger.bidirectional(framed("default"), said("c", 1, hello()));
  await control.hear();
  const upload = (await stranger.conn.createUnidirectionalStream()).getWriter();
  await upload.write(new Uint8Array([0, 8, 0, 1]));
  const reason = "A message of 524289 bytes is larger than 524288";
  assert.equal(await bench.heard("refused"), reason);
  const receipt = await control.hear();
  assert.ok(receipt?.body.case === "receipt");
  assert.equal(receipt.body.value.verdict, Verdict.MALFORMED);
  assert.equal(receipt.body.value.detail, reason);
  await assert.rejects(async () => {
    for (;;) await upload.write(new Uint8Array(65536));
  }, Deno.errors.ConnectionReset);
  await control.writer.write(said("c", 2, heartbeat()));
  assert.ok(await control.hear());
});

Deno.test("QuicServer answers an update that ends inside a message as malformed", async () => {
  await using bench = await Bench.open();
  await using stranger = await Stranger.connect(bench.url);
  const control = await stranger.bidirectional(framed("default"), said("c", 1, hello()));
  await control.hear();
  await stranger.upload(new Uint8Array([0, 0, 1, 0, 7, 7]));
  const receipt = await control.hear();
  assert.ok(receipt?.body.case === "receipt");
  assert.equal(receipt.body.value.detail, "A stream ended inside a message");
});

Deno.test("QuicServer takes updates on streams of either kind and on the control stream", async () => {
  await using bench = await Bench.open();
  await using stranger = await Stranger.connect(bench.url);
  const control = await stranger.bidirectional(framed("default"), said("c", 1, hello()));
  await control.hear();
  const bytes = new Uint8Array(10).fill(5);
  await stranger.upload(said("c", 2, update(1, bytes)));
  assert.ok(await control.hear());
  await stranger.bidirectional(said("c", 3, update(2, bytes)));
  assert.ok(await control.hear());
  await control.writer.write(said("c", 4, update(3, bytes)));
  assert.ok(await control.hear());
  const taken = bench.coordinator.arrivals.all.filter((arrival) =>
    arrival.kind === "message" && arrival.message.body.case === "updatePart"
  );
  assert.equal(taken.length, 3);
});

Deno.test("QuicServer serves hundreds of uploads and models on one connection", async () => {
  const count = 400;
  await using bench = await Bench.open({ maxStreams: 4 });
  await using peer = await Peer.dial(dial, bench.url, "client-1");
  await peer.ask(hello());
  const { route } = await bench.coordinator.message("client-1");
  const bytes = new Uint8Array(3000).fill(1);
  for (let round = 0; round < count; round++) {
    void bench.server.send(route, model(round, bytes), { signal: NEVER });
  }
  const sequences = await Promise.all(
    Array.from({ length: count }, (_, index) => peer.send(update(index, bytes))),
  );
  await Promise.all(sequences.map((sequence) => peer.receipt(sequence)));
  const models = await peer.heard.some(count, (message) => message.body.case === "modelPart");
  const rounds = models.map((message) =>
    message.body.case === "modelPart" ? message.body.value.modelRound : -1
  );
  assert.deepEqual(
    rounds.toSorted((left, right) => left - right),
    Array.from({ length: count }, (_, round) => round),
  );
});

Deno.test("QuicServer goes on after a client stopped a model's stream", async () => {
  await using bench = await Bench.open();
  await using stranger = await Stranger.connect(bench.url);
  const control = await stranger.bidirectional(framed("default"), said("c", 1, hello()));
  await control.hear();
  const { route } = await bench.coordinator.message("c");
  const large = model(1, new Uint8Array(8_000_000));
  const stopped = bench.server.send(route, large, { signal: NEVER });
  const models = stranger.conn.incomingUnidirectionalStreams.getReader();
  await (await models.read()).value?.cancel();
  assert.equal(await stopped, "stalled");
  const next = bench.server.send(route, model(2, new Uint8Array(3)), { signal: NEVER });
  assert.equal(await next, "taken");
  assert.ok((await models.read()).value);
});

Deno.test("QuicServer closes a connection whose client stopped its control stream", async () => {
  await using bench = await Bench.open();
  await using stranger = await Stranger.connect(bench.url);
  const stream = await stranger.conn.createBidirectionalStream();
  const writer = stream.writable.getWriter();
  await stream.readable.cancel();
  await writer.write(framed("default"));
  for (let sequence = 1; sequence <= 2; sequence++) {
    await writer.write(said("c", sequence, heartbeat())).catch(() => {});
  }
  const { closeCode } = await stranger.conn.closed;
  assert.equal(closeCode, CLOSE_CODES[Verdict.MALFORMED]);
  await bench.coordinator.arrivals.find((arrival) => arrival.kind === "detached");
});

Deno.test("QuicServer lets a slow reader's sends wait, and aborts them as stalled", async () => {
  await using bench = await Bench.open();
  await using peer = await Peer.dial(dial, bench.url, "client-1", { reading: false });
  await peer.send(hello());
  const { route } = await bench.coordinator.message("client-1");
  const abort = new AbortController();
  const bytes = new Uint8Array(1_000_000);
  const outcomes = Array.from(
    { length: 40 },
    (_, round) => bench.server.send(route, model(round, bytes), { signal: abort.signal }),
  );
  await outcomes[0];
  // The control stream has flow control of its own.
  assert.equal(await bench.server.send(route, task(1), { signal: NEVER }), "taken");
  abort.abort();
  assert.equal(await outcomes.at(-1), "stalled");
  assert.equal(await bench.server.send(route, task(2), { signal: abort.signal }), "stalled");
});

Deno.test("QuicServer notices a vanished client by its idle timeout, and its sends are gone", async () => {
  await using bench = await Bench.open();
  // Nothing keeps this connection alive: to the server it is as if the machine were gone.
  await using stranger = await Stranger.connect(bench.url, { maxIdleTimeout: SHORT_IDLE_MS });
  const control = await stranger.bidirectional(framed("default"), said("c", 1, hello()));
  await control.hear();
  const { route } = await bench.coordinator.message("c");
  // One endless model: more than the client's stream window and the server's buffers hold.
  const bytes = new Uint8Array(1_000_000);
  const sends = Promise.all(
    Array.from(
      { length: 40 },
      () => bench.server.send(route, model(1, bytes, 100 * bytes.length), { signal: NEVER }),
    ),
  );
  const detached = await bench.coordinator.arrivals.find((arrival) => arrival.kind === "detached");
  assert.ok(detached.kind === "detached");
  assert.equal(detached.reason, "The connection is lost: timed out");
  assert.equal((await sends).at(-1), "gone");
});

Deno.test("QuicServer.drop lets what was taken leave, then closes with the reason", async () => {
  await using bench = await Bench.open();
  await using peer = await Peer.dial(dial, bench.url, "client-1");
  await peer.ask(hello());
  const { route } = await bench.coordinator.message("client-1");
  const closing = serverMessage({ runId: RUN_ID, body: { case: "closing", value: { reason: 2 } } });
  const taken = await bench.server.send(route, closing, { signal: NEVER });
  bench.server.drop(route, "replaced by a newer session");
  assert.equal(taken, "taken");
  assert.equal(await peer.connection.lost, "replaced by a newer session");
  await peer.heard.find((message) => message.body.case === "closing");
  assert.equal(await bench.heard("disconnected"), "replaced by a newer session");
  assert.ok(!bench.coordinator.arrivals.all.some((arrival) => arrival.kind === "detached"));
});

Deno.test("QuicServer.drop closes although the client never ends its control stream", async () => {
  await using bench = await Bench.open();
  await using stranger = await Stranger.connect(bench.url);
  const control = await stranger.bidirectional(framed("default"), said("c", 1, hello()));
  await control.hear();
  const { route } = await bench.coordinator.message("c");
  bench.server.drop(route, "enough");
  assert.equal(await control.hear(), undefined);
  const closed = await stranger.conn.closed;
  assert.deepEqual({ ...closed }, { closeCode: CLOSE_NO_ERROR, reason: "enough" });
});

Deno.test("QuicServer answers what came before the end of the control stream", async () => {
  await using bench = await Bench.open();
  const judged = Promise.withResolvers<void>();
  const { judge } = bench.coordinator;
  bench.coordinator.judge = async (message) => {
    await judged.promise;
    return await judge(message);
  };
  await using stranger = await Stranger.connect(bench.url);
  const control = await stranger.bidirectional(framed("default"), said("c", 7, hello()));
  await control.writer.close();
  await bench.coordinator.arrivals.find((arrival) => arrival.kind === "detached");
  judged.resolve();
  const receipt = await control.hear();
  assert.ok(receipt?.body.case === "receipt");
  assert.equal(receipt.body.value.sequence, 7);
  assert.equal(await control.hear(), undefined);
});

Deno.test("QuicServer does not read on while maxUnjudgedBytes are with the coordinator", async () => {
  await using bench = await Bench.open({}, { maxUnjudgedBytes: 10_000 });
  await using peer = await Peer.dial(dial, bench.url, "client-1");
  await peer.ask(hello());
  const judged = Promise.withResolvers<void>();
  const { judge } = bench.coordinator;
  bench.coordinator.judge = async (message) => {
    await judged.promise;
    return await judge(message);
  };
  const bytes = new Uint8Array(9000);
  const sequences = await Promise.all([
    peer.send(update(1, bytes)),
    peer.send(update(2, bytes)),
    peer.send(update(3, bytes)),
    peer.send(update(4, bytes)),
  ]);
  const arrived = () =>
    bench.coordinator.arrivals.all.filter((arrival) =>
      arrival.kind === "message" && arrival.message.body.case === "updatePart"
    ).length;
  await bench.coordinator.arrivals.find(() => arrived() === 2);
  // Another connection is served meanwhile: whatever was on the wire has been read by then.
  await using other = await Peer.dial(dial, bench.url, "client-2");
  await other.send(heartbeat());
  await bench.coordinator.message("client-2");
  assert.equal(arrived(), 2);
  judged.resolve();
  await Promise.all(sequences.map((sequence) => peer.receipt(sequence)));
  assert.equal(arrived(), 4);
});
