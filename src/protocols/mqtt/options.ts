/** The MQTT endpoint's part of the configuration. */

import * as z from "zod";
import {
  hostOf,
  listeningHostname,
  listeningPort,
  socketPermissions,
} from "../../contract/least.ts";
import { allowedOrigins } from "../../websocket/origins.ts";

export const options = z.strictObject({
  hostname: listeningHostname("MQTT"),
  port: listeningPort(1883, "TCP port for MQTT"),
  // Unlike QUIC's WebSocket it needs a number of its own, which no standard names and which every
  // further server on the machine would want too: whoever has such clients chooses it.
  websocketPort: z.int().min(0).max(65535).optional().describe(
    "TCP port for MQTT over WebSocket; 0 takes any free one; unset, it is not served",
  ),
  origins: allowedOrigins().describe(
    "Web pages that may join by WebSocket, beside those of this machine and of this server's IP " +
      "address",
  ),
  receiveMaximum: z.int().min(1).max(65535).default(1024)
    .describe(
      "Messages an MQTT 5 client may have sent at QoS 1 or 2 without an acknowledgement yet",
    ),
  connectTimeoutMs: z.int().min(100).max(600_000).default(10_000)
    .describe("Milliseconds in which a new connection has to say MQTT CONNECT"),
});

export type Options = z.infer<typeof options>;

/** The least the Worker needs: its own listening sockets. It is given no environment at all. */
export function permissions(own: Options): Deno.PermissionOptionsObject {
  const { hostname, port, websocketPort } = own;
  const ports = websocketPort === undefined ? [port] : [port, websocketPort];
  return {
    ...socketPermissions(own),
    net: [...new Set(ports)].map((each) => `${hostOf(hostname)}:${each}`),
  };
}
