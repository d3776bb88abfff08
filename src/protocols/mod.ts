/** The list of protocols: what starts each one's Worker, and who dials its URLs. */

import type { Connection, Dial, DialOptions } from "../contract/connection.ts";
import { dialSealed } from "../contract/sealed_connection.ts";
import { shownUrl } from "../contract/shown_url.ts";
import * as amqpBroker from "./amqp/broker_options.ts";
import * as amqp from "./amqp/options.ts";
import * as dds from "./dds/options.ts";
import * as grpc from "./grpc/options.ts";
import { grpcRefusal } from "./grpc/support.ts";
import * as mqttBroker from "./mqtt/broker_options.ts";
import * as mqtt from "./mqtt/options.ts";
import * as quic from "./quic/options.ts";

export const PROTOCOLS = ["mqtt", "amqp", "grpc", "quic", "dds"] as const;
export type ProtocolName = (typeof PROTOCOLS)[number];

/** Every protocol's section of the configuration. */
export const protocolSections = {
  mqtt: mqtt.options.prefault({}),
  amqp: amqp.options.prefault({}),
  grpc: grpc.options.prefault({}),
  quic: quic.options.prefault({}),
  dds: dds.options.prefault({}),
};

export interface ProtocolOptions {
  readonly mqtt: mqtt.Options;
  readonly amqp: amqp.Options;
  readonly grpc: grpc.Options;
  readonly quic: quic.Options;
  readonly dds: dds.Options;
}

/** Instances beside the endpoints, each through a broker of the operator's, and their sections. */
export const BROKERS = { "mqtt@broker": "mqttBroker", "amqp@broker": "amqpBroker" } as const;
export type BrokerName = keyof typeof BROKERS;

export const brokerSections = {
  mqttBroker: mqttBroker.options.prefault({}),
  amqpBroker: amqpBroker.options.prefault({}),
};

export interface BrokerOptions {
  readonly mqttBroker: mqttBroker.Options;
  readonly amqpBroker: amqpBroker.Options;
}

/**
 * Starts a protocol server's Worker with no more than it needs. The URLs are literal, so that
 * `deno compile` finds them.
 */
export function spawn(name: ProtocolName, options: ProtocolOptions): Worker {
  const worker = (url: URL, permissions: Deno.PermissionOptionsObject) =>
    new Worker(url, { type: "module", name, deno: { permissions } });
  switch (name) {
    case "mqtt":
      return worker(new URL("./mqtt/worker.ts", import.meta.url), mqtt.permissions(options.mqtt));
    case "amqp":
      return worker(new URL("./amqp/worker.ts", import.meta.url), amqp.permissions(options.amqp));
    case "grpc":
      return worker(new URL("./grpc/worker.ts", import.meta.url), grpc.permissions(options.grpc));
    case "quic":
      return worker(new URL("./quic/worker.ts", import.meta.url), quic.permissions(options.quic));
    case "dds":
      return worker(new URL("./dds/worker.ts", import.meta.url), dds.permissions(options.dds));
    default:
      return name satisfies never;
  }
}

/** Starts the Worker of the instance that reaches clients through a broker. */
export function spawnBroker(name: BrokerName, options: BrokerOptions): Worker {
  const worker = (url: URL, permissions: Deno.PermissionOptionsObject) =>
    new Worker(url, { type: "module", name, deno: { permissions } });
  switch (name) {
    case "mqtt@broker":
      return worker(
        new URL("./mqtt/broker_worker.ts", import.meta.url),
        mqttBroker.permissions(options.mqttBroker),
      );
    case "amqp@broker":
      return worker(
        new URL("./amqp/broker_worker.ts", import.meta.url),
        amqpBroker.permissions(options.amqpBroker),
      );
    default:
      return name satisfies never;
  }
}

/**
 * Enters a broker as the server would, and leaves again. Gives back what was found, for people.
 * @throws {ListenError} for a user whom the broker does not let in.
 * @throws {Error} when there is no broker.
 */
export async function visitBroker(
  name: BrokerName,
  options: BrokerOptions,
  signal: AbortSignal,
): Promise<string> {
  switch (name) {
    case "mqtt@broker":
      return await (await import("./mqtt/broker_visit.ts")).visit(options.mqttBroker, signal);
    case "amqp@broker":
      return await (await import("./amqp/broker_visit.ts")).visit(options.amqpBroker, signal);
    default:
      return name satisfies never;
  }
}

/** Only what is dialled is loaded. */
const dialers: Record<string, () => Promise<{ readonly dial: Dial }>> = {
  "mqtt:": () => import("./mqtt/client.ts"),
  "mqtt+ws:": () => import("./mqtt/client.ts"),
  "mqtt+wss:": () => import("./mqtt/client.ts"),
  "mqtts:": () => import("./mqtt/client.ts"),
  "amqp:": () => import("./amqp/client.ts"),
  "amqps:": () => import("./amqp/client.ts"),
  "grpc:": () => import("./grpc/client.ts"),
  "grpcs:": () => import("./grpc/client.ts"),
  "quic:": () => import("./quic/client.ts"),
  "ws:": () => import("./quic/websocket_client.ts"),
  "wss:": () => import("./quic/websocket_client.ts"),
  "dds:": () => import("./dds/client.ts"),
};

/**
 * An address as `serve` prints it.
 * @throws {TypeError} for what no wire reads; its message says what to change.
 */
export function readAddress(text: string): URL {
  const url = URL.parse(text);
  if (url === null) {
    throw new TypeError(`${JSON.stringify(text)} is no URL; copy one that \`serve\` prints`);
  }
  loaderOf(url);
  return url;
}

/** Why this Deno cannot dial an address of this wire, in one sentence; undefined where it can. */
export function refusalOf({ protocol }: URL): string | undefined {
  return protocol === "grpc:" || protocol === "grpcs:" ? grpcRefusal() : undefined;
}

function loaderOf(url: URL): () => Promise<{ readonly dial: Dial }> {
  const load = dialers[url.protocol];
  if (load !== undefined) return load;
  const schemes = Object.keys(dialers).map((scheme) => `${scheme}//`).join(", ");
  throw new TypeError(`Cannot join ${shownUrl(url)}: its scheme must be one of ${schemes}`);
}

/**
 * Where a token travels as it is: encrypted, to the server itself. Elsewhere others may read it, be it a
 * broker, which no address tells from the server's own endpoint, or the network.
 */
const PRIVATE: ReadonlySet<string> = new Set(["quic:", "wss:", "grpcs:"]);

/**
 * Dials whichever wire a URL names; seals what is said there where a token must not be read.
 * @throws {TypeError} for a URL that no wire reads; its message says what to change.
 * @throws {ConnectionLost} when nobody answers.
 */
export async function dialUrl(url: URL, options: DialOptions): Promise<Connection> {
  const { dial } = await loaderOf(url)();
  const { token } = options;
  if (token === undefined || PRIVATE.has(url.protocol)) return await dial(url, options);
  return await dialSealed(url, { ...options, token }, dial);
}
