/** A link to each configured protocol server, in a Worker of its own. */

import type { Config } from "../config.ts";
import { largestMessageBytes } from "../contract/codec.ts";
import { WorkerLink } from "../contract/link.ts";
import type { Link, WireName } from "../contract/protocol_server.ts";
import type { ServerOptions } from "../contract/server_options.ts";
import { type ProtocolName, spawn } from "../protocols/mod.ts";

/** By wire: what starts its server, now and after it died. */
export function linksOf(config: Config, runId: string): ReadonlyMap<WireName, () => Link> {
  return new Map(config.protocols.map((wire) => [wire, () => workerLink(wire, config, runId)]));
}

export function workerLink(
  wire: ProtocolName,
  config: Config,
  runId: string,
  worker: Worker = spawn(wire, config),
): Link {
  const { partBytes, windowBytes } = config.limits;
  const options = { server: serverOptions(wire, config), own: config[wire] };
  return new WorkerLink(worker, options, { runId, partBytes, windowBytes });
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
