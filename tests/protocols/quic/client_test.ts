import assert from "node:assert/strict";
import { clientMessage } from "../../../src/contract/codec.ts";
import { ConnectionLost } from "../../../src/contract/connection.ts";
import { Verdict } from "../../../src/contract/federation_pb.ts";
import { addressOf, urlOf } from "../../../src/protocols/quic/address.ts";
import { dial } from "../../../src/protocols/quic/client.ts";
import { heartbeat, hello, Peer } from "../../support/peer.ts";
import { Bench, model, NEVER, task } from "./bench.ts";
import { update } from "./stranger.ts";

const clientId = "client-1";
const will = clientMessage({ clientId, body: { case: "leave", value: {} } });

Deno.test("dial() is ConnectionLost when the signal ends it before anybody answers", async () => {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const url = new URL(`quic://127.0.0.1:${(socket.addr as Deno.NetAddr).port}/default`);
  const abort = new AbortController();
  const dialled = dial(url, { clientId, will, signal: abort.signal });
  await socket.receive(); // its first packet is on the way, and stays unanswered
  abort.abort();
  await assert.rejects(dialled, ConnectionLost);
  await assert.rejects(dial(url, { clientId, will, signal: abort.signal }), /aborted/);
  socket.close();
});

Deno.test("dial() refuses a server whose certificate has another hash", async () => {
  await using bench = await Bench.open();
  const url = urlOf({ ...addressOf(new URL(bench.url)), hash: new Uint8Array(32) });
  await assert.rejects(dial(new URL(url), { clientId, will, signal: NEVER }), {
    name: "ConnectionLost",
    message: /: its certificate is not the one whose hash= the address has; copy the address/,
  });
});

Deno.test("dial() without a hash trusts known authorities only", async () => {
  await using bench = await Bench.open();
  const url = urlOf({ ...addressOf(new URL(bench.url)), hash: undefined });
  await assert.rejects(dial(new URL(url), { clientId, will, signal: NEVER }), {
    name: "ConnectionLost",
    message: /copy the address whole, with its hash=, as the server prints it, or name .* by --ca$/,
  });
});

Deno.test("dial() to another federation loses its connection, with the server's reason", async () => {
  await using bench = await Bench.open();
  const url = new URL(bench.url);
  url.pathname = "/other";
  await using connection = await dial(url, { clientId, will, signal: NEVER });
  assert.equal(
    await connection.lost,
    "This is the federation default, with which its addresses end",
  );
  await assert.rejects(
    connection.send(will),
    (error: Error) => error instanceof ConnectionLost && /federation default/.test(error.message),
  );
  assert.deepEqual(await Array.fromAsync(connection.messages), []);
});

Deno.test("QuicServer.listen() names an address that is not this machine's", async () => {
  await assert.rejects(
    Bench.open({ hostname: "192.0.2.1" }),
    /^ListenError: Cannot listen for QUIC on 192\.0\.2\.1:0: this machine has no such address; set --quic-hostname$/,
  );
});

Deno.test("dial() over IPv6", async () => {
  await using bench = await Bench.open({ hostname: "::1" });
  assert.match(bench.url, /^quic:\/\/\[::1\]:/);
  await using peer = await Peer.dial(dial, bench.url, clientId);
  assert.equal((await peer.ask(hello())).verdict, Verdict.ACCEPTED);
});

for (const hostname of ["0.0.0.0", "::"]) {
  Deno.test(`dial() takes the URL of a server that listens on ${hostname}`, async () => {
    await using bench = await Bench.open({ hostname });
    await using peer = await Peer.dial(dial, bench.url, clientId);
    assert.equal((await peer.ask(hello())).verdict, Verdict.ACCEPTED);
  });
}

Deno.test("Connection counts its traffic both ways", async () => {
  await using bench = await Bench.open();
  await using peer = await Peer.dial(dial, bench.url, clientId);
  await peer.ask(update(1, new Uint8Array(10_000)));
  const { up, down } = peer.connection.traffic();
  assert.ok(up > 10_000 && up < 11_000 && down > 0 && down < 200);
  const server = await bench.server.traffic();
  assert.ok(server.up >= up && server.down === down, "the server counts the federation's name too");
});

Deno.test("Connection reads no further than its bound while nobody iterates, and then all", async () => {
  await using bench = await Bench.open();
  await using peer = await Peer.dial(dial, bench.url, clientId, { reading: false });
  await peer.send(hello());
  const { route } = await bench.coordinator.message(clientId);
  const bytes = new Uint8Array(500_000);
  const total = 60 * bytes.length;
  const sends = Promise.all(
    Array.from(
      { length: 60 },
      () => bench.server.send(route, model(1, bytes, total), { signal: NEVER }),
    ),
  );
  await bench.server.send(route, task(1), { signal: NEVER });
  peer.read();
  await sends;
  assert.equal((await peer.heard.some(60, ({ body }) => body.case === "modelPart")).length, 60);
});

Deno.test("Connection disposed lets what was sent arrive, and ends its messages", async () => {
  await using bench = await Bench.open();
  const peer = await Peer.dial(dial, bench.url, clientId);
  await peer.ask(hello());
  const leave = await peer.send(will.body);
  await peer[Symbol.asyncDispose]();
  await peer[Symbol.asyncDispose]();
  await bench.coordinator.message(clientId, (message) => message.sequence === leave);
  assert.equal(await bench.heard("disconnected"), "The client ended its control stream");
  await assert.rejects(peer.send(heartbeat()), ConnectionLost);
});

Deno.test("Connection goes on after the server stopped an update", async () => {
  await using bench = await Bench.open();
  await using peer = await Peer.dial(dial, bench.url, clientId);
  await peer.ask(hello());
  await peer.send(update(1, new Uint8Array(600_000)));
  assert.equal((await peer.receipt(0)).verdict, Verdict.MALFORMED);
  assert.equal((await peer.ask(update(2, new Uint8Array(3)))).verdict, Verdict.ACCEPTED);
});

Deno.test("Connection ends uploads that were given up", async () => {
  await using bench = await Bench.open({ maxStreams: 9 });
  await using peer = await Peer.dial(dial, bench.url, clientId);
  for (let taskId = 1; taskId <= 100; taskId++) {
    const body = update(taskId, new Uint8Array(3));
    assert.ok(body.case === "updatePart");
    body.value.totalBytes = 6n; // its second half never comes
    assert.equal((await peer.ask(body)).verdict, Verdict.ACCEPTED);
  }
});
