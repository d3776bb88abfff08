/** What is wrong with settings that are each right by themselves. */

import type { Config } from "../config.ts";

/** Names where a setting was given, or the flag that would set it. */
export type WhereSet = (key: string) => string;

/** A sentence for each contradiction. */
export function contradictions(config: Config, whereSet: WhereSet): string[] {
  return [
    ...orders(config, whereSet),
    ...beyondLoopback(config, whereSet),
    ...sharedPorts(config, whereSet),
  ];
}

/** Pairs of which the first may not be above the second. */
function orders({ training, limits }: Config, whereSet: WhereSet): string[] {
  const { clientsPerRound, minClients } = training;
  const pairs: [low: string, value: number, high: string, bound: number][] = [
    ["training.min_clients", minClients, "limits.max_clients", limits.maxClients],
    ["training.clients_per_round", clientsPerRound, "limits.max_clients", limits.maxClients],
    ["limits.part_bytes", limits.partBytes, "limits.window_bytes", limits.windowBytes],
    [
      "limits.max_update_bytes",
      limits.maxUpdateBytes,
      "limits.max_bytes_in_flight",
      limits.maxBytesInFlight,
    ],
  ];
  return pairs.filter(([, value, , bound]) => value > bound).map(([low, value, high, bound]) =>
    `${whereSet(low)} is ${value}, above the ${bound} of ${whereSet(high)}; ` +
    "lower the one or raise the other"
  );
}

/** What a section says of where it listens; a wire may choose its port by other settings. */
interface Listener {
  readonly section: string;
  readonly hostname: string;
  readonly port: number | undefined;
}

/** The listeners that this configuration starts. */
function listeners(config: Config): Listener[] {
  const sections = [...config.protocols, ...(config.web.enabled ? ["web" as const] : [])];
  return sections.map((section) => {
    const { hostname, port } = config[section];
    return { section, hostname, port };
  });
}

function beyondLoopback(config: Config, whereSet: WhereSet): string[] {
  if (config.insecure) return [];
  const open = listeners(config).filter(({ hostname }) => !isLoopback(hostname));
  return open.map(({ section, hostname }) =>
    `${whereSet(`${section}.hostname`)} is ${JSON.stringify(hostname)}, which other machines ` +
    "can reach, and wires have neither TLS nor tokens yet; use 127.0.0.1, or allow it by --insecure"
  );
}

/** Whether only this machine can reach what listens there. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "::1" || /^127(\.\d{1,3}){3}$/.test(hostname);
}

/** One number names a wire's TCP and its UDP port alike, so no two listeners may share it. */
function sharedPorts(config: Config, whereSet: WhereSet): string[] {
  const taken = new Map<string, string>();
  const sentences: string[] = [];
  for (const { section, hostname, port } of listeners(config)) {
    if (port === 0 || port === undefined) continue;
    const other = taken.get(`${hostname}:${port}`);
    if (other === undefined) {
      taken.set(`${hostname}:${port}`, section);
      continue;
    }
    sentences.push(
      `${whereSet(`${section}.port`)} is ${port}, which is also the port of ${other}; ` +
        `set ${whereSet(`${section}.port`)} or ${whereSet(`${other}.port`)} to another one`,
    );
  }
  return sentences;
}
