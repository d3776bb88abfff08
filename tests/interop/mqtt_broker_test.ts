/** MQTT through a Mosquitto: everything that an endpoint of our own must do, and what only a broker can. */

import assert from "node:assert/strict";
import { connect } from "node:net";
import { dial } from "../../src/protocols/mqtt/client.ts";
import { type Options, options, permissions } from "../../src/protocols/mqtt/broker_options.ts";
import { BrokeredMqttServer } from "../../src/protocols/mqtt/broker_server.ts";
import { conformance } from "../protocols/conformance.ts";
import type { Subject } from "../protocols/subject.ts";
import { withPrograms } from "./brokers/installed.ts";
import { Mosquitto } from "./brokers/mosquitto.ts";

const WIRE = "mqtt@broker";

const subject = (broker: Mosquitto): Subject<Options> => ({
  wire: WIRE,
  own: (port = broker.port) => options.parse({ url: `mqtt://127.0.0.1:${port}` }),
  make: (server, own) => new BrokeredMqttServer(server, own),
  spawn: (own) =>
    new Worker(new URL("../../src/protocols/mqtt/broker_worker.ts", import.meta.url), {
      type: "module",
      deno: { permissions: permissions(own) },
    }),
  dial,
  async garbage(url) {
    const closed = Promise.withResolvers<void>();
    const socket = connect(Number(url.port), url.hostname);
    socket.on("close", closed.resolve).on("error", () => {});
    socket.end("GET / HTTP/1.1\r\nHost: here\r\n\r\n");
    socket.resume();
    await closed.promise;
  },
});

withPrograms(["mosquitto"], () => {
  Deno.test("x", () => {
    assert.ok(true);
  });
});
if (true) {
  const broker = await Mosquitto.start();
  globalThis.addEventListener("unload", () => broker.disposeNow());
  conformance(subject(broker));
}
