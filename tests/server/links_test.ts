import assert from "node:assert/strict";
import { largestMessageBytes } from "../../src/contract/codec.ts";
import { available } from "../../src/server/available.ts";
import { withCertificate } from "../../src/server/certificate.ts";
import { linksOf, serverOptions } from "../../src/server/links.ts";
import "../protocols/dds/library.ts"; // opened here, so that no test is blamed for it
import { ScriptedCoordinator } from "../support/scripted_coordinator.ts";
import { StateDirectory } from "../vault/state_directory.ts";
import { smallConfig } from "./small_config.ts";

Deno.test("serverOptions() tells each server the federation's name and the limits", () => {
  using directory = new StateDirectory();
  const config = smallConfig(directory.path, {
    name: "digits",
    "part-bytes": "2048",
    "max-connections": "7",
    "max-unjudged-bytes": "5000",
    "heartbeat-interval-ms": "300",
  });
  assert.deepEqual(serverOptions("grpc", config), {
    wire: "grpc",
    federation: "digits",
    maxMessageBytes: largestMessageBytes(2048),
    maxUnjudgedBytes: 5000,
    maxConnections: 7,
    heartbeatIntervalMs: 300,
  });
});

Deno.test("linksOf() makes a Worker for a wire each time it is asked, and none before", async () => {
  using directory = new StateDirectory();
  const links = linksOf(smallConfig(directory.path, { protocols: "grpc,mqtt" }), { runId: "run" });
  assert.deepEqual([...links.keys()], ["grpc", "mqtt"]);
  const make = links.get("grpc");
  assert.ok(make);
  await using one = make([]);
  await using two = make([]);
  const [address] = await one.listen(new ScriptedCoordinator());
  const [other] = await two.listen(new ScriptedCoordinator());
  assert.match(address?.url ?? "", /^grpc:\/\/127\.0\.0\.1:\d+\/default$/);
  assert.notEqual(address?.url, other?.url);
});

Deno.test("linksOf() puts an instance beside the endpoints for each broker that is named", async () => {
  using directory = new StateDirectory();
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close(); // nobody listens there
  const config = smallConfig(directory.path, {
    "mqtt-broker": `mqtt://127.0.0.1:${port}`,
    "amqp-broker": `amqp://127.0.0.1:${port}`,
  });
  const links = linksOf(config, { runId: "run" });
  assert.deepEqual([...links.keys()], ["grpc", "mqtt@broker", "amqp@broker"]);
  for (const wire of ["mqtt@broker", "amqp@broker"]) {
    const make = links.get(wire);
    assert.ok(make);
    await using link = make([]);
    await assert.rejects(link.listen(new ScriptedCoordinator()), /Cannot reach the \w+ broker at/);
  }
});

for (const wire of ["mqtt", "amqp", "grpc", "quic", "dds"] as const) {
  Deno.test(`linksOf() gives ${wire} the port again that it had, where the setting is any free one`, async () => {
    using directory = new StateDirectory();
    const more = wire === "mqtt" ? { "mqtt-websocket-port": "0" } : {};
    const flags = { protocols: wire, [`${wire}-port`]: "0", ...more };
    const { config } = available(smallConfig(directory.path, flags));
    const make = linksOf(await withCertificate(config), { runId: "run" }).get(wire);
    assert.ok(make, `${wire} cannot run on this machine`);
    const listen = async (urls: readonly string[]) => {
      await using link = make(urls);
      return (await link.listen(new ScriptedCoordinator())).map(({ url }) => url);
    };
    const first = await listen([]);
    assert.deepEqual(await listen(first), first);
    assert.deepEqual(await listen(first), first);
  });
}
