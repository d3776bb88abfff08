/** Brokers by TLS: all that holds without it, and whom the server does not trust. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { checkBrokers } from "../../src/cli/doctor/brokers.ts";
import { readConfig } from "../../src/config.ts";
import type { ProtocolServer } from "../../src/contract/protocol_server.ts";
import * as amqpOptions from "../../src/protocols/amqp/broker_options.ts";
import { BrokeredAmqpServer } from "../../src/protocols/amqp/broker_server.ts";
import { dial as dialAmqp } from "../../src/protocols/amqp/client.ts";
import * as mqttOptions from "../../src/protocols/mqtt/broker_options.ts";
import { BrokeredMqttServer } from "../../src/protocols/mqtt/broker_server.ts";
import { dial as dialMqtt } from "../../src/protocols/mqtt/client.ts";
import { spawnBroker } from "../../src/protocols/mod.ts";
import { Metrics } from "../../src/metrics.ts";
import { FederationServer } from "../../src/server/federation_server.ts";
import { withAuthorities } from "../../src/server/authorities.ts";
import { SampleFolder } from "../client/sample_folder.ts";
import { conformance } from "../protocols/conformance.ts";
import { federationConformance } from "../protocols/federation_conformance.ts";
import { serverOptions, type Subject } from "../protocols/subject.ts";
import { smallConfig } from "../server/small_config.ts";
import { ScriptedCoordinator } from "../support/scripted_coordinator.ts";
import { Awaitable } from "../support/awaitable.ts";
import { eventsTo, type LogLine, weights } from "../support/federation.ts";
import { ca, certificateFor, loopbackTls, trusting } from "../support/tls.ts";
import { sealed } from "../support/tokens.ts";
import { StateDirectory } from "../vault/state_directory.ts";
import { spoil } from "./brokers/garbage.ts";
import { withPrograms } from "./brokers/installed.ts";
import { Mosquitto } from "./brokers/mosquitto.ts";
import { Rabbitmq } from "./brokers/rabbitmq.ts";

const none = {
  mqttBroker: mqttOptions.options.parse({}),
  amqpBroker: amqpOptions.options.parse({}),
};

function suites<Own>(subject: Subject<Own>): void {
  conformance(subject);
  conformance({ ...subject, ...sealed(subject.dial) }); // the broker reads along, TLS or not
  federationConformance(subject);
}

/** Why a server does not come to a broker, as an operator reads it. */
async function refusal(server: ProtocolServer): Promise<string> {
  await using stack = new AsyncDisposableStack();
  stack.use(server);
  const error = await server.listen(new ScriptedCoordinator()).catch((reason) => reason);
  assert.ok(error instanceof Error, "it came in");
  assert.ok(!error.message.includes("\n"));
  return error.message;
}

