import assert from "node:assert/strict";
import { clientMessage } from "../../../src/contract/codec.ts";
import { ConnectionLost } from "../../../src/contract/connection.ts";
import type { Answer } from "../../../src/contract/protocol_server.ts";
import { Verdict } from "../../../src/contract/federation_pb.ts";
import { dial } from "../../../src/protocols/mqtt/client.ts";
import { answer } from "../../support/scripted_coordinator.ts";
import { heartbeat, hello, Peer } from "../../support/peer.ts";
import { EndpointBench, task } from "./endpoint_bench.ts";

function options(clientId = "client-1", signal = new AbortController().signal) {
  const nonce = new Uint8Array(16).fill(3);
  const will = clientMessage({ clientId, body: { case: "leave", value: { reason: 4, nonce } } });
  return { clientId, will, signal };
}

/** What dialling failed with. */
async function failure(url: string, given = options()): Promise<Error> {
  return await dial(new URL(url), given).then(() => {
    throw new Error("It was not refused");
  }, (error) => error);
}

Deno.test("dial() says what is wrong with a URL it cannot read", async () => {
  const cases: [string, RegExp][] = [
    ["amqp://127.0.0.1/default", /must begin with mqtt:\/\//],
    ["mqtt:///default", /names no host/],
    ["mqtt://127.0.0.1", /must be a federation name/],
    ["mqtt://127.0.0.1/a/b", /must be a federation name/],
    ["mqtt://127.0.0.1/default?v=3", /v must be 4/],
    ["mqtt://127.0.0.1/%zz", /must be a federation name/],
  ];
  for (const [url, message] of cases) {
    const error = await failure(url);
    assert.ok(error instanceof TypeError, url);
    assert.match(error.message, message);
  }
});

Deno.test("dial() finds nobody listening", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  const error = await failure(`mqtt://127.0.0.1:${listener.addr.port}/default`);
  assert.ok(error instanceof ConnectionLost);
  assert.match(error.message, /^Cannot connect to 127\.0\.0\.1:\d+: .+/);
});

for (const version of ["4", "5"]) {
  Deno.test(`dial() tells why it was refused, with v=${version}`, async () => {
    await using bench = await EndpointBench.open();
    const error = await failure(`${bench.url}?v=${version}`, options("not an id"));
    assert.ok(error instanceof ConnectionLost);
    assert.match(error.message, version === "5" ? /client id: 1 to 64/ : /Identifier rejected/);
  });

  Deno.test(`dial() gives a connection that serves, with v=${version}`, async () => {
    await using bench = await EndpointBench.open();
    await using peer = await Peer.dial(dial, `${bench.url}?v=${version}`, "client-1");
    assert.equal((await peer.ask(hello())).verdict, Verdict.ACCEPTED);
    assert.equal(await bench.send(await bench.route("client-1"), task(1)), "taken");
    await peer.heard.find(({ body }) => body.case === "task");
    const { up, down } = peer.connection.traffic();
    const traffic = await bench.server.traffic();
    assert.equal(down, traffic.down);
    assert.ok(traffic.up > 0 && up >= traffic.up); // an acknowledgement may be on its way
  });
}

Deno.test("dial() says what a broker wants that lets nobody in without a user", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = listener.accept();
  const failed = failure(`mqtt://127.0.0.1:${listener.addr.port}/default`);
  using conn = await accepted;
  await conn.read(new Uint8Array(1024));
  await conn.write(new Uint8Array([0x20, 3, 0, 0x87, 0])); // CONNACK of Mosquitto: Not authorized
  assert.match((await failed).message, /a user and a password that it knows, .* \(0x87\)$/);
});

Deno.test("dial() is called off by its signal", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = listener.accept(); // and never answered
  const abort = new AbortController();
  const failed = failure(
    `mqtt://127.0.0.1:${listener.addr.port}/default`,
    options("client-1", abort.signal),
  );
  const socket = await accepted;
  abort.abort();
  const error = await failed;
  assert.ok(error instanceof ConnectionLost);
  assert.match(error.message, /called off/);
  socket.close();
  listener.close();
  assert.match(
    (await failure("mqtt://127.0.0.1/default", options("a", abort.signal))).message,
    /off/,
  );
});

Deno.test("Connection.lost tells the server's reason, and send() fails afterwards", async () => {
  await using bench = await EndpointBench.open();
  await using peer = await Peer.dial(dial, bench.url, "client-1");
  await peer.ask(hello());
  bench.server.drop(await bench.route("client-1"), "you are too slow");
  assert.equal(await peer.connection.lost, "you are too slow (0x98)");
  await assert.rejects(peer.send(heartbeat()), ConnectionLost);
});

Deno.test("Connection leaves with DISCONNECT, although acknowledgements are due", async () => {
  await using bench = await EndpointBench.open();
  bench.coordinator.judge = () => new Promise(() => {});
  const peer = await Peer.dial(dial, bench.url, "client-1");
  await peer.send(hello());
  const route = await bench.route("client-1");
  await peer[Symbol.asyncDispose]();
  await peer[Symbol.asyncDispose]();
  assert.equal((await bench.detached(route)).reason, "the client disconnected");
  assert.equal(bench.coordinator.arrivals.all.length, 2); // no will
});

Deno.test("Connection says its will before an MQTT 3.1.1 DISCONNECT, which might be a broker's", async () => {
  await using bench = await EndpointBench.open();
  const peer = await Peer.dial(dial, `${bench.url}?v=4`, "client-1");
  await peer.ask(hello());
  const route = await bench.route("client-1");
  await peer[Symbol.asyncDispose]();
  assert.equal((await bench.detached(route)).reason, "the client disconnected");
  const arrivals = bench.coordinator.arrivals.all.map((arrival) =>
    arrival.kind === "message" ? arrival.message.body.case : arrival.kind
  );
  assert.deepEqual(arrivals, ["hello", "leave", "detached"]);
  assert.ok(bench.coordinator.events.all.every(({ kind }) => kind !== "refused"));
});

Deno.test("Connection leaves cleanly although nobody reads its messages", async () => {
  await using bench = await EndpointBench.open();
  const peer = await Peer.dial(dial, bench.url, "client-1", { reading: false });
  await peer.send(hello());
  const route = await bench.route("client-1");
  for (let round = 0; round < 100; round++) await bench.send(route, task(round));
  await peer[Symbol.asyncDispose]();
  assert.equal((await bench.detached(route)).reason, "the client disconnected");
});

Deno.test("Connection.send() keeps to the server's Receive Maximum", async () => {
  await using bench = await EndpointBench.open({ own: { receiveMaximum: 2 } });
  const verdicts: PromiseWithResolvers<Answer>[] = [];
  bench.coordinator.judge = () => {
    const verdict = Promise.withResolvers<Answer>();
    verdicts.push(verdict);
    return verdict.promise;
  };
  await using peer = await Peer.dial(dial, bench.url, "client-1");
  const sends = [1, 2, 3].map(() => peer.send(heartbeat()));
  await Promise.all(sends.slice(0, 2));
  await bench.coordinator.message("client-1", ({ sequence }) => sequence === 2);
  assert.equal(verdicts.length, 2);
  verdicts[0]?.resolve(answer(1, Verdict.ACCEPTED));
  await sends[2]; // the acknowledgement of the first made room
  await bench.coordinator.message("client-1", ({ sequence }) => sequence === 3);
});
