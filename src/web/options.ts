/** The status page's part of the configuration. */

import { isIP } from "node:net";
import * as z from "zod";

export const options = z.strictObject({
  enabled: z.boolean().default(true).meta({ flag: "web" })
    .describe("Serve the status page, health and metrics over HTTP"),
  hostname: z.string().refine((text) => isIP(text) !== 0).default("127.0.0.1")
    .meta({ takes: "an IP address of this machine, or 0.0.0.0 or :: for all of them" })
    .describe("IP address to listen on for HTTP"),
  port: z.int().min(0).max(65535).default(8080)
    .describe("TCP port for HTTP; 0 takes any free one"),
});

export type Options = z.output<typeof options>;

/** What the listener's Worker may do: listen on its own port, and nothing else. */
export function permissions(own: Options): Deno.PermissionOptionsObject {
  return {
    net: [`${isIP(own.hostname) === 6 ? `[${own.hostname}]` : own.hostname}:${own.port}`],
    env: false,
    ffi: false,
    import: false,
    read: false,
    run: false,
    sys: false,
    write: false,
  };
}
