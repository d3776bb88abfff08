/** The DDS server: the suite that every wire passes, and what is DDS's own. */

import assert from "node:assert/strict";
import { clientMessage, decodeServerMessage } from "../../../src/contract/codec.ts";
import { Verdict } from "../../../src/contract/federation_pb.ts";
import { WorkerLink } from "../../../src/contract/link.ts";
import type { Address } from "../../../src/contract/protocol_server.ts";
import type { ServerOptions } from "../../../src/contract/server_options.ts";
import { dial } from "../../../src/protocols/dds/client.ts";
import { type Options, options, permissions } from "../../../src/protocols/dds/options.ts";
import { DdsServer } from "../../../src/protocols/dds/server.ts";
import { body, heartbeat, hello, Peer } from "../../support/peer.ts";
import { ScriptedCoordinator } from "../../support/scripted_coordinator.ts";
import { RULE, withToken } from "../../support/tokens.ts";
import { conformance } from "../conformance.ts";
import { serverOptions, type Subject } from "../subject.ts";
import { library } from "./library.ts";
import { Stranger } from "./stranger.ts";

const subject: Subject<Options> = {
  wire: "dds",
  own: (port = 0) => options.parse({ port, library }),
  make: (server, own) => new DdsServer(server, own),
  spawn: (own) =>
    new Worker(new URL("../../../src/protocols/dds/worker.ts", import.meta.url), {
      type: "module",
      deno: { permissions: permissions(own) },
    }),
  dial,
  async garbage(url) {
    // RTPS 2.5 §8.3.4.1: who receives what is no RTPS message ignores it.
    const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    const noise = crypto.getRandomValues(new Uint8Array(512));
    const rtps = new TextEncoder().encode("RTPS\x02\x05\x01\x10");
    for (const port of [Number(url.port), Number(url.port) + 1]) {
      const to = { transport: "udp", hostname: url.hostname, port } as const;
      await socket.send(noise, to);
      await socket.send(rtps, to);
      await socket.send(new Uint8Array([...rtps, ...noise]), to);
    }
    socket.close();
  },
};

conformance(subject);
conformance({ ...subject, wire: "dds sealed", dial: withToken(dial), tokens: RULE });

/** A listening server with a scripted coordinator behind it. */
class Desk implements AsyncDisposable {
  readonly coordinator = new ScriptedCoordinator();
  readonly server: DdsServer;
  url = "";

  constructor(server: Partial<ServerOptions>, own: { port?: number; domain?: number }) {
    this.server = new DdsServer(
      { ...serverOptions("dds"), ...server },
      options.parse({ port: 0, library, ...own }),
    );
  }

  static async open(
    server: Partial<ServerOptions> = {},
    own: { port?: number; domain?: number } = {},
  ): Promise<Desk> {
    const desk = new Desk(server, own);
    const [address] = await desk.server.listen(desk.coordinator) as [Address];
    desk.url = address.url;
    return desk;
  }

  async refusal(): Promise<string> {
    const event = await this.coordinator.events.find(({ kind }) => kind === "refused");
    return event.kind === "refused" ? `${event.remote}: ${event.reason}` : "";
  }