await withPrograms(["mosquitto"], async () => {
  const { options } = mqttOptions;
  const wire = "mqtt@broker over TLS";
  const broker = await Mosquitto.start(undefined, { tls: loopbackTls });
  globalThis.addEventListener("unload", () => broker.disposeNow());
  suites({
    behindBroker: true,
    wire,
    own: (port = broker.port) => options.parse({ url: `mqtts://127.0.0.1:${port}`, ca }),
    make: (server, own) => new BrokeredMqttServer(server, own),
    spawn: (own) => spawnBroker("mqtt@broker", { ...none, mqttBroker: own }),
    dial: trusting(dialMqtt),
    garbage: spoil,
  });
  const at = (own: Partial<mqttOptions.Options>) =>
    refusal(new BrokeredMqttServer(serverOptions(wire), options.parse(own)));

  Deno.test("an MQTT broker whose authority nobody named, or that has another name, is not entered", async () => {
    assert.match(await at({ url: broker.url }), /certificate.*and --mqtt-broker-ca the authority/);
    const tls = await certificateFor(["broker.example"]);
    await using other = await Mosquitto.start(undefined, { tls });
    assert.match(await at({ url: other.url, ca }), /by a name that its certificate is for/);
  });

  Deno.test("an MQTT broker without TLS is not taken for one with it, nor the other way round", async () => {
    await using open = await Mosquitto.start();
    const url = `mqtts://127.0.0.1:${open.port}`;
    assert.match(await at({ url, ca }), /has to name a port where it speaks TLS/);
    const plain = `mqtt://127.0.0.1:${broker.port}`;
    assert.match(
      await at({ url: plain }),
      /^Cannot reach the MQTT broker .* has to begin with mqtts:/,
    );
  });

  Deno.test("a broker's address names the broker, also where the server's own certificate names another host", async () => {
    using directory = new StateDirectory();
    const file = (name: string, text: string) => {
      Deno.writeTextFileSync(join(directory.path, name), text);
      return join(directory.path, name);
    };
    const own = await certificateFor(["server.example"]);
    const config = smallConfig(directory.path, {
      protocols: "mqtt",
      "mqtt-port": "0",
      "tls-cert": file("server.pem", own.certificate),
      "tls-key": file("server-key.pem", own.key),
      "mqtt-broker": broker.url,
      "mqtt-broker-ca": file("ca.pem", ca),
    });
    Deno.writeFileSync(config.training.model ?? "", weights([0]));
    const log = new Awaitable<LogLine>();
    const parts = { config, events: eventsTo(log), metrics: new Metrics() };
    await using server = await FederationServer.open(parts);
    const urls = new Map(server.addresses.map(({ wire, url }) => [wire, url]));
    assert.match(urls.get("mqtt") ?? "", /^mqtts:\/\/server\.example:\d+\/default$/);
    assert.equal(urls.get("mqtt@broker"), `${broker.url}/default`);
  });

  Deno.test("doctor enters an MQTT broker by TLS, with the authority that the settings name", async () => {
    await using folder = await SampleFolder.open();
    const file = join(folder.path, "ca.pem");
    await Deno.writeTextFile(file, ca);
    const examined = async (more: Readonly<Record<string, string>>) => {
      const { config } = readConfig({ flags: { "mqtt-broker": broker.url, ...more } });
      const [finding = assert.fail()] = await checkBrokers(config, new AbortController().signal);
      return finding;
    };
    assert.equal((await examined({ "mqtt-broker-ca": file })).state, "ok");
    assert.equal((await examined({})).state, "failed");
    const missing = await examined({ "mqtt-broker-ca": join(folder.path, "none.pem") });
    assert.match(missing.seen, /^--mqtt-broker-ca names .*, but there is no such file$/);
    const { config } = readConfig({
      flags: { "mqtt-broker": broker.url, "mqtt-broker-ca": file },
    });
    assert.equal((await withAuthorities(config)).mqttBroker.ca, ca);
  });
});

await withPrograms(["rabbitmq-server", "epmd"], async () => {
  const { options } = amqpOptions;
  const wire = "amqp@broker over TLS";
  const broker = await Rabbitmq.start({ tls: loopbackTls });
  globalThis.addEventListener("unload", () => broker.disposeNow());
  suites({
    behindBroker: true,
    wire,
    own: (port = broker.port) => options.parse({ url: `amqps://127.0.0.1:${port}`, ca }),
    make: (server, own) => new BrokeredAmqpServer(server, own),
    spawn: (own) => spawnBroker("amqp@broker", { ...none, amqpBroker: own }),
    dial: trusting(dialAmqp),
    garbage: spoil,
  });

  const at = (own: Partial<amqpOptions.Options>) =>
    refusal(new BrokeredAmqpServer(serverOptions(wire), options.parse(own)));

  Deno.test("an AMQP broker whose authority nobody named is not entered", async () => {
    assert.match(await at({ url: broker.url }), /certificate.*and --amqp-broker-ca the authority/);
  });

  Deno.test("an AMQP broker without TLS is not taken for one with it, nor the other way round", async () => {
    await using open = await Rabbitmq.start();
    const url = `amqps://127.0.0.1:${open.port}`;
    assert.match(await at({ url, ca }), /has to name a port where it speaks TLS/);
    const plain = `amqp://127.0.0.1:${broker.port}`;
    assert.match(
      await at({ url: plain }),
      /^Cannot reach the AMQP broker .* has to begin with amqps:/,
    );
  });
});
