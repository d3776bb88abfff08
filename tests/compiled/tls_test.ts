/** The executable as a client of what speaks TLS: servers, whose wires it cannot all serve, and brokers. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { readConfig } from "../../src/config.ts";
import { Metrics } from "../../src/metrics.ts";
import { FederationServer } from "../../src/server/federation_server.ts";
import { withPrograms } from "../interop/brokers/installed.ts";
import { Mosquitto } from "../interop/brokers/mosquitto.ts";
import { Rabbitmq } from "../interop/brokers/rabbitmq.ts";
import { Awaitable } from "../support/awaitable.ts";
import { eventsTo, type LogLine } from "../support/federation.ts";
import { ca, loopbackTls } from "../support/tls.ts";
import { ANY_PORTS, inDirectory, run } from "./executable.ts";

function fileIn(directory: string, name: string, text: string): string {
  const path = join(directory, name);
  Deno.writeTextFileSync(path, text);
  return path;
}

Deno.test("join takes part over TLS on MQTT, AMQP, QUIC and WebSocket", () =>
  inDirectory(async (directory) => {
    const config = readConfig({
      flags: {
        protocols: "mqtt,amqp,quic",
        ...Object.fromEntries(["mqtt", "amqp", "quic"].map((wire) => [`${wire}-port`, "0"])),
        web: false,
        "tls-cert": fileIn(directory, "server.pem", loopbackTls.certificate),
        "tls-key": fileIn(directory, "server-key.pem", loopbackTls.key),
        "min-clients": "4",
        rounds: "1",
      },
    }).config;
    const log = new Awaitable<LogLine>();
    await using server = await FederationServer.open({
      config,
      events: eventsTo(log),
      metrics: new Metrics(),
    });
    const trust = fileIn(directory, "ca.pem", ca);
    for (const url of server.addresses.map(({ url }) => url)) {
      await using doubtful = run(["join", url, "--data", "mnist:share=1/1000"], { directory });
      await doubtful.logs(/server not reached .*--ca/);
    }
    await using stack = new AsyncDisposableStack();
    const urls = server.addresses.map(({ url }) => url);
    const websocket = urls.find((url) => url.startsWith("quic:"))?.replace("quic:", "wss:");
    assert.ok(websocket);
    const clients = [...urls, websocket].map((url, index) =>
      stack.use(run([
        ...["join", url, "--id", `client-${index}`, "--ca", trust, "--once"],
        ...["--data", `mnist:share=${index + 1}/1000`],
      ], { directory }))
    );
    assert.deepEqual(
      urls.map((url) => new URL(url).protocol).sort(),
      ["amqps:", "mqtts:", "quic:"],
    );
    for (const client of clients) {
      const { code, stderr } = await client.ended();
      assert.equal(code, 0, stderr);
    }
    await server.finished;
    assert.equal(log.all.filter(({ message }) => message === "update accepted").length, 4);
  }));

await withPrograms(["mosquitto", "rabbitmq-server", "epmd"], () => {
  Deno.test("serve enters brokers by TLS, and says what to change where it does not trust one", () =>
    inDirectory(async (directory) => {
      await using mosquitto = await Mosquitto.start(undefined, { tls: loopbackTls });
      await using rabbitmq = await Rabbitmq.start({ tls: loopbackTls });
      const trust = fileIn(directory, "ca.pem", ca);
      const brokers = ["--mqtt-broker", mosquitto.url, "--amqp-broker", rabbitmq.url];
      await using server = run([
        ...["serve", ...ANY_PORTS, ...brokers],
        ...["--mqtt-broker-ca", trust, "--amqp-broker-ca", trust],
      ], { directory });
      for (const scheme of ["mqtts", "amqps"]) {
        await server.says(new RegExp(`tributary join '?${scheme}://`));
      }
      await using doubtful = run(["serve", ...ANY_PORTS, ...brokers], { directory });
      for (const wire of ["mqtt", "amqp"]) {
        await doubtful.logs(new RegExp(`wire=${wire}@broker .*--${wire}-broker-ca the authority`));
      }
    }));
});