  async detached(count = 1): Promise<string[]> {
    const detached = await this.coordinator.arrivals.some(
      count,
      (arrival) => arrival.kind === "detached",
    );
    return detached.map((arrival) => arrival.kind === "detached" ? arrival.reason : "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
  }
}

Deno.test("DdsServer.listen() says the domain in the address unless it is 0", async () => {
  await using zero = await Desk.open();
  await using seven = await Desk.open({}, { domain: 7 });
  assert.match(zero.url, /^dds:\/\/127\.0\.0\.1:\d+\/default$/);
  assert.match(seven.url, /^dds:\/\/127\.0\.0\.1:\d+\/default\?domain=7$/);
  await using peer = await Peer.dial(dial, seven.url, "client-1");
  assert.equal((await peer.ask(hello())).verdict, Verdict.ACCEPTED);
});

Deno.test("DdsServer.listen() without a usable libddsc is the operator's mistake", async () => {
  const cases = [
    ["/nowhere/libddsc.so", /^Cannot use \/nowhere\/libddsc\.so as libddsc: .*; install /],
    [new URL(import.meta.url).pathname, /^Cannot use .*server_test\.ts as libddsc: .*; install /],
  ] as const;
  for (const [path, sentence] of cases) {
    await using server = new DdsServer(serverOptions("dds"), options.parse({ library: path }));
    await assert.rejects(server.listen(new ScriptedCoordinator()), (error: Error) => {
      assert.equal(error.name, "ListenError");
      assert.match(error.message, sentence);
      assert.ok(!error.message.includes("\n"));
      return true;
    });
  }
});

Deno.test("DdsServer.listen() on an address of another machine is the operator's mistake", async () => {
  const own = options.parse({ hostname: "192.0.2.77", port: 0, library });
  await using server = new DdsServer(serverOptions("dds"), own);
  await assert.rejects(server.listen(new ScriptedCoordinator()), {
    name: "ListenError",
    message: "Cannot listen for DDS on 192.0.2.77:0: this machine has no such address; " +
      "set --dds-hostname",
  });
});

Deno.test("DdsServer.listen() on a port of another program is the operator's mistake", async () => {
  const other = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const { port } = other.addr as Deno.NetAddr;
  await using server = new DdsServer(serverOptions("dds"), options.parse({ port, library }));
  await assert.rejects(
    server.listen(new ScriptedCoordinator()),
    { name: "ListenError", message: new RegExp(`127\\.0\\.0\\.1:${port}: .* is in use`) },
  );
  other.close();
});

Deno.test("DdsServer does not hear another federation's or another domain's clients", async () => {
  await using desk = await Desk.open();
  await using peer = await Peer.dial(dial, desk.url, "client-1");
  await peer.ask(hello());
  const strays = [desk.url.replace("/default", "/other"), `${desk.url}?domain=1`];
  const will = clientMessage({});
  const abort = new AbortController();
  const rejected = Promise.all(strays.map((url) =>
    assert.rejects(
      dial(new URL(url), { clientId: "client-2", will, signal: abort.signal }),
      { name: "ConnectionLost" },
    )
  ));
  // Whoever comes later and is heard: by then the strays could have been.
  await using later = await Peer.dial(dial, desk.url, "client-3");
  await later.ask(hello());
  abort.abort();
  await rejected;
  assert.equal((await desk.server.traffic()).connections, 2);
  assert.ok(desk.coordinator.events.all.every(({ kind }) => kind !== "refused"));
});

Deno.test("DdsServer tells of a writer whose quality of service keeps it from being heard", async () => {
  await using desk = await Desk.open();
  await using peer = await Peer.dial(dial, desk.url, "client-1");
  await peer.ask(hello());
  await using _ = new Stranger(desk.url, {
    partition: "default/client-2",
    key: "client-2",
    bestEffort: true,
  });
  assert.match(await desk.refusal(), /another quality of service: it must be reliable$/);
  assert.equal((await peer.ask(heartbeat())).verdict, Verdict.ACCEPTED);
});

Deno.test("DdsServer tells once of a client whose reader asks for more than is offered, and by what", async () => {
  await using desk = await Desk.open();
  await using peer = await Peer.dial(dial, desk.url, "client-1");
  await peer.ask(hello());
  const partition = "default/client-2";
  await using _ = new Stranger(desk.url, { partition, key: "client-2", demanding: true });
  assert.match(
    await desk.refusal(),
    /^client-2: a reader of fl_down in its partition asks for another liveliness than is offered/,
  );
  await using _second = new Stranger(desk.url, { partition, key: "client-2", demanding: true });
  await using fit = new Stranger(desk.url, { partition, key: "client-2" });
  await fit.answered();
  assert.equal((await peer.ask(heartbeat())).verdict, Verdict.ACCEPTED);
  const told = desk.coordinator.events.all.filter(({ kind }) => kind === "refused");
  assert.equal(told.length, 1);
});

Deno.test("DdsServer refuses a writer whose partition names no client", async () => {
  await using desk = await Desk.open();
  await using stranger = new Stranger(desk.url, { partition: "default/not a client", key: "a" });
  await stranger.heard();
  await stranger.write(clientMessage({ clientId: "a", sequence: 1, body: heartbeat() }));
  assert.match(await desk.refusal(), /partition names no client/);
  assert.equal((await desk.server.traffic()).connections, 0);
  assert.deepEqual(desk.coordinator.arrivals.all, []);
});

Deno.test("DdsServer refuses a writer that writes for another client", async () => {
  await using desk = await Desk.open();
  await using victim = await Peer.dial(dial, desk.url, "victim");
  await victim.ask(hello());
  await using stranger = new Stranger(desk.url, { partition: "default/thief", key: "victim" });
  await stranger.answered();
  await stranger.write(clientMessage({ clientId: "victim", sequence: 9, body: heartbeat() }));
  assert.equal(await desk.refusal(), 'thief: wrote for the client "victim"');
  await stranger.abandoned();
  assert.equal((await victim.ask(heartbeat())).verdict, Verdict.ACCEPTED);
  const stolen = desk.coordinator.arrivals.all.filter((arrival) =>
    arrival.kind === "message" && arrival.message.sequence === 9
  );
  assert.deepEqual(stolen, []);
});

Deno.test("DdsServer answers a message that names another client as malformed", async () => {
  await using desk = await Desk.open();
  await using stranger = new Stranger(desk.url, { partition: "default/thief", key: "thief" });
  await stranger.answered();
  await stranger.write(clientMessage({ clientId: "victim", sequence: 9, body: heartbeat() }));
  const { client, sample } = await stranger.next();
  assert.equal(client, "thief");
  const { body } = decodeServerMessage(sample?.body ?? new Uint8Array());
  assert.equal(body.case === "receipt" && body.value.verdict, Verdict.MALFORMED);
  assert.match(await desk.refusal(), /^thief: The message names the client victim/);
});

Deno.test("DdsServer answers bytes that are no message as malformed", async () => {
  await using desk = await Desk.open();
  await using stranger = new Stranger(desk.url, { partition: "default/odd", key: "odd" });
  await stranger.answered();
  await stranger.write(new Uint8Array([0xff, 0xff, 0xff]));
  const { sample } = await stranger.next();
  const { body } = decodeServerMessage(sample?.body ?? new Uint8Array());
  assert.equal(body.case === "receipt" && body.value.verdict, Verdict.MALFORMED);
});

Deno.test("DdsServer detaches a writer of which samples far too large were dropped", async () => {
  await using desk = await Desk.open();
  await using stranger = new Stranger(desk.url, { partition: "default/big", key: "big" });
  await stranger.answered();
  await stranger.write(clientMessage({ clientId: "big", sequence: 1, body: heartbeat() }));
  await stranger.next();
  await stranger.write(new Uint8Array(8 * 1024 * 1024));
  await stranger.write(clientMessage({ clientId: "big", sequence: 2, body: heartbeat() }));
  assert.match(
    await desk.refusal(),
    /^big: wrote sample 2 after 0: what is no Envelope, or far too large,/,
  );
  await desk.detached();
});

Deno.test("DdsServer refuses a connection too many, and takes it when there is room", async () => {
  await using desk = await Desk.open({ maxConnections: 1 });
  const first = await Peer.dial(dial, desk.url, "client-1");
  await first.ask(hello());
  await using stranger = new Stranger(desk.url, { partition: "default/client-2", key: "client-2" });
  await stranger.heard();
  assert.equal(await desk.refusal(), "client-2: the server has its 1 connections");
  await first[Symbol.asyncDispose]();
  await desk.detached();
  await using second = await Peer.dial(dial, desk.url, "client-3");
  assert.equal((await second.ask(hello())).verdict, Verdict.ACCEPTED);
});

Deno.test("DdsServer takes a client's newest writer for the client", async () => {
  await using desk = await Desk.open();
  await using older = await Peer.dial(dial, desk.url, "client-1");
  await older.ask(hello());
  await using newer = await Peer.dial(dial, desk.url, "client-1");
  assert.equal((await newer.ask(hello())).verdict, Verdict.ACCEPTED);
  assert.deepEqual(await desk.detached(), ["a newer writer of the client took over"]);
  await older.connection.lost;
  assert.equal((await newer.ask(heartbeat())).verdict, Verdict.ACCEPTED);
  const routes = new Set(
    desk.coordinator.arrivals.all.map(({ route }) => route.id),
  );
  assert.equal(routes.size, 2);
  assert.ok(older.heard.all.every((message) => message.body.case === "receipt"));
  assert.equal(
    older.heard.all.length,
    1,
    "the older connection heard what was meant for the newer",
  );
});

Deno.test("DdsServer detaches a client that is killed, once its lease is over", async () => {
  await using desk = await Desk.open();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "-A", new URL("victim.ts", import.meta.url).href, desk.url],
    stdin: "null",
    stdout: "null",
  }).spawn();
  await desk.coordinator.message("victim");
  child.kill("SIGKILL");
  await child.status;
  assert.deepEqual(await desk.detached(), ["the client left, or its lease is over"]);
});

