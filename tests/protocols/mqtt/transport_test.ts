import assert from "node:assert/strict";
import { Socket } from "node:net";
import { clientMessage } from "../../../src/contract/codec.ts";
import { ConnectionLost } from "../../../src/contract/connection.ts";
import { Verdict } from "../../../src/contract/federation_pb.ts";
import { dial } from "../../../src/protocols/mqtt/client.ts";
import { options } from "../../../src/protocols/mqtt/options.ts";
import { MqttServer } from "../../../src/protocols/mqtt/server.ts";
import { transportOf } from "../../../src/protocols/mqtt/transport.ts";
import { readAddress } from "../../../src/protocols/mod.ts";
import { ManualTimers } from "../../support/manual_timers.ts";
import { heartbeat, hello, Peer } from "../../support/peer.ts";
import { ScriptedCoordinator } from "../../support/scripted_coordinator.ts";
import { loopbackTls, trusting } from "../../support/tls.ts";
import { serverOptions, urlOf } from "../subject.ts";

/** What dialling failed with. */
async function failure(url: string, signal = new AbortController().signal): Promise<Error> {
  const will = clientMessage({ clientId: "a", body: { case: "leave", value: { reason: 4 } } });
  return await dial(new URL(url), { clientId: "a", will, signal }).then(() => {
    throw new Error("It was not refused");
  }, (error) => error);
}

Deno.test("transportOf() knows the schemes of MQTT addresses, and no other", () => {
  assert.equal(transportOf("mqtt:")?.defaultPort, 1883);
  assert.equal(transportOf("mqtts:")?.defaultPort, 8883);
  assert.equal(transportOf("mqtt+ws:")?.defaultPort, 80);
  assert.equal(transportOf("mqtt+wss:")?.defaultPort, 443);
  for (const scheme of ["ws:", "wss:", "http:", "constructor"]) {
    assert.equal(transportOf(scheme), undefined);
  }
  assert.equal(readAddress("mqtt+ws://127.0.0.1:8083/default").pathname, "/default");
});

Deno.test("dial() has nothing that it writes wait for an acknowledgement of TCP's", async () => {
  const asked: unknown[] = [];
  const { setNoDelay } = Socket.prototype;
  Socket.prototype.setNoDelay = function (noDelay) {
    asked.push(noDelay);
    return setNoDelay.call(this, noDelay);
  };
  try {
    await using server = new MqttServer(serverOptions("mqtt"), options.parse({ port: 0 }));
    const url = urlOf(await server.listen(new ScriptedCoordinator()), "mqtt");
    const will = clientMessage({ clientId: "a", body: { case: "leave", value: { reason: 4 } } });
    const { signal } = new AbortController();
    await using _ = await dial(new URL(url), { clientId: "a", will, signal });
    assert.deepEqual(asked, [true]);
  } finally {
    Socket.prototype.setNoDelay = setNoDelay;
  }
});

for (const version of ["4", "5"]) {
  Deno.test(`dial() goes through a WebSocket, and counts what is on the wire, with v=${version}`, async () => {
    await using server = new MqttServer(
      serverOptions("mqtt"),
      options.parse({ port: 0, websocketPort: 0 }),
    );
    const url = urlOf(await server.listen(new ScriptedCoordinator()), "mqtt+ws");
    await using peer = await Peer.dial(dial, `${url}?v=${version}`, "client-1");
    assert.equal((await peer.ask(hello())).verdict, Verdict.ACCEPTED);
    const { up, down } = peer.connection.traffic();
    const traffic = await server.traffic();
    assert.ok(traffic.up > 0 && up >= traffic.up); // an acknowledgement may be on its way
    assert.ok(traffic.down > 0 && down > traffic.down); // the answer to the request beside it
  });
}

Deno.test("dial() goes through a WebSocket on TLS, by an authority of one's own", async () => {
  await using server = new MqttServer(
    serverOptions("mqtt", loopbackTls),
    options.parse({ port: 0, websocketPort: 0 }),
  );
  const url = urlOf(await server.listen(new ScriptedCoordinator()), "mqtt+wss");
  await using peer = await Peer.dial(trusting(dial), url, "client-1");
  assert.equal((await peer.ask(hello())).verdict, Verdict.ACCEPTED);
  const { message } = await failure(url);
  assert.match(message, /^Cannot connect to 127\.0\.0\.1:\d+: .*certificate/i);
});

for (const scheme of ["mqtt", "mqtts", "mqtt+ws", "mqtt+wss"]) {
  for (const version of ["4", "5"]) {
    Deno.test(`what a client says last over ${scheme} arrives, although answers come while it goes, with v=${version}`, async () => {
      const isTls = scheme.endsWith("s") && scheme !== "mqtt+ws";
      const coordinator = new ScriptedCoordinator();
      await using server = new MqttServer(
        serverOptions("mqtt", isTls ? loopbackTls : undefined),
        options.parse({ port: 0, websocketPort: 0 }),
      );
      const url = urlOf(await server.listen(coordinator), scheme);
      for (let run = 0; run < 5; run++) {
        const clientId = `client-${run}`;
        const by = isTls ? trusting(dial) : dial;
        const peer = await Peer.dial(by, `${url}?v=${version}`, clientId);
        await peer.ask(hello());
        const { route } = await coordinator.message(clientId);
        await Promise.all(Array.from({ length: 50 }, () => peer.send(heartbeat())));
        using _patient = new ManualTimers(); // on a busy machine closing may take longer than it may
        await peer[Symbol.asyncDispose]();
        await coordinator.arrivals.find((arrival) =>
          arrival.kind === "detached" && arrival.route.id === route.id
        );
        const beats = coordinator.arrivals.all.filter((arrival) =>
          arrival.kind === "message" && arrival.route.id === route.id &&
          arrival.message.body.case === "heartbeat"
        );
        assert.equal(beats.length, 50);
      }
    });
  }
}

Deno.test("dial() through a WebSocket finds nobody listening", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  const error = await failure(`mqtt+ws://127.0.0.1:${listener.addr.port}/default`);
  assert.ok(error instanceof ConnectionLost);
  assert.match(error.message, /^Cannot connect to 127\.0\.0\.1:\d+: .+/);
});

Deno.test("dial() through a WebSocket is told where no WebSocket is", async () => {
  await using server = new MqttServer(serverOptions("mqtt"), options.parse({ port: 0 }));
  const url = urlOf(await server.listen(new ScriptedCoordinator()));
  const error = await failure(url.replace("mqtt:", "mqtt+ws:"));
  assert.ok(error instanceof ConnectionLost);
});

Deno.test("dial() through a WebSocket is called off by its signal", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = listener.accept(); // and never answered
  const abort = new AbortController();
  const failed = failure(`mqtt+ws://127.0.0.1:${listener.addr.port}/default`, abort.signal);
  const socket = await accepted;
  abort.abort();
  const error = await failed;
  assert.ok(error instanceof ConnectionLost);
  assert.match(error.message, /called off/);
  socket.close();
  listener.close();
});
