/** The status page's part of the configuration. */

import * as z from "zod";
import { listeningHostname, listeningPort, socketPermissions } from "../contract/least.ts";
import type { TlsOptions } from "../contract/tls.ts";

export const options = z.strictObject({
  enabled: z.boolean().default(true).meta({ flag: "web" })
    .describe("Serve the status page, health and metrics over HTTP"),
  hostname: listeningHostname("HTTP"),
  port: listeningPort(8080, "TCP port for HTTP"),
});

export type Options = z.output<typeof options>;

/** What the listener is told. */
export interface ListenerOptions extends Options {
  /** With it, HTTP is HTTPS. */
  readonly tls?: TlsOptions | undefined;
}

/** What the listener's Worker may do: listen on its own port, read what it serves, and nothing else. */
export function permissions(
  own: Options,
  served: readonly string[] = [],
): Deno.PermissionOptionsObject {
  const permissions = socketPermissions(own);
  return served.length === 0 ? permissions : { ...permissions, read: [...served] };
}
