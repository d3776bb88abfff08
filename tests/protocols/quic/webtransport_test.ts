import assert from "node:assert/strict";
import { Verdict } from "../../../src/contract/federation_pb.ts";
import { addressOf } from "../../../src/protocols/quic/address.ts";
import { CLOSE_CODES, CLOSE_NO_ERROR } from "../../../src/protocols/quic/wire.ts";
import { ManualTimers } from "../../support/manual_timers.ts";
import { heartbeat, hello } from "../../support/peer.ts";
import { Bench, model, NEVER } from "./bench.ts";
import { connectRequest, SETTINGS, UPDATE_STREAM, UPDATE_STREAM_BOTH_WAYS } from "./http3.ts";
import { said, SHORT_IDLE_MS, Stranger, Told, update } from "./stranger.ts";

/** A session asked for and granted, and the stream that asked for it. */
async function openSession(
  url: string,
  { path = "/default", ...transport }: { path?: string } & Deno.QuicTransportOptions = {},
): Promise<{ session: Stranger; request: Told }> {
  const session = await Stranger.connect(url, { alpnProtocol: "h3", ...transport });
  const settings = await session.conn.createUnidirectionalStream();
  await settings.getWriter().write(SETTINGS);
  const request = await session.bidirectional(connectRequest(new URL(url).host, path));
  assert.deepEqual((await request.take(5)).subarray(2), new Uint8Array([0x00, 0x00, 0xd9])); // :status 200
  await request.take(38); // sec-webtransport-http3-draft
  return { session, request };
}

Deno.test("WebTransport registers, uploads and downloads with Deno's own client", async () => {
  await using bench = await Bench.open();
  const { hostname, port, hash } = addressOf(new URL(bench.url));
  assert.ok(hash);
  const session = new WebTransport(`https://${hostname}:${port}/default`, {
    serverCertificateHashes: [{ algorithm: "sha-256", value: hash }],
  });
  await session.ready;
  const control = await Told.say(
    await session.createBidirectionalStream() as unknown as Deno.QuicBidirectionalStream,
    [said("browser", 1, hello())],
  );
  assert.ok(await control.hear());
  const { route } = await bench.coordinator.message("browser");
  const bytes = new Uint8Array(300_000).fill(3);
  const upload = (await session.createUnidirectionalStream()).getWriter();
  await upload.write(said("browser", 2, update(1, bytes)));
  const receipt = await control.hear();
  assert.ok(receipt?.body.case === "receipt");
  assert.equal(receipt.body.value.verdict, Verdict.ACCEPTED);
  const sent = bench.server.send(route, model(1, bytes), { signal: NEVER });
  const { value: down } = await session.incomingUnidirectionalStreams.getReader().read();
  assert.ok(down);
  const chunks: Uint8Array[] = [];
  for await (const chunk of down) chunks.push(chunk);
  assert.equal(await sent, "taken");
  assert.ok(chunks.reduce((sum, chunk) => sum + chunk.length, 0) > bytes.length);
  session.close({ closeCode: 3, reason: "enough" });
  assert.equal(await bench.heard("disconnected"), "enough");
});

Deno.test("WebTransport streams end and give back their credit, hundreds of times", async () => {
  await using bench = await Bench.open({ maxStreams: 4 });
  const { session: opened, request } = await openSession(bench.url);
  await using session = opened;
  const control = await session.bidirectional(UPDATE_STREAM_BOTH_WAYS, said("c", 1, hello()));
  await control.hear();
  const { route } = await bench.coordinator.message("c");
  const models = session.conn.incomingUnidirectionalStreams.getReader();
  const settings = await models.read();
  const bytes = new Uint8Array(1000).fill(4);
  for (let round = 1; round <= 300; round++) {
    await session.upload(UPDATE_STREAM, said("c", round, update(round, bytes)));
    assert.ok(await control.hear());
    const sent = bench.server.send(route, model(round, bytes), { signal: NEVER });
    const { value: down } = await models.read();
    assert.ok(down);
    let length = 0;
    for await (const chunk of down) length += chunk.length;
    assert.ok(length > bytes.length);
    assert.equal(await sent, "taken");
  }
  await settings.value?.cancel();
  // Held until here: a CONNECT stream that is collected ends, and its session with it.
  await request.writer.close();
});

Deno.test("WebTransport for another federation is answered 404, then closed with a reason", async () => {
  await using bench = await Bench.open();
  await using session = await Stranger.connect(bench.url, { alpnProtocol: "h3" });
  await session.upload(SETTINGS);
  const stream = await session.conn.createBidirectionalStream();
  const writer = stream.writable.getWriter();
  await writer.write(connectRequest(new URL(bench.url).host, "/other"));
  const { value } = await stream.readable.getReader().read();
  assert.deepEqual(value, new Uint8Array([0x01, 0x03, 0x00, 0x00, 0xdb])); // :status 404
  await writer.close();
  const reason = "This is the federation default, with which its addresses end";
  const closeCode = CLOSE_CODES[Verdict.UNSUPPORTED];
  assert.deepEqual({ ...await session.conn.closed }, { closeCode, reason });
  assert.equal(await bench.heard("refused"), reason);
});

Deno.test("WebTransport reads the federation's name percent-decoded", async () => {
  await using bench = await Bench.open({}, { federation: "K 1" });
  const { session: opened } = await openSession(bench.url, { path: "/K%201" });
  await using session = opened;
  const control = await session.bidirectional(UPDATE_STREAM_BOTH_WAYS, said("c", 1, hello()));
  assert.ok(await control.hear());
});

