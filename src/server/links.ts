/** A link to each configured protocol server, in a Worker of its own. */

import type { Config } from "../config.ts";
import { largestMessageBytes } from "../contract/codec.ts";
import { WorkerLink } from "../contract/link.ts";
import type { PacingOptions } from "../contract/paced_server.ts";
import type { Link, WireName } from "../contract/protocol_server.ts";
import type { ServerOptions } from "../contract/server_options.ts";
import type { MakeLink } from "../coordinator/supervisor.ts";
import type { TlsOptions } from "../contract/tls.ts";
import type { TokenRule } from "../contract/token.ts";
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
  run: LinkedRun,
): ReadonlyMap<WireName, MakeLink> {
  const links = new Map<WireName, MakeLink>(
    config.protocols.map((wire) => [
      wire,
      (urls = []) => workerLink(wire, onPortsOf(urls, wire, config), run),
    ]),
  );
  for (const wire of brokersOf(config)) links.set(wire, () => brokerLink(wire, config, run));
  return links;
}

/** Of any free port the one that clients know, once there is one. */
function onPortsOf(urls: readonly string[], wire: ProtocolName, config: Config): Config {
  const [port = 0, websocketPort = 0] = urls.map((url) => Number(URL.parse(url)?.port ?? "0"));
  const own = config[wire].port === 0 ? { ...config[wire], port } : config[wire];
  if (!("websocketPort" in own) || own.websocketPort !== 0) return { ...config, [wire]: own };
  return { ...config, [wire]: { ...own, websocketPort } };
}

/** The brokers that the operator has named. */
function brokersOf(config: Config): BrokerName[] {
  const names = Object.keys(BROKERS) as BrokerName[];
  return names.filter((name) => config[BROKERS[name]].url !== undefined);
}

/** What all links of a run share. */
export interface LinkedRun {
  readonly runId: string;
  /** What the endpoints' TCP sockets speak TLS with; undefined where they do not. */
  readonly tls?: TlsOptions | undefined;
  /** Undefined where no tokens are asked for. */
  readonly tokens?: TokenRule | undefined;
}

export function workerLink(
  wire: ProtocolName,
  config: Config,
  run: LinkedRun & { readonly worker?: Worker },
): Link {
  const { tls, tokens, worker = spawn(wire, config) } = run;
  // DDS has no TLS, and is not given what it has no use for.
  const proof = wire === "dds" || tls === undefined ? {} : { tls };
  const told = serverOptions(wire, config, tokens);
  // The guard bounds connections; those that make room for others take a moment to close.
  const maxConnections = tokens === undefined ? told.maxConnections : 2 * told.maxConnections;
  const server = { ...told, maxConnections, ...proof };
  // Whoever is on its network can read what DDS carries.
  const guard = tokens && {
    rule: tokens,
    sealedOnly: wire === "dds",
    maxConnections: config.limits.maxConnections,
    proofTimeoutMs: config.limits.proofTimeoutMs,
  };
  return new WorkerLink(worker, { server, own: config[wire] }, {
    ...pacing(config, run),
    ...(guard === undefined ? {} : { guard }),
  });
}

/** Behind a broker the addresses are guarded, of which routes are made. */
export function brokerLink(
  wire: BrokerName,
  config: Config,
  run: LinkedRun & { readonly worker?: Worker },
): Link {
  const { worker = spawnBroker(wire, config) } = run;
  const options = {
    server: serverOptions(wire, config, run.tokens),
    own: config[BROKERS[wire]],
  };
  return new WorkerLink(worker, options, pacing(config, run));
}

function pacing(
  { limits: { partBytes, windowBytes } }: Config,
  { runId }: LinkedRun,
): PacingOptions {
  return { runId, partBytes, windowBytes };
}

export function serverOptions(wire: WireName, config: Config, tokens?: TokenRule): ServerOptions {
  const { partBytes, maxUnjudgedBytes, maxConnections, heartbeatIntervalMs } = config.limits;
  return {
    wire,
    federation: config.name,
    maxMessageBytes: largestMessageBytes(partBytes),
    maxUnjudgedBytes,
    maxConnections,
    heartbeatIntervalMs,
    ...(tokens === undefined ? {} : { tokens }),
  };
}
