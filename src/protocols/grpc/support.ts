/** Whether this Deno can speak gRPC: that stands on node:http2. */

import http2 from "node:http2";

/** Why it cannot, in one sentence; undefined where it can. */
export function grpcRefusal(): string | undefined {
  // HTTP/2 that works, on both sides, came to Deno together with this function of Node's.
  if ("performServerHandshake" in http2) return undefined;
  return `gRPC needs a Deno whose node:http2 works, such as 2.9.6; this is ${Deno.version.deno}`;
}
