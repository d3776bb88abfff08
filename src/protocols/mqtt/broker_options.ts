/** The MQTT broker's part of the configuration: how a server reaches a broker of the operator's. */

import * as z from "zod";
import {
  type BrokerPlace,
  decoded,
  diallingPermissions,
  isReadable,
  placeIn,
} from "../../contract/broker_place.ts";

const MIB = 1024 * 1024;
const DEFAULT_PORT = 1883;

/** Where a broker is, and as whom to enter. */
export interface Broker extends BrokerPlace {
  readonly username: string | undefined;
  readonly password: string | undefined;
}

/**
 * Reads `mqtt://user:password@host:port`.
 * @throws {TypeError} for anything else; its message says what to change, and holds no password.
 */
export function readBroker(text: string): Broker {
  const cannot = "Cannot read the URL of the MQTT broker";
  const url = URL.parse(text);
  if (url === null || url.protocol !== "mqtt:" || url.hostname === "") {
    throw new TypeError(`${cannot}: it must be like mqtt://host:${DEFAULT_PORT}`);
  }
  if (!["", "/"].includes(url.pathname) || url.search !== "" || url.hash !== "") {
    throw new TypeError(
      `${cannot}: nothing may come after the port; the federation's name is --name`,
    );
  }
  return {
    ...placeIn(url, DEFAULT_PORT),
    username: url.username === "" ? undefined : decoded(url.username),
    password: url.password === "" ? undefined : decoded(url.password),
  };
}

export const options = z.strictObject({
  url: z.string().refine(isReadable(readBroker)).optional()
    .meta({
      flag: "mqtt-broker",
      takes:
        "a URL like mqtt://user:password@host:1883, user and password if the broker wants them",
      secret: true,
    })
    .describe(
      "A broker of one's own, such as Mosquitto or EMQX, through which clients may join too",
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
