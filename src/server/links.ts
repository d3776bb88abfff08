/** A link to each configured protocol server, in a Worker of its own. */

import type { Config } from "../config.ts";
import { largestMessageBytes } from "../contract/codec.ts";
import { WorkerLink } from "../contract/link.ts";
import type { PacingOptions } from "../contract/paced_server.ts";
import type { Link, WireName } from "../contract/protocol_server.ts";
import type { ServerOptions } from "../contract/server_options.ts";
import type { MakeLink } from "../coordinator/supervisor.ts";
import type { TlsOptions } from "../contract/tls.ts";
import {
  type BrokerName,
  BROKERS,
  type ProtocolName,
  spawn,
  spawnBroker,
} from "../protocols/mod.ts";

/** By wire: what starts its server, now and after it died. */
export function linksOf(
  config: Config,
  runId: string,
  tls?: TlsOptions,
): ReadonlyMap<WireName, MakeLink> {
  const links = new Map<WireName, MakeLink>(
    config.protocols.map((wire) => [
      wire,
      (urls = []) => workerLink(wire, onPortOf(urls, wire, config), { runId, tls }),
    ]),
  );
  for (const wire of brokersOf(config)) links.set(wire, () => brokerLink(wire, config, runId));
  return links;
}

/** Of any free port the one that clients know, once there is one. */
function onPortOf([url]: readonly string[], wire: ProtocolName, config: Config): Config {
  const own = config[wire];
  const port = Number(URL.parse(url ?? "")?.port ?? "0");
  return own.port === 0 ? { ...config, [wire]: { ...own, port } } : config;
}

/** The brokers that the operator has named. */
function brokersOf(config: Config): BrokerName[] {
  const names = Object.keys(BROKERS) as BrokerName[];
  return names.filter((name) => config[BROKERS[name]].url !== undefined);
}

export function workerLink(
  wire: ProtocolName,
  config: Config,
  { runId, tls, worker = spawn(wire, config) }: {
    readonly runId: string;
    readonly tls?: TlsOptions | undefined;
    readonly worker?: Worker;
  },
): Link {
  // DDS has none, and is not given what it has no use for.
  const proof = wire === "dds" || tls === undefined ? {} : { tls };
  const options = { server: { ...serverOptions(wire, config), ...proof }, own: config[wire] };
  return new WorkerLink(worker, options, pacing(config, runId));
}

function brokerLink(wire: BrokerName, config: Config, runId: string): Link {
  const options = { server: serverOptions(wire, config), own: config[BROKERS[wire]] };
  return new WorkerLink(spawnBroker(wire, config), options, pacing(config, runId));
}

function pacing({ limits: { partBytes, windowBytes } }: Config, runId: string): PacingOptions {
  return { runId, partBytes, windowBytes };
}

export function serverOptions(wire: WireName, config: Config): ServerOptions {
  const { partBytes, maxUnjudgedBytes, maxConnections, heartbeatIntervalMs } = config.limits;
  return {
    wire,
    federation: config.name,
    maxMessageBytes: largestMessageBytes(partBytes),
    maxUnjudgedBytes,
    maxConnections,
    heartbeatIntervalMs,
  };
}
