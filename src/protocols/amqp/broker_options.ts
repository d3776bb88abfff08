/** The AMQP broker's part of the configuration: how a server reaches a broker of the operator's. */

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

const MIB = 1024 * 1024;
const PORTS: BrokerPorts = {
  plain: { scheme: "amqp", port: 5672 },
  tls: { scheme: "amqps", port: 5671 },
};
const DEFAULT_VHOST = "/";
/** The account that RabbitMQ makes by itself, and lets in from its own machine only. */
const GUEST = "guest";

/** Where a broker is, and as whom to enter. */
export interface Broker extends BrokerPlace {
  readonly vhost: string;
  readonly username: string;
  readonly password: string;
}

/**
 * Reads `amqp://user:password@host:port/vhost`, or `amqps://` for TLS, as RabbitMQ's URI
 * specification has it.
 * @throws {TypeError} for anything else; its message says what to change, and holds no password.
 */
export function readBroker(text: string): Broker {
  const cannot = "Cannot read the URL of the AMQP broker";
  const url = URL.parse(text);
  const place = placeIn(url, PORTS);
  if (url === null || place === undefined) {
    throw new TypeError(`${cannot}: it must be like ${likeness(PORTS)}`);
  }
  const [, vhost = "", ...rest] = url.pathname.split("/");
  if (rest.length > 0 || url.search !== "" || url.hash !== "") {
    throw new TypeError(
      `${cannot}: only a virtual host may come after the port, with %2F for a slash; the ` +
        "federation's name is --name",
    );
  }
  const isAnonymous = url.username === "" && url.password === "";
  return {
    ...place,
    vhost: vhost === "" ? DEFAULT_VHOST : decoded(vhost),
    username: isAnonymous ? GUEST : decoded(url.username),
    password: isAnonymous ? GUEST : decoded(url.password),
  };
}

/**
 * The URL by which clients reach a federation through a broker. It holds nobody's password but that
 * of the account which every RabbitMQ has: clients put their own user into it.
 */
export function addressAt(broker: Broker, federation: string): string {
  const isGuest = broker.username === GUEST && broker.password === GUEST;
  const user = isGuest ? `${GUEST}:${GUEST}@` : "";
  const query = broker.vhost === DEFAULT_VHOST ? "" : `?vhost=${encodeURIComponent(broker.vhost)}`;
  return `${schemeOf(broker)}://${user}${placeOf(broker)}/${
    encodeURIComponent(federation)
  }${query}`;
}

export function schemeOf({ isTls }: Broker): "amqp" | "amqps" {
  return isTls ? "amqps" : "amqp";
}

export const options = z.strictObject({
  url: z.string().refine(isReadable(readBroker)).optional()
    .meta({
      flag: "amqp-broker",
      takes: "a URL like amqp://user:password@host:5672/vhost, amqps:// for TLS, without a user " +
        "guest:guest",
      secret: true,
    })
    .describe("A broker of one's own, such as RabbitMQ, through which clients may join too"),
  ca: z.string().min(1).optional().meta({ takes: "a path" }).describe(
    "File with the PEM certificate of the authority that vouches for the AMQP broker, where that " +
      "is no public one",
  ),
  connectTimeoutMs: z.int().min(100).max(600_000).default(10_000)
    .describe("Milliseconds in which the AMQP broker has to answer"),
  heartbeatS: z.int().min(1).max(3600).default(10)
    .describe("Seconds between heartbeats with the AMQP broker; silent for two, it is lost"),
  maxUnreadBytes: z.int().min(MIB).default(16 * MIB)
    .describe(
      "Bytes of models the AMQP broker is given for a client that does not acknowledge them",
    ),
});

export type Options = z.infer<typeof options>;

/** The least the Worker needs. */
export function permissions({ url }: Options): Deno.PermissionOptionsObject {
  return diallingPermissions(url === undefined ? undefined : readBroker(url));
}
