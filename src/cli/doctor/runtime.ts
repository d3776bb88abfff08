/** Whether the Deno that the program runs on, or has inside, can do what the settings ask for. */

import type { Config } from "../../config.ts";
import { tlsRefusal } from "../../contract/handshake.ts";
import { grpcRefusal } from "../../protocols/grpc/support.ts";
import { failed, failedAs, type Finding, ok, warning } from "./finding.ts";

const CHECK = "deno";

/** @param mandatory The wires were asked for by name, so a server without one does not start. */
export function checkRuntime(
  { protocols, tls }: Config,
  { mandatory }: { readonly mandatory: boolean },
): Finding {
  const withoutTls = tls.cert === undefined ? undefined : tlsRefusal();
  if (withoutTls !== undefined) return failedAs(CHECK, withoutTls);
  const withoutGrpc = protocols.includes("grpc") ? grpcRefusal() : undefined;
  if (withoutGrpc === undefined) {
    return ok(CHECK, `${Deno.version.deno} can do what these settings ask for`);
  }
  return mandatory
    ? failed(CHECK, withoutGrpc, "leave grpc out of --protocols, or take such a Deno")
    : warning(CHECK, `${withoutGrpc}, so gRPC is left out`, "take such a Deno for that wire");
}
