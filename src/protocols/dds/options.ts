/** The DDS server's part of the configuration. */

import { isIP } from "node:net";
import * as z from "zod";
import { NOTHING } from "../../contract/least.ts";

/** RTPS 2.5 §9.6.2.3: the ports of a domain's first participant, and the domains there are ports for. */
const FIRST_PORT = 7410;
const PORTS_PER_DOMAIN = 250;
const LAST_DOMAIN = 232;
/** The pair's first. */
const LAST_PORT = 65_534;

export const options = z.strictObject({
  hostname: z.string().refine((text) => isIP(text) === 4 && text !== "0.0.0.0", {
    error: "must be one IPv4 address of this machine; DDS serves one network interface",
  }).default("127.0.0.1").meta({ takes: "an IPv4 address of this machine" })
    .describe("IPv4 address whose network interface serves DDS"),
  domain: z.int().min(0).max(LAST_DOMAIN).default(0).describe("DDS domain of the federation"),
  port: z.int().min(0).max(LAST_PORT).optional().describe(
    "UDP port for DDS discovery, samples take the next; 0 takes any free pair; unset, the " +
      "domain's standard one, 7410 + 250 x domain",
  ),
  peers: z.array(z.string().regex(/^[A-Za-z0-9.-]+(:\d{1,5})?$/)).default([])
    .meta({ takes: "a list of hosts or host:port" })
    .describe("DDS participants to look for beside those that come by themselves"),
  library: z.string().min(1).optional().meta({ takes: "a path" })
    .describe("libddsc of Cyclone DDS 0.10 or 11; unset, it is looked for"),
}).transform((own) => ({ ...own, port: own.port ?? FIRST_PORT + PORTS_PER_DOMAIN * own.domain }));

export type Options = z.infer<typeof options>;

/**
 * The least the Worker needs: libddsc. All of FFI, as reading what C hands out needs it; sockets
 * are libddsc's own. Note that code which may call C may do anything the process may.
 */
export function permissions(_own: Options): Deno.PermissionOptionsObject {
  return { ...NOTHING, ffi: true };
}
