/** The least a Worker may have, and the address of a socket it listens on. */

import { isIP } from "node:net";
import * as z from "zod";

/** No permission at all; a Worker's house names the one it needs on top. */
export const NOTHING = {
  env: false,
  ffi: false,
  import: false,
  net: false,
  read: false,
  run: false,
  sys: false,
  write: false,
} as const satisfies Deno.PermissionOptionsObject;

/** Its own listening socket, by the address it resolves to: a host name would not be matched. */
export function socketPermissions(
  { hostname, port }: { readonly hostname: string; readonly port: number },
): Deno.PermissionOptionsObject {
  return { ...NOTHING, net: [`${hostOf(hostname)}:${port}`] };
}

/** As a net permission or a URL writes it: IPv6 addresses in brackets. */
export function hostOf(hostname: string): string {
  return isIP(hostname) === 6 ? `[${hostname}]` : hostname;
}

/** The setting for a socket's address. @param what Served there, e.g. "MQTT". */
export function listeningHostname(what: string) {
  return z.string().refine((text) => isIP(text) !== 0, {
    error: "must be an IP address of this machine, or 0.0.0.0 or :: for all of them",
  }).default("127.0.0.1")
    .meta({ takes: "an IP address of this machine, or 0.0.0.0 or :: for all of them" })
    .describe(
      `IP address to listen on for ${what}; 0.0.0.0 or :: for every address of this machine`,
    );
}

/** The setting for a socket's port. */
export function listeningPort(fallback: number, meaning: string) {
  return z.int().min(0).max(65535).default(fallback)
    .describe(`${meaning}; 0 takes any free one`);
}