Deno.test("DdsServer delivers at most the unjudged bytes it may, and later all", async () => {
  const maxUnjudgedBytes = 1024 * 1024;
  await using desk = await Desk.open({ maxUnjudgedBytes });
  await using peer = await Peer.dial(dial, desk.url, "client-1");
  await using other = await Peer.dial(dial, desk.url, "client-2");
  await peer.ask(hello());
  const judged = Promise.withResolvers<void>();
  const judge = desk.coordinator.judge;
  desk.coordinator.judge = async (message) => {
    if (message.clientId === "client-1") await judged.promise;
    return judge(message);
  };
  const bytes = new Uint8Array(256 * 1024);
  const part = body({ case: "updatePart", value: { taskId: 1, totalBytes: 1n, bytes } });
  let last = 0;
  for (let count = 0; count < 64; count++) last = await peer.send(part);
  // Everybody else is heard meanwhile, however much of it waits.
  assert.equal((await other.ask(hello())).verdict, Verdict.ACCEPTED);
  const parts = () =>
    desk.coordinator.arrivals.all.filter((arrival) =>
      arrival.kind === "message" && arrival.message.body.case === "updatePart"
    ).length;
  assert.ok((parts() - 1) * bytes.length <= maxUnjudgedBytes, `${parts()} are unjudged`);
  judged.resolve();
  await peer.receipt(last);
  assert.equal(parts(), 64);
});

