import assert from "node:assert/strict";
import { clientMessage, serverMessage } from "../../../src/contract/codec.ts";
import { ConnectionLost } from "../../../src/contract/connection.ts";
import { dial } from "../../../src/protocols/amqp/client.ts";
import { body, heartbeat, hello, Peer } from "../../support/peer.ts";
import { RUN_ID } from "../../support/scripted_coordinator.ts";
import { AmqpBench } from "./bench.ts";

const will = clientMessage({ clientId: "client-1" });

function options(signal = new AbortController().signal) {
  return { clientId: "client-1", will, signal };
}

Deno.test("dial refuses a URL it cannot read, and says what is missing", async () => {
  for (const url of ["mqtt://127.0.0.1/default", "amqp://127.0.0.1", "amqp:///default"]) {
    await assert.rejects(dial(new URL(url), options()), TypeError);
  }
});

Deno.test("dial is lost where nobody listens", async () => {
  await using bench = await AmqpBench.open();
  const { url } = bench;
  await bench.server[Symbol.asyncDispose]();
  await assert.rejects(dial(new URL(url), options()), ConnectionLost);
});

Deno.test("dial gives up when its signal fires, though nobody answers", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const abort = new AbortController();
  const dialled = dial(new URL(`amqp://127.0.0.1:${port}/default`), options(abort.signal));
  using socket = await listener.accept(); // connected, and silent
  abort.abort();
  await assert.rejects(dialled, ConnectionLost);
  assert.ok(socket);
});

Deno.test("dial is refused by a server of another federation", async () => {
  await using bench = await AmqpBench.open();
  const url = new URL(bench.url);
  url.pathname = "/other";
  await assert.rejects(dial(url, options()), /NOT_FOUND/);
});

Deno.test("dial reads federation names and addresses as URLs write them", async () => {
  await using bench = await AmqpBench.open({ federation: "ä/b c" }, { hostname: "::1" });
  assert.match(bench.url, /^amqp:\/\/\[::1\]:\d+\/%C3%A4%2Fb%20c$/);
  await using peer = await Peer.dial(dial, bench.url, "client-1");
  await peer.ask(hello());
});

Deno.test("AmqpClient.send before the end still arrives", async () => {
  await using bench = await AmqpBench.open();
  const peer = await Peer.dial(dial, bench.url, "client-1");
  for (let count = 0; count < 100; count++) await peer.send(heartbeat());
  await peer[Symbol.asyncDispose]();
  await bench.coordinator.arrivals.find(({ kind }) => kind === "detached");
  assert.equal(bench.coordinator.arrivals.all.length, 101);
});

Deno.test("AmqpClient.send keeps its order where several wait for the socket", async () => {
  await using bench = await AmqpBench.open();
  await using peer = await Peer.dial(dial, bench.url, "client-1");
  const bytes = new Uint8Array(200_000);
  const part = body({ case: "updatePart", value: { totalBytes: 200_000n, bytes } });
  const sequences = await Promise.all(Array.from({ length: 40 }, () => peer.send(part)));
  await peer.receipt(40);
  const arrived = bench.coordinator.arrivals.all.map((arrival) =>
    arrival.kind === "message" && arrival.message.sequence
  );
  assert.deepEqual(arrived, sequences);
});

Deno.test("AmqpClient.lost tells why, and send fails from then on", async () => {
  await using bench = await AmqpBench.open();
  await using peer = await Peer.dial(dial, bench.url, "client-1");
  await peer.ask(hello());
  const { route } = await bench.coordinator.message("client-1");
  bench.server.drop(route, "for the test");
  assert.match(await peer.connection.lost, /320.*for the test/);
  await assert.rejects(peer.send(heartbeat()), ConnectionLost);
});

Deno.test("AmqpClient takes no more than its prefetch of what nobody reads", async () => {
  await using bench = await AmqpBench.open();
  await using peer = await Peer.dial(dial, bench.url, "client-1", { reading: false });
  await peer.send(hello());
  const { route } = await bench.coordinator.message("client-1");
  const abort = new AbortController();
  const taken: number[] = [];
  const outcomes = Array.from({ length: 100 }, async (_, round) => {
    const task = serverMessage({ runId: RUN_ID, body: { case: "task", value: { round } } });
    const outcome = await bench.server.send(route, task, { signal: abort.signal });
    if (outcome === "taken") taken.push(round);
    return outcome;
  });
  // The receipt is one of the sixteen.
  await Promise.all(outcomes.slice(0, 15));
  assert.deepEqual(taken, Array.from({ length: 15 }, (_, round) => round));
  peer.read();
  await Promise.all(outcomes);
  const tasks = await peer.heard.some(100, ({ body }) => body.case === "task");
  assert.deepEqual(tasks.map(({ body }) => body.case === "task" && body.value.round), [
    ...taken,
  ]);
});

Deno.test("AmqpClient.traffic counts what the socket carried", async () => {
  await using bench = await AmqpBench.open();
  await using peer = await Peer.dial(dial, bench.url, "client-1");
  await peer.ask(hello());
  const before = peer.connection.traffic();
  await peer.ask(heartbeat());
  const after = peer.connection.traffic();
  assert.ok(before.up > 0 && after.up > before.up && after.down > before.down);
});
