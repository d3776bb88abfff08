/** The MQTT broker's part of the configuration: how a server reaches a broker of the operator's. */

import * as z from "zod";
import {
  type BrokerPlace,
  type BrokerPorts,
  decoded,
  diallingPermissions,
  isReadable,
  likeness,
  placeIn,
  placeOf,
} from "../../contract/broker_place.ts";
import type { Level } from "./wire.ts";

const MIB = 1024 * 1024;
const PORTS: BrokerPorts = {
  plain: { scheme: "mqtt", port: 1883 },
  tls: { scheme: "mqtts", port: 8883 },
};

/** Where a broker is, and as whom to enter. */
export interface Broker extends BrokerPlace {
  readonly username: string | undefined;
  readonly password: string | undefined;
}

/**
 * Reads `mqtt://user:password@host:port`, or `mqtts://` for TLS.
 * @throws {TypeError} for anything else; its message says what to change, and holds no password.
 */
export function readBroker(text: string): Broker {
  const cannot = "Cannot read the URL of the MQTT broker";
  const url = URL.parse(text);
  const place = placeIn(url, PORTS);
  if (url === null || place === undefined) {
    throw new TypeError(`${cannot}: it must be like ${likeness(PORTS)}`);
  }
  if (!["", "/"].includes(url.pathname) || url.search !== "" || url.hash !== "") {
    throw new TypeError(
      `${cannot}: nothing may come after the port; the federation's name is --name`,
    );
  }
  return {
    ...place,
    username: url.username === "" ? undefined : decoded(url.username),
    password: url.password === "" ? undefined : decoded(url.password),
  };
}

/** The URL by which clients reach a federation through a broker; they put their own user into it. */
export function addressAt(broker: Broker, federation: string, level: Level): string {
  const scheme = broker.isTls ? "mqtts" : "mqtt";
  const query = level === 4 ? "?v=4" : "";
  return `${scheme}://${placeOf(broker)}/${encodeURIComponent(federation)}${query}`;
}

export const options = z.strictObject({
  url: z.string().refine(isReadable(readBroker)).optional()
    .meta({
      flag: "mqtt-broker",
      takes:
        "a URL like mqtt://user:password@host:1883, mqtts:// for TLS, user and password if the " +
        "broker wants them",
      secret: true,
    })
    .describe(
      "A broker of one's own, such as Mosquitto or EMQX, through which clients may join too",
    ),
  ca: z.string().min(1).optional().meta({ takes: "a path" }).describe(
    "File with the PEM certificate of the authority that vouches for the MQTT broker, where that " +
      "is no public one",
  ),
  connectTimeoutMs: z.int().min(100).max(600_000).default(10_000)
    .describe("Milliseconds in which the MQTT broker has to answer"),
  keepAliveS: z.int().min(1).max(3600).default(15)
    .describe("Seconds without a packet after which the MQTT broker is asked for a sign of life"),
  maxUnreadBytes: z.int().min(MIB).default(16 * MIB)
    .describe(
      "Bytes of models the MQTT broker is given for a client that does not acknowledge them",
    ),
});

export type Options = z.infer<typeof options>;

/** The least the Worker needs. */
export function permissions({ url }: Options): Deno.PermissionOptionsObject {
  return diallingPermissions(url === undefined ? undefined : readBroker(url));
}