Deno.test("DdsServer: a Worker that died leaves nothing that keeps the next from its port", async () => {
  const pacing = { runId: "run", partBytes: 1 << 18, windowBytes: 1 << 22 };
  const start = async (port: number) => {
    const own = options.parse({ port, library });
    const worker = new Worker(
      new URL("../../../src/protocols/dds/worker.ts", import.meta.url),
      { type: "module", deno: { permissions: permissions(own) } },
    );
    const link = new WorkerLink(worker, { server: serverOptions("dds"), own }, pacing);
    const [address] = await link.listen(new ScriptedCoordinator()) as [Address];
    return { worker, link, url: address.url };
  };
  const first = await start(0);
  await using orphan = await Peer.dial(dial, first.url, "client-1");
  await orphan.ask(hello());
  first.worker.terminate();
  const second = await start(Number(new URL(first.url).port));
  await using _link = second.link;
  assert.equal(second.url, first.url);
  await orphan.connection.lost;
  await using peer = await Peer.dial(dial, second.url, "client-1");
  assert.equal((await peer.ask(hello())).verdict, Verdict.ACCEPTED);
});

Deno.test({
  name: "DdsServer's port is not kept by a child process that outlives it",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const desk = await Desk.open();
    const child = new Deno.Command("cat", { stdin: "piped", stdout: "null" }).spawn();
    await desk[Symbol.asyncDispose]();
    {
      await using again = await Desk.open({}, { port: Number(new URL(desk.url).port) });
      assert.equal(again.url, desk.url);
    }
    await child.stdin.close();
    await child.status;
  },
});

Deno.test({
  name: "DdsServer's disposal leaves no thread and no socket",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const count = (what: string) => [...Deno.readDirSync(`/proc/self/${what}`)].length;
    const cycloneThreads = () =>
      [...Deno.readDirSync("/proc/self/task")].filter(({ name }) =>
        /^(gc|tev|recv|dq\.)/.test(Deno.readTextFileSync(`/proc/self/task/${name}/comm`))
      ).length;
    const before = { descriptors: count("fd"), threads: cycloneThreads() };
    {
      await using desk = await Desk.open();
      await using peer = await Peer.dial(dial, desk.url, "client-1");
      await peer.ask(hello());
      assert.ok(cycloneThreads() > before.threads);
    }
    assert.deepEqual({ descriptors: count("fd"), threads: cycloneThreads() }, before);
  },
});
