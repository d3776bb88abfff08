import assert from "node:assert/strict";
import { clientMessage, serverMessage } from "../../../src/contract/codec.ts";
import { dial } from "../../../src/protocols/dds/client.ts";
import { options } from "../../../src/protocols/dds/options.ts";
import { DdsServer } from "../../../src/protocols/dds/server.ts";
import { heartbeat, hello, Peer } from "../../support/peer.ts";
import { RUN_ID, ScriptedCoordinator } from "../../support/scripted_coordinator.ts";
import { serverOptions } from "../subject.ts";
import { library } from "./library.ts";

const will = clientMessage({});

async function serve() {
  const coordinator = new ScriptedCoordinator();
  const server = new DdsServer(serverOptions("dds"), options.parse({ port: 0, library }));
  const [address] = await server.listen(coordinator);
  return { server, coordinator, url: address?.url ?? "" };
}

Deno.test("dial() says what is wrong with a URL or a client id", async () => {
  const signal = new AbortController().signal;
  const cases = [
    ["dds://127.0.0.1/default", "a", "write dds://host:port/federation"],
    ["dds://127.0.0.1:7410/", "a", "name the federation"],
    ["dds://127.0.0.1:7410/default?domain=233", "a", "domain must be 0 to 232"],
    ["dds://127.0.0.1:7410/default", "a b", "a b is no client id"],
  ] as const;
  for (const [url, clientId, words] of cases) {
    await assert.rejects(
      dial(new URL(url), { clientId, will, signal }),
      (error: Error) => error instanceof TypeError && error.message.includes(words),
    );
  }
});

Deno.test("dial() gives up when its signal fires", async () => {
  const abort = new AbortController();
  const nobody = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const { port } = nobody.addr as Deno.NetAddr;
  const url = new URL(`dds://127.0.0.1:${port}/default`);
  const dialled = dial(url, { clientId: "client-1", will, signal: abort.signal });
  await nobody.receive(); // it looks for the server
  abort.abort();
  await assert.rejects(dialled, { name: "ConnectionLost", message: /the dialling was given up/ });
  nobody.close();
});

Deno.test("dial() finds a server that starts later", async () => {
  const { server, url } = await serve();
  await server[Symbol.asyncDispose]();
  const signal = new AbortController().signal;
  const dialled = dial(new URL(url), { clientId: "client-1", will, signal });
  const own = options.parse({ port: Number(new URL(url).port), library });
  await using late = new DdsServer(serverOptions("dds"), own);
  await late.listen(new ScriptedCoordinator());
  await using connection = await dialled;
  assert.equal(connection.wire, "dds");
});

Deno.test("Connection.messages ends after everything that was sent before the end", async () => {
  const { server, coordinator, url } = await serve();
  await using peer = await Peer.dial(dial, url, "client-1", { reading: false });
  await peer.send(hello());
  const { route } = await coordinator.message("client-1");
  const { signal } = new AbortController();
  for (let round = 1; round <= 5; round++) {
    const body = { case: "task", value: { taskId: round, kind: 1, round } } as const;
    await server.send(route, serverMessage({ runId: RUN_ID, body }), { signal });
  }
  await server[Symbol.asyncDispose]();
  await peer.connection.lost;
  const heard: string[] = [];
  for await (const { body } of peer.connection.messages) heard.push(body.case ?? "");
  assert.deepEqual(heard, ["receipt", "task", "task", "task", "task", "task"]);
});

Deno.test("Connection.lost does not wait for the lease of a server that was restarted", async () => {
  const start = async (port: number) => {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "-A", new URL("mortal.ts", import.meta.url).href, String(port)],
      stdin: "null",
      stdout: "piped",
    }).spawn();
    const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const { value = "" } = await lines.read();
    const kill = async () => {
      child.kill("SIGKILL");
      await lines.cancel();
      await child.status;
    };
    return { url: value.trim(), kill };
  };
  const first = await start(0);
  const peer = await Peer.dial(dial, first.url, "client-1");
  await peer.ask(hello());
  await first.kill();
  const second = await start(Number(new URL(first.url).port));
  assert.match(await peer.connection.lost, /restarted/);
  await using again = await Peer.dial(dial, second.url, "client-1");
  await again.ask(hello());
  await peer[Symbol.asyncDispose]();
  await second.kill();
});

Deno.test("Connection.send() fails once the connection is over", async () => {
  const { server, url } = await serve();
  await using peer = await Peer.dial(dial, url, "client-1");
  await peer.ask(hello());
  await server[Symbol.asyncDispose]();
  await peer.connection.lost;
  await assert.rejects(peer.send(heartbeat()), { name: "ConnectionLost" });
});

Deno.test("Connection's disposal is brief for a client that has not read", async () => {
  const { server, coordinator, url } = await serve();
  await using _server = server;
  const peer = await Peer.dial(dial, url, "client-1", { reading: false });
  await peer.send(hello());
  const { route } = await coordinator.message("client-1");
  const { signal } = new AbortController();
  const bytes = new Uint8Array(256 * 1024);
  const body = { case: "modelPart", value: { modelRound: 1, totalBytes: 1n, bytes } } as const;
  const message = serverMessage({ runId: RUN_ID, body });
  const outcomes = Array.from({ length: 64 }, () => server.send(route, message, { signal }));
  await outcomes[0];
  await peer[Symbol.asyncDispose](); // its lease would be over only after seconds
  assert.ok((await Promise.all(outcomes)).includes("gone"));
});
