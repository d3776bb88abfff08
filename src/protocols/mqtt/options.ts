/** The MQTT endpoint's part of the configuration. */

import { isIP } from "node:net";
import * as z from "zod";

export const options = z.strictObject({
  hostname: z.string().refine((text) => isIP(text) !== 0, {
    error: "must be an IP address of this machine, or 0.0.0.0 or :: for all of them",
  }).default("127.0.0.1").describe(
    "IP address to listen on for MQTT; 0.0.0.0 or :: for every address of this machine",
  ),
  port: z.int().min(0).max(65535).default(1883)
    .describe("TCP port for MQTT; 0 takes any free one"),
  receiveMaximum: z.int().min(1).max(65535).default(1024)
    .describe(
      "Messages an MQTT 5 client may have sent at QoS 1 or 2 without an acknowledgement yet",
    ),
  connectTimeoutMs: z.int().min(100).max(600_000).default(10_000)
    .describe("Milliseconds in which a new connection has to say MQTT CONNECT"),
});

export type Options = z.infer<typeof options>;

/** The least the Worker needs: its own listening socket. It is given no environment at all. */
export function permissions({ hostname, port }: Options): Deno.PermissionOptionsObject {
  const host = isIP(hostname) === 6 ? `[${hostname}]` : hostname;
  return {
    net: [`${host}:${port}`],
    env: false,
    ffi: false,
    import: false,
    read: false,
    run: false,
    sys: false,
    write: false,
  };
}
