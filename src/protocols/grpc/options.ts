/** The gRPC server's part of the configuration. */

import { isIP } from "node:net";
import * as z from "zod";

export const options = z.strictObject({
  hostname: z.string().refine((text) => isIP(text) !== 0, {
    error: "must be an IP address of this machine, or 0.0.0.0 or :: for all of them",
  }).default("127.0.0.1").describe(
    "IP address to listen on for gRPC; 0.0.0.0 or :: for every address of this machine",
  ),
  port: z.int().min(0).max(65535).default(50051)
    .describe("TCP port for gRPC; 0 takes any free one"),
  // RFC 9113 §6.9.1: a window is at most 2^31-1. Below 64 KiB HTTP/2's own default would be larger.
  streamWindowBytes: z.int().min(65_535).max(2 ** 31 - 1).default(4 * 1024 * 1024).describe(
    "Bytes a gRPC client may send ahead of what is read; on a network with a round-trip time t " +
      "its upload is no faster than this divided by t",
  ),
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
