import assert from "node:assert/strict";
import { Client, credentials, status as Status, type StatusObject } from "@grpc/grpc-js";
import {
  clientMessage,
  DEFAULT_PART_BYTES,
  encodeClientMessage,
} from "../../../src/contract/codec.ts";
import { ConnectionLost } from "../../../src/contract/connection.ts";
import { Verdict } from "../../../src/contract/federation_pb.ts";
import type { ServerOptions } from "../../../src/contract/server_options.ts";
import { dial } from "../../../src/protocols/grpc/client.ts";
import { type Options, options, permissions } from "../../../src/protocols/grpc/options.ts";
import { GrpcServer } from "../../../src/protocols/grpc/server.ts";
import { session } from "../../../src/protocols/grpc/wire.ts";
import { HTTP, TLS } from "../../support/first_words.ts";
import { body, heartbeat, hello, Peer } from "../../support/peer.ts";
import { answer, ScriptedCoordinator } from "../../support/scripted_coordinator.ts";
import { conformance } from "../conformance.ts";
import { serverOptions } from "../subject.ts";
import { Frame, frame, PREFACE, request, Stranger } from "./stranger.ts";

conformance<Options>({
  wire: "grpc",
  own: (port = 0) => options.parse({ port }),
  make: (server, own) => new GrpcServer(server, own),
  spawn: (own) =>
    new Worker(new URL("../../../src/protocols/grpc/worker.ts", import.meta.url), {
      type: "module",
      deno: { permissions: permissions(own) },
    }),
  dial,
  garbage: async (url) => {
    using stranger = await Stranger.connect(url.href);
    await stranger.write(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
    await stranger.closed();
  },
});

/** Of a PING, RFC 9113 §6.7. */
const ACK = 1;

/** A listening server in process, on any free port. */
async function open(
  { own = {}, ...more }: Partial<ServerOptions> & { own?: Partial<Options> } = {},
) {
  const server = new GrpcServer(
    { ...serverOptions("grpc"), ...more },
    options.parse({ port: 0, ...own }),
  );
  const coordinator = new ScriptedCoordinator();
  const [address] = await server.listen(coordinator);
  assert.ok(address);
  return {
    server,
    coordinator,
    url: address.url,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** Why a client is not let in. */
async function refusal(url: string): Promise<string> {
  try {
    await using _peer = await Peer.dial(dial, url, "client-1");
  } catch (error) {
    assert.ok(error instanceof ConnectionLost);
    return error.message;
  }
  throw new Error("The client was let in");
}

Deno.test("GrpcServer refuses a client of another federation, and says which one is here", async () => {
  await using bench = await open();
  const reason = await refusal(bench.url.replace("default", "other"));
  assert.match(reason, /NOT_FOUND: There is no federation other here, but default/);
  const event = await bench.coordinator.events.find(({ kind }) => kind === "refused");
  assert.ok(event.kind === "refused" && event.reason.includes("There is no federation other"));
});

Deno.test("GrpcServer takes a client that names no federation as one of its own", async () => {
  await using bench = await open();
  await using peer = await Peer.dial(dial, bench.url.replace("/default", ""), "client-1");
  assert.equal((await peer.ask(hello())).verdict, Verdict.ACCEPTED);
});

Deno.test("GrpcServer's federation may have any name", async () => {
  await using bench = await open({ federation: "Größe / 100 %" });
  await using peer = await Peer.dial(dial, bench.url, "client-1");
  assert.equal((await peer.ask(hello())).verdict, Verdict.ACCEPTED);
});

Deno.test("GrpcServer refuses one client more than maxConnections, and serves the others", async () => {
  await using bench = await open({ maxConnections: 2 });
  await using one = await Peer.dial(dial, bench.url, "client-1");
  {
    await using _two = await Peer.dial(dial, bench.url, "client-2");
    assert.match(await refusal(bench.url), /UNAVAILABLE: There are 2 clients already/);
    assert.equal((await one.ask(hello())).verdict, Verdict.ACCEPTED);
  }
  await bench.coordinator.events.find(({ kind }) => kind === "disconnected");
  await using three = await Peer.dial(dial, bench.url, "client-3");
  assert.equal((await three.ask(hello())).verdict, Verdict.ACCEPTED);
});

Deno.test("GrpcServer lets a socket beyond its clients' and 16 spare ones take the place of the oldest without a session", async () => {
  await using bench = await open({ maxConnections: 1 });
  using stack = new DisposableStack();
  const strangers: Stranger[] = [];
  for (let count = 0; count < 17; count++) {
    const stranger = stack.use(await Stranger.connect(bench.url));
    assert.ok(await stranger.frame(Frame.settings), "let in");
    strangers.push(stranger);
  }
  assert.equal((await bench.server.traffic()).connections, 17);
  await using peer = await Peer.dial(dial, bench.url, "client-1");
  assert.equal((await peer.ask(hello())).verdict, Verdict.ACCEPTED);
  await strangers[0]?.closed();
  const event = await bench.coordinator.events.find(({ kind }) => kind === "refused");
  assert.ok(event.kind === "refused" && event.reason.includes("Others need its place"));
  for (let count = 0; count < 17; count++) {
    const stranger = stack.use(await Stranger.connect(bench.url));
    assert.ok(await stranger.frame(Frame.settings), "let in");
  }
  assert.equal((await peer.ask(heartbeat())).verdict, Verdict.ACCEPTED);
});

Deno.test("GrpcServer names the limit that a message is over", async () => {
  await using bench = await open({ maxMessageBytes: 1000 });
  await using peer = await Peer.dial(dial, bench.url, "client-1");
  await peer.send(body({ case: "updatePart", value: { bytes: new Uint8Array(2000) } }))
    .catch(() => {});
  assert.match(await peer.connection.lost, /RESOURCE_EXHAUSTED: .*maxMessageBytes is 1000/);
  const event = await bench.coordinator.events.find(({ kind }) => kind === "refused");
  assert.ok(event.kind === "refused" && event.reason.includes("maxMessageBytes is 1000"));
  const detached = await bench.coordinator.arrivals.find(({ kind }) => kind === "detached");
  assert.ok(detached.kind === "detached" && detached.reason.includes("maxMessageBytes"));
});

Deno.test("GrpcServer takes compressed messages, and measures what they unfold to", async () => {
  await using bench = await open();
  const client = new Client(new URL(bench.url).host, credentials.createInsecure(), {
    ["grpc.default_compression_algorithm" as string]: 2, // gzip
  });
  const { path, requestSerialize, responseDeserialize } = session;
  const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  call.on("error", () => {}); // its status says the same
  const status = new Promise<StatusObject>((resolve) => call.once("status", resolve));
  const zeros = (length: number) =>
    encodeClientMessage(clientMessage({
      clientId: "client-1",
      sequence: length,
      body: { case: "updatePart", value: { bytes: new Uint8Array(length) } },
    }));
  call.write(zeros(100_000));
  const { message } = await bench.coordinator.message("client-1");
  assert.ok(message.body.case === "updatePart" && message.body.value.bytes.length === 100_000);
  assert.ok((await bench.server.traffic()).up < 10_000);
  call.write(zeros(1_000_000));
  assert.equal((await status).code, Status.RESOURCE_EXHAUSTED);
  client.close();
});

Deno.test("GrpcServer reads no further than maxUnjudgedBytes and one stream window", async () => {
  const own = { streamWindowBytes: 65_535 };
  const maxUnjudgedBytes = 2 * DEFAULT_PART_BYTES;
  await using bench = await open({ maxUnjudgedBytes, own });
  const judged = Promise.withResolvers<void>();
  bench.coordinator.judge = async ({ sequence }) => {
    await judged.promise;
    return answer(sequence, Verdict.HELD);
  };
  await using peer = await Peer.dial(dial, bench.url, "client-1");
  const bytes = new Uint8Array(DEFAULT_PART_BYTES);
  const sent = Array.from(
    { length: 40 },
    () => peer.send(body({ case: "updatePart", value: { bytes } })),
  );
  await bench.coordinator.message("client-1", ({ sequence }) => sequence === 2);
  // Another client's answer takes longer than what of the first one's parts was still on its way.
  bench.coordinator.judge = ({ sequence }) => answer(sequence, Verdict.ACCEPTED);
  await using other = await Peer.dial(dial, bench.url, "client-2");
  await other.ask(heartbeat());
  const parts = bench.coordinator.arrivals.all.filter((arrival) =>
    arrival.kind === "message" && arrival.message.body.case === "updatePart"
  );
  assert.equal(parts.length, 2);
  const { up } = await bench.server.traffic();
  assert.ok(up < maxUnjudgedBytes + DEFAULT_PART_BYTES + own.streamWindowBytes, `${up} bytes`);
  judged.resolve();
  await Promise.all(sent);
  assert.equal((await peer.receipt(40)).verdict, Verdict.ACCEPTED);
});

Deno.test("GrpcServer detaches a peer that answers no ping, after three heartbeat intervals", async () => {
  await using bench = await open({ heartbeatIntervalMs: 50 });
  using stranger = await Stranger.connect(bench.url);
  await stranger.write(PREFACE, frame(Frame.settings), request(session.path));
  await bench.coordinator.events.find(({ kind }) => kind === "connected");
  const detached = await bench.coordinator.arrivals.find(({ kind }) => kind === "detached");
  assert.equal(detached.kind === "detached" && detached.reason, "Silent for 3 heartbeat intervals");
});

Deno.test("GrpcServer answers a client that pings without end, and does not send it away", async () => {
  await using bench = await open();
  using stranger = await Stranger.connect(bench.url);
  await stranger.write(PREFACE, frame(Frame.settings), request(session.path));
  await bench.coordinator.events.find(({ kind }) => kind === "connected");
  // Some servers take the third ping without a message in between for an attack: ENHANCE_YOUR_CALM.
  for (let count = 0; count < 100; count++) {
    const payload = new Uint8Array(8).fill(count);
    await stranger.write(frame(Frame.ping, { payload }));
    const answered = await stranger.frame(Frame.ping);
    assert.equal(answered?.flags, ACK, "the connection is over, or this is no answer");
    assert.deepEqual(answered.payload, payload);
  }
});

Deno.test("GrpcServer keeps a silent client that answers its pings", async () => {
  await using bench = await open({ heartbeatIntervalMs: 50 });
  await using peer = await Peer.dial(dial, bench.url, "client-1");
  await peer.ask(hello());
  using stranger = await Stranger.connect(bench.url); // is silent just as long, and is not kept
  await stranger.closed();
  assert.equal((await peer.ask(heartbeat())).verdict, Verdict.ACCEPTED);
});

for (
  const [what, said] of Object.entries({
    "nothing": [],
    "half a preface": [PREFACE.subarray(0, 10)],
    "no settings": [PREFACE, new Uint8Array(100).fill(0xff)],
    "a frame beyond all limits": [PREFACE, frame(Frame.settings), new Uint8Array(9).fill(0xff)],
    "another protocol": [new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n")],
  })
) {
  Deno.test(`GrpcServer refuses a peer that says ${what}, once`, async () => {
    await using bench = await open({ heartbeatIntervalMs: 50 });
    using stranger = await Stranger.connect(bench.url);
    await stranger.write(...said);
    await stranger.closed();
    await bench.coordinator.events.find(({ kind }) => kind === "refused");
    await using peer = await Peer.dial(dial, bench.url, "client-1");
    assert.equal((await peer.ask(hello())).verdict, Verdict.ACCEPTED);
    const refused = bench.coordinator.events.all.filter(({ kind }) => kind === "refused");
    assert.equal(refused.length, 1, JSON.stringify(refused));
  });
}

Deno.test("GrpcServer refuses a peer that speaks another protocol and resets the connection, once", async () => {
  await using bench = await open();
  for (let time = 1; time <= 20; time++) {
    const stranger = await Stranger.connect(bench.url);
    await stranger.write(TLS);
    stranger[Symbol.dispose](); // with the server's SETTINGS unread
    await bench.coordinator.events.some(time, ({ kind }) => kind === "refused");
  }
  await using peer = await Peer.dial(dial, bench.url, "client-1");
  await peer.ask(hello());
  const refused = bench.coordinator.events.all.filter(({ kind }) => kind === "refused");
  assert.equal(refused.length, 20, JSON.stringify(refused));
});

Deno.test("GrpcServer says nothing of a peer that greets in HTTP/2, asks for nothing and leaves", async () => {
  await using bench = await open();
  using stranger = await Stranger.connect(bench.url);
  await stranger.write(PREFACE, frame(Frame.settings));
  await using greeted = await Peer.dial(dial, bench.url, "client-1"); // its greeting comes later
  stranger[Symbol.dispose]();
  await greeted.ask(hello());
  assert.deepEqual(bench.coordinator.events.all.map(({ kind }) => kind), ["connected"]);
});

Deno.test("GrpcServer answers another protocol with GOAWAY and PROTOCOL_ERROR (RFC 9113 §3.4)", async () => {
  await using bench = await open();
  using stranger = await Stranger.connect(bench.url);
  await stranger.write(HTTP);
  const goaway = await stranger.frame(Frame.goaway);
  assert.deepEqual([...goaway?.payload ?? []], [0, 0, 0, 0, 0, 0, 0, 1]);
  await stranger.closed();
});

Deno.test("GrpcServer says nothing of a peer that looks whether the port is open", async () => {
  await using bench = await open();
  (await Stranger.connect(bench.url))[Symbol.dispose]();
  await using peer = await Peer.dial(dial, bench.url, "client-1");
  await peer.ask(hello());
  assert.deepEqual(bench.coordinator.events.all.map(({ kind }) => kind), ["connected"]);
});

Deno.test("GrpcServer answers all and ends the call when a client has said all it had to say", async () => {
  await using bench = await open();
  const peer = await Peer.dial(dial, bench.url, "client-1");
  const first = Promise.withResolvers<void>();
  bench.coordinator.judge = async ({ sequence }) => {
    await first.promise;
    return answer(sequence, Verdict.ACCEPTED);
  };
  await peer.send(hello());
  await bench.coordinator.message("client-1");
  const closed = peer[Symbol.asyncDispose]();
  first.resolve();
  await closed;
  assert.equal((await peer.receipt(1)).verdict, Verdict.ACCEPTED);
  await bench.coordinator.arrivals.find(({ kind }) => kind === "detached");
});

Deno.test("GrpcServer.drop() lets what was taken arrive, and detaches nobody", async () => {
  await using bench = await open();
  await using peer = await Peer.dial(dial, bench.url, "client-1");
  await peer.ask(hello());
  const { route } = await bench.coordinator.message("client-1");
  bench.server.drop(route, "it is the test's wish");
  assert.equal(await peer.connection.lost, "The server ended the session");
  const left = await bench.coordinator.events.find(({ kind }) => kind === "disconnected");
  assert.ok(left.kind === "disconnected" && left.reason === "it is the test's wish");
  assert.ok(bench.coordinator.arrivals.all.every(({ kind }) => kind !== "detached"));
});

Deno.test("GrpcServer is closed without having listened", async () => {
  const server = new GrpcServer(serverOptions("grpc"), options.parse({}));
  await server[Symbol.asyncDispose]();
  await server.closed;
});

Deno.test("GrpcServer names an address of another machine, and what to set", async () => {
  await using server = new GrpcServer(
    serverOptions("grpc"),
    options.parse({ hostname: "192.0.2.1" }), // RFC 5737: nobody's
  );
  await assert.rejects(
    server.listen(new ScriptedCoordinator()),
    /^ListenError: Cannot listen for gRPC on 192\.0\.2\.1:50051: .*set --grpc-hostname$/,
  );
});
