/** The sockets that a server of this configuration listens on. */

import { type Config, fields } from "../../config.ts";

export interface Listener {
  /** For people: `mqtt`, `mqtt websocket`. */
  readonly name: string;
  readonly transport: "tcp" | "udp";
  readonly hostname: string;
  /** 0 takes any free one. */
  readonly port: number;
  /** Addresses by which it is to be reached; undefined: by `hostname`. */
  readonly reachedAt?: readonly string[];
  /** The flags that choose port and address. */
  readonly portFlag: string;
  readonly hostnameFlag: string;
}

export function listenersOf(config: Config): Listener[] {
  const { mqtt, amqp, grpc, quic, dds, web } = config;
  const byWire: Readonly<Record<Config["protocols"][number], () => Listener[]>> = {
    mqtt: () => [
      listener("mqtt", "tcp", mqtt),
      ...(mqtt.websocketPort === undefined ? [] : [{
        ...listener("mqtt", "tcp", { hostname: mqtt.hostname, port: mqtt.websocketPort }),
        name: "mqtt websocket",
        portFlag: flagOf("mqtt.websocket_port"),
      }]),
    ],
    amqp: () => [listener("amqp", "tcp", amqp)],
    grpc: () => [listener("grpc", "tcp", grpc)],
    quic: () => [
      listener("quic", "udp", quic),
      ...(quic.websocket ? [{ ...listener("quic", "tcp", quic), name: "quic websocket" }] : []),
    ],
    dds: () => [
      ddsListener(dds.hostname, { name: "dds discovery", port: dds.port }),
      ...(dds.port === 0
        ? []
        : [ddsListener(dds.hostname, { name: "dds samples", port: dds.port + 1 })]),
    ],
  };
  return [
    ...config.protocols.flatMap((wire) => byWire[wire]()),
    ...(web.enabled ? [listener("web", "tcp", web)] : []),
  ];
}

function listener(
  section: string,
  transport: "tcp" | "udp",
  { hostname, port }: { readonly hostname: string; readonly port: number },
): Listener {
  return {
    name: section,
    transport,
    hostname,
    port,
    portFlag: flagOf(`${section}.port`),
    hostnameFlag: flagOf(`${section}.hostname`),
  };
}

/** Cyclone DDS receives on all addresses, whichever one it serves. */
function ddsListener(served: string, of: { name: string; port: number }): Listener {
  const everywhere = { hostname: "0.0.0.0", port: of.port };
  return { ...listener("dds", "udp", everywhere), name: of.name, reachedAt: [served] };
}

/** @throws {RangeError} for a setting that there is none of. */
function flagOf(key: string): string {
  const field = fields.find((each) => each.key === key);
  if (field === undefined) throw new RangeError(`Cannot find the setting ${key}: there is none`);
  return `--${field.flag}`;
}
