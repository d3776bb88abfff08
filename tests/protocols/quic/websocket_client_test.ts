import assert from "node:assert/strict";
import { clientMessage } from "../../../src/contract/codec.ts";
import { ConnectionLost } from "../../../src/contract/connection.ts";
import { Verdict } from "../../../src/contract/federation_pb.ts";
import { dial } from "../../../src/protocols/quic/websocket_client.ts";
import { Tcp } from "../../../src/websocket/tcp.ts";
import { readUpgrade, upgradeAccepted } from "../../../src/websocket/upgrade.ts";
import { opcodes, writeHead } from "../../../src/websocket/frames.ts";
import { dialUrl } from "../../../src/protocols/mod.ts";
import { heartbeat, hello, Peer } from "../../support/peer.ts";
import { Bench, model, NEVER } from "./bench.ts";
import { update } from "./stranger.ts";
import { webSocketUrl } from "./websocket_url.ts";

const clientId = "client-1";
const will = clientMessage({ clientId, body: { case: "leave", value: {} } });

for (const url of ["quic://127.0.0.1:4433/default", "ws://127.0.0.1:4433/", "ws://127.0.0.1:1/%"]) {
  Deno.test(`WebSocket's dial() says how an address is written that is not ${url}`, async () => {
    await assert.rejects(dial(new URL(url), { clientId, will, signal: NEVER }), TypeError);
  });
}

Deno.test("dialUrl() reaches a QUIC server at ws://", async () => {
  await using bench = await Bench.open();
  const url = webSocketUrl(new URL(bench.url));
  await using connection = await dialUrl(url, { clientId, will, signal: NEVER });
  assert.equal(connection.wire, "websocket");
});

Deno.test("WebSocket's dial() is ConnectionLost where nobody listens, or nobody is wanted", async () => {
  await using bench = await Bench.open();
  const other = webSocketUrl(new URL(bench.url));
  other.pathname = "/other";
  await assert.rejects(dial(other, { clientId, will, signal: NEVER }), ConnectionLost);
  await bench[Symbol.asyncDispose]();
  await assert.rejects(dial(other, { clientId, will, signal: NEVER }), ConnectionLost);
});

Deno.test("WebSocket's dial() is ConnectionLost when the signal ends it before an answer", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = new URL(`ws://127.0.0.1:${listener.addr.port}/default`);
  const abort = new AbortController();
  const dialled = dial(url, { clientId, will, signal: abort.signal });
  using _silent = await listener.accept();
  abort.abort();
  await assert.rejects(dialled, /the dialling was aborted/);
  await assert.rejects(dial(url, { clientId, will, signal: abort.signal }), /aborted/);
});

Deno.test("a WebSocket connection disposed lets what was sent arrive, and ends its messages", async () => {
  await using bench = await Bench.open();
  const peer = await Peer.dial(dial, webSocketUrl(new URL(bench.url)).href, clientId);
  await peer.ask(hello());
  const leave = await peer.send(will.body);
  await peer[Symbol.asyncDispose]();
  await peer[Symbol.asyncDispose]();
  await bench.coordinator.message(clientId, (message) => message.sequence === leave);
  assert.equal(await bench.heard("disconnected"), "The client ended its control stream");
  await assert.rejects(peer.send(heartbeat()), ConnectionLost);
});

Deno.test("a WebSocket connection that is closed gives the server's reason", async () => {
  await using bench = await Bench.open();
  await using peer = await Peer.dial(dial, webSocketUrl(new URL(bench.url)).href, clientId);
  await peer.ask(hello());
  const { route } = await bench.coordinator.message(clientId);
  bench.server.drop(route, "replaced by a newer session");
  assert.equal(await peer.connection.lost, "replaced by a newer session");
});

Deno.test("a WebSocket connection counts its traffic both ways", async () => {
  await using bench = await Bench.open();
  await using peer = await Peer.dial(dial, webSocketUrl(new URL(bench.url)).href, clientId);
  await peer.ask(update(1, new Uint8Array(10_000)));
  const { up, down } = peer.connection.traffic();
  assert.ok(up > 10_000 && up < 11_000 && down > 0 && down < 200);
});

for (
  const [what, frame] of [
    ["text", [...writeHead(opcodes.text, 2), 0x68, 0x69]],
    ["bytes that are no message", [...writeHead(opcodes.binary, 1), 0xff]],
  ] as const
) {
  Deno.test(`a WebSocket connection whose server sends ${what} is lost, and says why`, async () => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const url = new URL(`ws://127.0.0.1:${listener.addr.port}/default`);
    const dialled = dial(url, { clientId, will, signal: NEVER });
    const server = new Tcp(await listener.accept());
    const request = readUpgrade(
      await server.takeText({ begin: "GET ", end: "\r\n\r\n", maxBytes: 8192 }) ?? "",
    );
    assert.ok(typeof request !== "string");
    await server.write(await upgradeAccepted(request.key));
    await using connection = await dialled;
    await server.write(Uint8Array.from(frame));
    const [, length = 0] = await server.take(2) ?? []; // its Close, masked and short
    await server.take(4 + (length & 0x7f));
    server.close("the test");
    assert.match(await connection.lost, /^(The server sent text|Not a ServerMessage: )/);
    // Deno follows each Close with a timer of 0 ms, which would outlive the test.
    await new Promise((resolve) => setTimeout(resolve, 0));
  });
}

Deno.test("WebSocket's dial() makes do with the WebSocket that all browsers have", async () => {
  const { WebSocketStream } = globalThis;
  await using bench = await Bench.open();
  const url = webSocketUrl(new URL(bench.url));
  Reflect.deleteProperty(globalThis, "WebSocketStream");
  try {
    await using peer = await Peer.dial(dial, url.href, clientId);
    assert.equal((await peer.ask(hello())).verdict, Verdict.ACCEPTED);
    const { route } = await bench.coordinator.message(clientId);
    const bytes = new Uint8Array(300_000).fill(3);
    assert.equal(await bench.server.send(route, model(1, bytes), { signal: NEVER }), "taken");
    assert.deepEqual(
      await peer.heard.find(({ body }) => body.case === "modelPart"),
      model(1, bytes),
    );
    assert.equal((await peer.ask(update(1, bytes))).verdict, Verdict.ACCEPTED);
    bench.server.drop(route, "enough");
    assert.equal(await peer.connection.lost, "enough");
    await assert.rejects(peer.send(heartbeat()), ConnectionLost);
    url.pathname = "/other";
    await assert.rejects(dial(url, { clientId, will, signal: NEVER }), ConnectionLost);
  } finally {
    Object.assign(globalThis, { WebSocketStream });
  }
});
