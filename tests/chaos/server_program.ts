/**
 * `tributary serve` with turbulent wires, whose Workers crash when told to: a line `crash WIRE` on
 * standard input. Writes its log to standard output, a line of JSON each.
 */

import { writeSync } from "node:fs";
import { Random } from "../../src/client/random.ts";
import { type Config, readConfig } from "../../src/config.ts";
import type { Link, WireName } from "../../src/contract/protocol_server.ts";
import { TextLineStream } from "../../src/demo/lines.ts";
import { openEvents } from "../../src/events.ts";
import type { Fields } from "../../src/log.ts";
import { Metrics } from "../../src/metrics.ts";
import { type BrokerName, BROKERS, type ProtocolName } from "../../src/protocols/mod.ts";
import { permissions as amqpBroker } from "../../src/protocols/amqp/broker_options.ts";
import { permissions as amqp } from "../../src/protocols/amqp/options.ts";
import { permissions as dds } from "../../src/protocols/dds/options.ts";
import { permissions as grpc } from "../../src/protocols/grpc/options.ts";
import { permissions as mqttBroker } from "../../src/protocols/mqtt/broker_options.ts";
import { permissions as mqtt } from "../../src/protocols/mqtt/options.ts";
import { permissions as quic } from "../../src/protocols/quic/options.ts";
import { FederationServer } from "../../src/server/federation_server.ts";
import { brokerLink, linksOf, workerLink } from "../../src/server/links.ts";
import type { ServerSpec } from "./server.ts";
import { inTurbulence } from "./turbulent_link.ts";

const { flags, seed, turbulent }: ServerSpec = JSON.parse(Deno.args[0] ?? "");
const random = Random.seeded(seed);
const workers = new Map<WireName, Worker>();

function tell(message: string, fields: Fields = {}): void {
  writeSync(1, JSON.stringify({ message, ...fields }) + "\n");
}

function permissionsOf(
  wire: ProtocolName | BrokerName,
  config: Config,
): Deno.PermissionOptionsObject {
  switch (wire) {
    case "mqtt":
      return mqtt(config.mqtt);
    case "amqp":
      return amqp(config.amqp);
    case "grpc":
      return grpc(config.grpc);
    case "quic":
      return quic(config.quic);
    case "dds":
      return dds(config.dds);
    case "mqtt@broker":
      return mqttBroker(config.mqttBroker);
    case "amqp@broker":
      return amqpBroker(config.amqpBroker);
    default:
      return wire satisfies never;
  }
}

function crashing(wire: ProtocolName | BrokerName, config: Config): Worker {
  const worker = new Worker(new URL("./crashing_worker.ts", import.meta.url), {
    type: "module",
    name: wire,
    // It is imported by a name that is made at run time, which the least permissions forbid.
    deno: { permissions: { ...permissionsOf(wire, config), read: true, import: true } },
  });
  workers.set(wire, worker);
  return worker;
}

function turbulence(make: () => Link): () => Link {
  if (!turbulent) return make;
  return () =>
    inTurbulence(make(), {
      random,
      happened: (what) => tell("turbulence", { what }),
      wrong: (sentence) => tell("wrong", { sentence }),
    });
}

const metrics = new Metrics();
const write = (_level: string, message: string, fields: Fields) => tell(message, fields);
await using server = await FederationServer.open({
  config: readConfig({ flags }).config,
  metrics,
  events: openEvents({ write }, metrics),
  wires: (runId, config) => {
    const links = new Map(linksOf(config, { runId }));
    for (const wire of config.protocols) {
      links.set(wire, () => workerLink(wire, config, { runId, worker: crashing(wire, config) }));
    }
    for (const wire of Object.keys(BROKERS) as BrokerName[]) {
      if (!links.has(wire)) continue;
      links.set(wire, () => brokerLink(wire, config, { runId, worker: crashing(wire, config) }));
    }
    return new Map([...links].map(([wire, make]) => [wire, turbulence(make)]));
  },
});
tell("listening", { urls: server.addresses.map(({ url }) => url) });
const commands = Deno.stdin.readable.pipeThrough(new TextDecoderStream())
  .pipeThrough(new TextLineStream());
for await (const command of commands) {
  const [verb, wire = ""] = command.split(" ");
  if (verb === "crash") workers.get(wire)?.postMessage({ kind: "crash" });
  if (verb === "stop") break;
}
await server.farewell("the trial is over");
