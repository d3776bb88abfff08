/** Whether this Deno can serve gRPC: it stands on the server of node:http2. */

import http2 from "node:http2";

/** Why it cannot, in one sentence; undefined where it can. */
export function grpcRefusal(): string | undefined {
  // The HTTP/2 server that works came to Deno together with this function of Node's.
  if ("performServerHandshake" in http2) return undefined;
  return `gRPC needs a Deno whose node:http2 can serve, such as 2.9.6; this is ${Deno.version.deno}`;
}
