/** The QUIC endpoint's part of the configuration. */

import * as z from "zod";
import {
  hostOf,
  listeningHostname,
  listeningPort,
  NOTHING,
  socketPermissions,
} from "../../contract/least.ts";
import { allowedOrigins } from "../../websocket/origins.ts";

export const options = z.strictObject({
  hostname: listeningHostname("QUIC"),
  port: listeningPort(4433, "UDP port for raw QUIC and WebTransport, and TCP port for WebSocket"),
  websocket: z.boolean().default(true).describe(
    "Serve WebSocket on the TCP port with QUIC's number, for networks and browsers without QUIC",
  ),
  origins: allowedOrigins().describe(
    "Web pages that may join, beside those of this machine and of this server's IP address",
  ),
  // The main thread puts the files' text in the place of their paths: the Worker reads no files.
  certificate: z.string().default("").meta({ takes: "a path" }).describe(
    "File with the certificate chain in PEM, the server's own first; empty makes a self-signed one",
  ),
  key: z.string().default("").meta({ takes: "a path" }).describe(
    "File with the certificate's private key in PEM (PKCS #8)",
  ),
  certificateDays: z.int().min(1).max(365).default(14).describe(
    "Days a self-signed certificate is valid; browsers take at most 14",
  ),
  connectTimeoutMs: z.int().min(100).max(600_000).default(10_000).describe(
    "Milliseconds in which a new QUIC or WebSocket connection has to send its first message",
  ),
  maxStreams: z.int().min(4).max(1024).default(16).describe(
    "Streams of each direction that one QUIC client may have open at once",
  ),
}).refine((own) => (own.certificate === "") === (own.key === ""), {
  error: "give both --quic-certificate and --quic-key, or neither",
});

export type Options = z.infer<typeof options>;

/** The least the Worker needs: its own listening sockets. */
export function permissions({ hostname, port }: Options): Deno.PermissionOptionsObject {
  // Which number the UDP and the TCP port will share is not known before one of them is bound.
  if (port === 0) return { ...NOTHING, net: [hostOf(hostname)] };
  return socketPermissions({ hostname, port });
}
