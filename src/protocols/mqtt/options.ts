/** The MQTT endpoint's part of the configuration. */

import * as z from "zod";
import { listeningHostname, listeningPort, socketPermissions } from "../../contract/least.ts";

export const options = z.strictObject({
  hostname: listeningHostname("MQTT"),
  port: listeningPort(1883, "TCP port for MQTT"),
  receiveMaximum: z.int().min(1).max(65535).default(1024)
    .describe(
      "Messages an MQTT 5 client may have sent at QoS 1 or 2 without an acknowledgement yet",
    ),
  connectTimeoutMs: z.int().min(100).max(600_000).default(10_000)
    .describe("Milliseconds in which a new connection has to say MQTT CONNECT"),
});

export type Options = z.infer<typeof options>;

/** The least the Worker needs: its own listening socket. It is given no environment at all. */
export function permissions(own: Options): Deno.PermissionOptionsObject {
  return socketPermissions(own);
}