for (
  const [what, request] of Object.entries({
    "no HTTP/3 at all": new Uint8Array(64).fill(0xff),
    "a GET": new Uint8Array([0x01, 0x05, 0x00, 0x00, 0xd1, 0xd7, 0xc1]),
    "a broken field section": new Uint8Array([0x01, 0x03, 0x00, 0x00, 0x80]),
    "a frame beyond the limit": new Uint8Array([0x01, 0x80, 0x01, 0x00, 0x00]),
  })
) {
  Deno.test(`WebTransport's port refuses ${what}, and goes on`, async () => {
    await using bench = await Bench.open();
    const { session: opened } = await openSession(bench.url);
    await using session = opened;
    const control = await session.bidirectional(UPDATE_STREAM_BOTH_WAYS, said("c", 1, hello()));
    await control.hear();
    await using stranger = await Stranger.connect(bench.url, { alpnProtocol: "h3" });
    await stranger.bidirectional(request);
    const { closeCode, reason } = await stranger.conn.closed;
    assert.equal(closeCode, CLOSE_CODES[Verdict.MALFORMED]);
    assert.equal(await bench.heard("refused"), reason);
    await control.writer.write(said("c", 2, heartbeat()));
    assert.ok(await control.hear());
  });
}

Deno.test("HTTP/3 that asks for nothing is closed after connectTimeoutMs", async () => {
  await using bench = await Bench.open({ connectTimeoutMs: 100 });
  using timers = new ManualTimers();
  await using stranger = await Stranger.connect(bench.url, { alpnProtocol: "h3" });
  await timers.some();
  timers.pass(100);
  const { reason } = await stranger.conn.closed;
  assert.equal(reason, "No message came within 100 ms");
});

Deno.test("WebTransport ignores HTTP/3's own streams and those of other sessions", async () => {
  await using bench = await Bench.open();
  const { session: opened } = await openSession(bench.url);
  await using session = opened;
  const control = await session.bidirectional(UPDATE_STREAM_BOTH_WAYS, said("c", 1, hello()));
  await control.hear();
  const qpackEncoder = new Uint8Array([0x02]);
  const otherSession = new Uint8Array([0x40, 0x54, 0x04]);
  await session.upload(qpackEncoder, new Uint8Array(10));
  await session.upload(otherSession, said("c", 2, heartbeat()));
  await session.upload(UPDATE_STREAM, said("c", 3, heartbeat()));
  const receipt = await control.hear();
  assert.ok(receipt?.body.case === "receipt");
  assert.equal(receipt.body.value.sequence, 3);
});

Deno.test("WebTransport client that vanishes is detached, and nothing is left unhandled", async () => {
  await using bench = await Bench.open();
  const { session: opened } = await openSession(bench.url, { maxIdleTimeout: SHORT_IDLE_MS });
  await using session = opened;
  const control = await session.bidirectional(UPDATE_STREAM_BOTH_WAYS, said("c", 1, hello()));
  await control.hear();
  const detached = await bench.coordinator.arrivals.find((arrival) => arrival.kind === "detached");
  assert.ok(detached.kind === "detached");
  assert.equal(detached.reason, "The connection is lost: timed out");
});

Deno.test("WebTransport client that closes its session is detached at once", async () => {
  await using bench = await Bench.open();
  const { session: opened, request } = await openSession(bench.url);
  await using session = opened;
  const control = await session.bidirectional(UPDATE_STREAM_BOTH_WAYS, said("c", 1, hello()));
  await control.hear();
  await request.writer.close(); // the FIN of its CONNECT stream; the connection stands
  assert.equal((await session.conn.closed).closeCode, CLOSE_NO_ERROR);
  assert.equal(await bench.heard("disconnected"), "The client closed its session");
  await bench.coordinator.arrivals.find((arrival) => arrival.kind === "detached");
});

Deno.test("WebTransport client that ends its control stream has left", async () => {
  await using bench = await Bench.open();
  const { session: opened } = await openSession(bench.url);
  await using session = opened;
  const control = await session.bidirectional(UPDATE_STREAM_BOTH_WAYS, said("c", 1, hello()));
  await control.hear();
  await control.writer.close();
  assert.equal(await control.hear(), undefined);
  session.conn.close();
  assert.equal(await bench.heard("disconnected"), "The client ended its control stream");
});

Deno.test("QuicServer.drop tells a WebTransport client why, in its session's own words", async () => {
  await using bench = await Bench.open();
  const { session: opened, request } = await openSession(bench.url);
  await using session = opened;
  const control = await session.bidirectional(UPDATE_STREAM_BOTH_WAYS, said("c", 1, hello()));
  await control.hear();
  const { route } = await bench.coordinator.message("c");
  bench.server.drop(route, "enough");
  assert.equal(await control.hear(), undefined);
  await control.writer.close();
  assert.deepEqual(
    await request.take(15),
    // DATA, CLOSE_WEBTRANSPORT_SESSION of 10 bytes: code 0x5400, "enough"
    new Uint8Array([
      ...[0x00, 0x0d, 0x68, 0x43, 0x0a, 0x00, 0x00, 0x54, 0x00],
      ...new TextEncoder().encode("enough"),
    ]),
  );
  await request.writer.close();
  assert.equal((await session.conn.closed).reason, "enough");
});
