/** Giving UDP ports back. Deno has no call for it: a closed QuicEndpoint keeps its socket until it is garbage. */

import { setTimeout as after } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/**
 * A closed connection still answers late packets for three probe timeouts (RFC 9000 §10.2): less than
 * 0.2 s nearby. After a handshake that failed it is 3 s, which nobody waits for.
 */
const DRAIN_MS = 1000;
const PAUSE_MS = 10;
/** So often at least: while the thread stands still, no connection drains. */
const LEAST_TRIES = 20;

type Collect = (options: { execution: "async" }) => Promise<void>;

/**
 * Resolves once another socket can be bound to the port of a closed endpoint that nothing refers
 * to. Where V8 does not let itself be asked, the port is free when the Worker has ended.
 */
export async function freed({ hostname, port }: Deno.NetAddr): Promise<void> {
  const deadline = performance.now() + DRAIN_MS;
  for (let tries = 0; tries < LEAST_TRIES || performance.now() < deadline; tries++) {
    if (!await collectGarbage()) return;
    try {
      return Deno.listenDatagram({ transport: "udp", hostname, port }).close();
    } catch (error) {
      // Without the permission for exactly this port nobody here binds it again either.
      if (!(error instanceof Deno.errors.AddrInUse)) return;
    }
    await after(PAUSE_MS); // nothing tells when the last connection has drained
  }
}

/** Closed endpoints that nothing refers to let go of their sockets and buffers. False where V8 refuses. */
export async function collectGarbage(): Promise<boolean> {
  const collect = collector();
  await collect?.({ execution: "async" });
  return collect !== undefined;
}

function collector(): Collect | undefined {
  try {
    setFlagsFromString("--expose-gc");
    return runInNewContext("gc");
  } catch {
    return undefined;
  }
}
