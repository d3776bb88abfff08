/** What is wrong with settings that are each right by themselves. */

import type { Config } from "../config.ts";
import { BROKERS } from "../protocols/mod.ts";
import { snake } from "./fields.ts";

/** Names where a setting was given, or the flag that would set it. */
export type WhereSet = (key: string) => string;

/** A sentence for each contradiction. */
export function contradictions(config: Config, whereSet: WhereSet): string[] {
  return [
    ...orders(config, whereSet),
    ...beyondLoopback(config, whereSet),
    ...brokersBeyondLoopback(config, whereSet),
    ...authoritiesWithoutTls(config, whereSet),
    ...sharedPorts(config, whereSet),
    ...tokensWithoutKey(config, whereSet),
  ];
}

/** Names of two settings, each before its value. */
type Pair = readonly [low: string, value: number, high: string, bound: number];

/** Pairs of which the first may not be above the second. */
function orders(config: Config, whereSet: WhereSet): string[] {
  const { training, limits } = config;
  const { clientsPerRound, minClients } = training;
  const pairs: Pair[] = [
    ["training.min_clients", minClients, "limits.max_clients", limits.maxClients],
    ["training.clients_per_round", clientsPerRound, "limits.max_clients", limits.maxClients],
    ["limits.part_bytes", limits.partBytes, "limits.window_bytes", limits.windowBytes],
    [
      "limits.max_update_bytes",
      limits.maxUpdateBytes,
      "limits.max_bytes_in_flight",
      limits.maxBytesInFlight,
    ],
    // The plateau is looked for in the rounds that are remembered.
    ["training.plateau_rounds", training.plateauRounds ?? 0, "keep_rounds", config.keepRounds],
    // A client acknowledges now and then within a window: a broker must have room for one.
    ...namedBrokers(config).map((section): Pair => [
      "limits.window_bytes",
      limits.windowBytes,
      `${snake(section)}.max_unread_bytes`,
      config[section].maxUnreadBytes,
    ]),
  ];
  return pairs.filter(([, value, , bound]) => value > bound).map(([low, value, high, bound]) =>
    `${whereSet(low)} is ${value}, above the ${bound} of ${whereSet(high)}; ` +
    "lower the one or raise the other"
  );
}

/** What a section says of where it listens; a wire may choose its port by other settings. */
interface Listener {
  readonly section: string;
  /** For people. */
  readonly name: string;
  readonly hostname: string;
  /** The setting that chooses the port. */
  readonly key: string;
  readonly port: number | undefined;
}

/** The listeners that this configuration starts. */
function listeners(config: Config): Listener[] {
  const sections = [...config.protocols, ...(config.web.enabled ? ["web" as const] : [])];
  return sections.flatMap((section) => {
    const { hostname, port } = config[section];
    const listener = { section, name: section, hostname, key: `${section}.port`, port };
    if (section !== "mqtt") return [listener];
    const { websocketPort } = config.mqtt;
    const name = "MQTT over WebSocket";
    return [listener, { ...listener, name, key: "mqtt.websocket_port", port: websocketPort }];
  });
}

function beyondLoopback(config: Config, whereSet: WhereSet): string[] {
  if (config.insecure) return [];
  return exposures(config).map(({ section, hostname, missing }) =>
    `${whereSet(`${section}.hostname`)} is ${JSON.stringify(hostname)}, which other machines can ` +
    `reach, and ${missing}; use 127.0.0.1, or allow it by --insecure`
  );
}

/** A listener that other machines can reach, although it lacks what that asks for. */
export interface Exposure {
  readonly section: string;
  readonly hostname: string;
  readonly missing: string;
}

/** Refused, unless the operator allows it; then they are told. */
export function exposures(config: Config): Exposure[] {
  const hostnames = new Map(
    listeners(config).map(({ section, hostname }) => [section, hostname]),
  );
  return [...hostnames].flatMap(([section, hostname]) => {
    const missing = isLoopback(hostname) ? [] : missingBeyondLoopback(config, section);
    return missing.length === 0 ? [] : [{ section, hostname, missing: missing.join("; and ") }];
  });
}

