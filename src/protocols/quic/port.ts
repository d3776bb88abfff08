/** Giving UDP ports back. Deno has no call for it: a closed QuicEndpoint keeps its socket until it is garbage. */

import { setTimeout as after } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** A closed connection still answers late packets for three probe timeouts (RFC 9000 §10.2). */
const DRAIN_MS = 5000;
const PAUSE_MS = 10;

type Collect = (options: { execution: "async" }) => Promise<void>;

const collect = collector();

/**
 * Resolves once another socket can be bound to the port of a closed endpoint that nothing refers
 * to. Where V8 does not let itself be asked, the port is free when the Worker has ended.
 */
export async function freed({ hostname, port }: Deno.NetAddr): Promise<void> {
  const deadline = performance.now() + DRAIN_MS;
  for (;;) {
    await collectGarbage();
    if (collect === undefined || performance.now() > deadline) return;
    try {
      return Deno.listenDatagram({ transport: "udp", hostname, port }).close();
    } catch (error) {
      // Without the permission for exactly this port nobody here binds it again either.
      if (!(error instanceof Deno.errors.AddrInUse)) return;
    }
    await after(PAUSE_MS); // nothing tells when the last connection has drained
  }
}

/** Closed endpoints that nothing refers to let go of their sockets and buffers. */
export async function collectGarbage(): Promise<void> {
  await collect?.({ execution: "async" });
}

function collector(): Collect | undefined {
  try {
    setFlagsFromString("--expose-gc");
    return runInNewContext("gc");
  } catch {
    return undefined;
  }
}
