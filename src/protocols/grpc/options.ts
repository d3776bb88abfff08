/** The gRPC server's part of the configuration. */

import * as z from "zod";
import { listeningHostname, listeningPort, socketPermissions } from "../../contract/least.ts";

export const options = z.strictObject({
  hostname: listeningHostname("gRPC"),
  port: listeningPort(50051, "TCP port for gRPC"),
  // RFC 9113 §6.9.1: a window is at most 2^31-1. Below 64 KiB HTTP/2's own default would be larger.
  streamWindowBytes: z.int().min(65_535).max(2 ** 31 - 1).default(4 * 1024 * 1024).describe(
    "Bytes a gRPC client may send ahead of what is read; on a network with a round-trip time t " +
      "its upload is no faster than this divided by t",
  ),
});

export type Options = z.infer<typeof options>;

/** The least the Worker needs: its own listening socket. It is given no environment at all. */
export function permissions(own: Options): Deno.PermissionOptionsObject {
  return socketPermissions(own);
}