/** What a listener lacks that other machines can reach: what is missing, and what gives it. */
function missingBeyondLoopback(config: Config, section: string): string[] {
  const missing: string[] = [];
  if (section !== "web" && config.tokens === "off") {
    missing.push(NO_TOKENS);
  }
  if (section === "dds" && config.tokens === "off") missing.push(DDS_IN_THE_CLEAR);
  if (section !== "dds" && !isEncrypted(config, section)) {
    missing.push(
      "it has no TLS: give --tls-cert and --tls-key (`tributary tls init` makes them)",
    );
  }
  return missing;
}

const NO_TOKENS = "no tokens are asked for: give --tokens required";

/** What DDS does and does not protect, once its network is not this machine alone. */
const DDS_IN_THE_CLEAR =
  "DDS has no TLS here: whoever is on its network reads models and updates, and can send what " +
  "looks like a client's";

/** What an operator must know of DDS beyond this machine, although tokens are required; else undefined. */
export function openDds({ tokens, protocols, dds }: Config): string | undefined {
  if (tokens === "off" || !protocols.includes("dds") || isLoopback(dds.hostname)) return undefined;
  return `DDS listens on ${dds.hostname}: its messages are sealed, so that nobody there can act for ` +
    "a client or make a model up, but whoever is on its network can read models and updates";
}

/** QUIC is always; its WebSocket is TCP. */
function isEncrypted({ tls, quic }: Config, section: string): boolean {
  return tls.cert !== undefined || (section === "quic" && !quic.websocket);
}

/** The sections of the brokers that the operator has named. */
function namedBrokers(config: Config) {
  return Object.values(BROKERS).filter((section) => config[section].url !== undefined);
}

/** Whoever may write at a broker could be any client, or the server: but for tokens, which seal. */
function brokersBeyondLoopback(config: Config, whereSet: WhereSet): string[] {
  if (config.insecure) return [];
  return openBrokers(config).map(({ section }) =>
    `${whereSet(`${section}.url`)} names a broker on another machine, and ${NO_TOKENS}, ` +
    "use a broker on this machine, or allow it by --insecure"
  );
}

/** An authority that nobody would be asked to prove himself by. */
function authoritiesWithoutTls(config: Config, whereSet: WhereSet): string[] {
  return Object.values(BROKERS).flatMap((section) => {
    const { ca, url } = config[section];
    if (ca === undefined || /^(mqtts|amqps):/i.test(url ?? "")) return [];
    const scheme = section === "mqttBroker" ? "mqtts" : "amqps";
    return [
      `${whereSet(`${snake(section)}.ca`)} is for a broker by TLS; write ` +
      `${whereSet(`${snake(section)}.url`)} with ${scheme}://, or leave it out`,
    ];
  });
}

/** Brokers on other machines, where no tokens are asked for. Refused, unless the operator allows it. */
export function openBrokers(config: Config): Exposure[] {
  if (config.tokens === "required") return [];
  return namedBrokers(config).flatMap((section) => {
    const url = URL.parse(config[section].url ?? "");
    const hostname = (url?.hostname ?? "").replace(/^\[(.*)\]$/, "$1");
    if (isLoopback(hostname)) return [];
    return [{ section: snake(section), hostname, missing: NO_TOKENS }];
  });
}

/** Whether only this machine can reach what listens there. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "::1" || /^127(\.\d{1,3}){3}$/.test(hostname);
}

/** One number names a wire's TCP and its UDP port alike, so no two listeners may share it. */
function sharedPorts(config: Config, whereSet: WhereSet): string[] {
  const taken = new Map<string, Listener>();
  const sentences: string[] = [];
  for (const listener of listeners(config)) {
    const { hostname, key, port } = listener;
    if (port === 0 || port === undefined) continue;
    const other = taken.get(`${hostname}:${port}`);
    if (other === undefined) {
      taken.set(`${hostname}:${port}`, listener);
      continue;
    }
    sentences.push(
      `${whereSet(key)} is ${port}, which is also the port of ${other.name}; ` +
        `set ${whereSet(key)} or ${whereSet(other.key)} to another one`,
    );
  }
  return sentences;
}

/** Tokens that are made for a key that is gone with the process would be of no use. */
function tokensWithoutKey({ tokens, tokenKey, state }: Config, whereSet: WhereSet): string[] {
  if (tokens === "off" || tokenKey !== undefined || state !== undefined) return [];
  return [
    `${whereSet("tokens")} is required, but there is no key for them; name --state or --token-key`,
  ];
}
