/** Binding the UDP port, and the TCP port of the same number. */

import { ListenError } from "../../contract/protocol_server.ts";
import type { StreamListener, TlsOptions } from "../../contract/tls.ts";
import { listenOn } from "../../contract/tls_conn.ts";
import { authority } from "./address.ts";
import { sentence } from "./ending.ts";
import type { Options } from "./options.ts";

export interface Ports {
  readonly endpoint: Deno.QuicEndpoint;
  /** Undefined where no WebSocket is wanted. */
  readonly listener: StreamListener | undefined;
}

/** How often another number is tried, where any will do: a free TCP port may be taken on UDP. */
const MOST_TRIES = 16;

/** @throws {ListenError} when the operator must change something. */
export function bindPorts(own: Options, tls?: TlsOptions): Ports {
  const { hostname, websocket } = own;
  for (let tries = 1;; tries++) {
    // TCP first: unlike a QuicEndpoint, its listener gives the port back as soon as it is closed.
    const listener = websocket ? bindTcp(own, tls) : undefined;
    const { port } = listener?.addr ?? own;
    try {
      return { endpoint: new Deno.QuicEndpoint({ hostname, port }), listener };
    } catch (error) {
      listener?.close();
      const isTaken = error instanceof Deno.errors.AddrInUse;
      if (own.port === 0 && isTaken && tries < MOST_TRIES) continue;
      throw listenError(own, error);
    }
  }
}

function bindTcp(own: Options, tls: TlsOptions | undefined): StreamListener {
  const { hostname, port } = own;
  try {
    return listenOn({ hostname, port }, tls);
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw listenError(own, error);
    throw new ListenError(
      `Cannot listen for WebSocket on ${authority(hostname, port)}: the address is in use; ` +
        "stop the other program, set --quic-port, or do without by --no-quic-websocket",
    );
  }
}

function listenError({ hostname, port }: Options, error: unknown): ListenError {
  if (error instanceof ListenError) return error;
  const where = `Cannot listen for QUIC on ${authority(hostname, port)}`;
  if (error instanceof Deno.errors.AddrInUse) {
    return new ListenError(
      `${where}: the address is in use; stop the other program or set --quic-port`,
    );
  }
  if (error instanceof Deno.errors.AddrNotAvailable) {
    return new ListenError(`${where}: this machine has no such address; set --quic-hostname`);
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return new ListenError(
      `${where}: the system does not allow it; set --quic-port to 1024 or more`,
    );
  }
  return new ListenError(`${where}: ${sentence(error)}`);
}
