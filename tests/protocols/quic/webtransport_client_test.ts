import assert from "node:assert/strict";
import { clientMessage } from "../../../src/contract/codec.ts";
import { ConnectionLost } from "../../../src/contract/connection.ts";
import { Verdict } from "../../../src/contract/federation_pb.ts";
import { addressOf, urlOf } from "../../../src/protocols/quic/address.ts";
import { dial } from "../../../src/protocols/quic/webtransport_client.ts";
import { hello, Peer } from "../../support/peer.ts";
import { Bench, model, NEVER } from "./bench.ts";
import { HeldNetwork } from "./held_network.ts";
import { update } from "./stranger.ts";

// Browsers are tests/interop's affair; Deno's own WebTransport is a client like them.

const clientId = "client-1";
const will = clientMessage({ clientId, body: { case: "leave", value: {} } });

Deno.test("WebTransport's dial() carries messages, models and updates both ways", async () => {
  await using bench = await Bench.open();
  await using peer = await Peer.dial(dial, bench.url, clientId);
  assert.equal(peer.connection.wire, "webtransport");
  assert.equal((await peer.ask(hello())).verdict, Verdict.ACCEPTED);
  const { route } = await bench.coordinator.message(clientId);
  const bytes = new Uint8Array(300_000).fill(3);
  assert.equal(await bench.server.send(route, model(1, bytes), { signal: NEVER }), "taken");
  assert.deepEqual(
    await peer.heard.find(({ body }) => body.case === "modelPart"),
    model(1, bytes),
  );
  assert.equal((await peer.ask(update(1, bytes))).verdict, Verdict.ACCEPTED);
});

Deno.test("WebTransport's dial() refuses a server whose certificate has another hash", async () => {
  await using bench = await Bench.open();
  const url = urlOf({ ...addressOf(new URL(bench.url)), hash: new Uint8Array(32) });
  await assert.rejects(dial(new URL(url), { clientId, will, signal: NEVER }), ConnectionLost);
});

Deno.test("WebTransport's dial() is ConnectionLost when the signal ends it before an answer", async () => {
  await using bench = await Bench.open();
  const server = new URL(bench.url);
  await using network = new HeldNetwork(server);
  const abort = new AbortController();
  const dialled = dial(network.from(server), { clientId, will, signal: abort.signal });
  await network.reached;
  abort.abort();
  await assert.rejects(dialled, /Cannot reach 127.*: the dialling was aborted/);
  // The session that comes about too late is closed.
  network.release();
  assert.match(await bench.heard("refused"), /session/);
});

Deno.test("WebTransport's dial() is ConnectionLost where there is no WebTransport", async () => {
  const { WebTransport } = globalThis;
  Reflect.deleteProperty(globalThis, "WebTransport");
  try {
    const url = new URL("quic://127.0.0.1:4433/default");
    await assert.rejects(
      dial(url, { clientId, will, signal: NEVER }),
      (error: Error) => error instanceof ConnectionLost && /no WebTransport/.test(error.message),
    );
  } finally {
    Object.assign(globalThis, { WebTransport });
  }
});
