/** The QUIC endpoint's part of the configuration. */

import { isIP } from "node:net";
import * as z from "zod";

export const options = z.strictObject({
  hostname: z.string().refine((text) => isIP(text) !== 0, {
    error: "must be an IP address of this machine, or 0.0.0.0 or :: for all of them",
  }).default("127.0.0.1").describe(
    "IP address to listen on for QUIC; 0.0.0.0 or :: for every address of this machine",
  ),
  port: z.int().min(0).max(65535).default(4433)
    .describe("UDP port for raw QUIC and WebTransport; 0 takes any free one"),
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
    "Milliseconds in which a new QUIC connection has to send its first message",
  ),
  maxStreams: z.int().min(4).max(1024).default(16).describe(
    "Streams of each direction that one QUIC client may have open at once",
  ),
}).refine((own) => (own.certificate === "") === (own.key === ""), {
  error: "certificate and key belong together: give both or neither",
});

export type Options = z.infer<typeof options>;

/** The least the Worker needs: its own listening socket. */
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
