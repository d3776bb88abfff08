/** One connection from its handshake to its end: handshake, federation name, first message, route. */

import { Verdict } from "../../contract/federation_pb.ts";
import type { Route, Upcalls } from "../../contract/protocol_server.ts";
import type { ServerOptions } from "../../contract/server_options.ts";
import { authority } from "./address.ts";
import { acceptRaw, type Carrier, type Refusal } from "./carrier.ts";
import type { Meter } from "./frames.ts";
import type { Options } from "./options.ts";
import { ClientRoute } from "./route.ts";
import { acceptWebTransport } from "./webtransport.ts";
import { CLOSE_CODES, RAW_ALPN } from "./wire.ts";

/** What all connections of one server share. */
export interface Hall {
  readonly server: ServerOptions;
  readonly own: Options;
  readonly upcalls: Upcalls;
  readonly meter: Meter;
  readonly routes: Map<number, ClientRoute>;
  /** Connections past their handshake. */
  connections: number;
  /** No new routes, and nothing to report about peers that were still arriving. */
  closing: boolean;
  newRoute(): Route;
}

/** Serves one connection; resolves once nothing of it is left. Never rejects. */
export async function serveConnection(incoming: Deno.QuicIncoming, hall: Hall): Promise<void> {
  let conn: Deno.QuicConn;
  try {
    conn = await incoming.accept();
  } catch (error) {
    // Deno tells the address of an accepted connection only.
    const reason = `No QUIC handshake: ${error instanceof Error ? error.message : String(error)}`;
    if (!hall.closing) hall.upcalls.observe({ kind: "refused", remote: "unknown", reason });
    return;
  }
  hall.connections++;
  try {
    await serveAccepted(conn, hall);
  } finally {
    hall.connections--;
  }
}

async function serveAccepted(conn: Deno.QuicConn, hall: Hall): Promise<void> {
  const { server: { maxConnections, maxMessageBytes, maxUnjudgedBytes }, upcalls, meter } = hall;
  const remote = authority(conn.remoteAddr.hostname, conn.remoteAddr.port);
  let refused = false;
  const refuse = ({ verdict, reason }: Refusal) => {
    if (refused || hall.closing) return;
    refused = true;
    upcalls.observe({ kind: "refused", remote, reason });
    conn.close({ closeCode: CLOSE_CODES[verdict], reason });
  };
  if (hall.connections > maxConnections) {
    const reason = `All ${maxConnections} connections are taken; try again later`;
    return refuse({ verdict: Verdict.BUSY, reason });
  }
  const { connectTimeoutMs } = hall.own;
  let client: ClientRoute | undefined;
  const timer = setTimeout(() => {
    const reason = `No message came within ${connectTimeoutMs} ms`;
    if (client === undefined) refuse({ verdict: Verdict.MALFORMED, reason });
    else client.refuse(Verdict.MALFORMED, reason);
  }, connectTimeoutMs);
  try {
    const carrier = await admit(conn, hall);
    if ("verdict" in carrier) return refuse(carrier);
    const route = hall.newRoute();
    client = new ClientRoute(conn, carrier, {
      route,
      remote,
      maxMessageBytes,
      maxUnjudgedBytes,
      meter,
      upcalls: {
        observe: (event) => upcalls.observe(event),
        deliver: (arrival) => {
          clearTimeout(timer);
          return upcalls.deliver(arrival);
        },
      },
    });
    hall.routes.set(route.id, client);
    upcalls.observe({ kind: "connected", remote });
    const reason = await client.serve();
    hall.routes.delete(route.id);
    upcalls.observe({ kind: "disconnected", remote, reason });
  } finally {
    clearTimeout(timer);
  }
}

/** Waits until the connection has named its federation. */
function admit(conn: Deno.QuicConn, { server, meter }: Hall): Promise<Carrier | Refusal> {
  const accept = conn.protocol === RAW_ALPN ? acceptRaw : acceptWebTransport;
  const count = (bytes: number) => {
    meter.up += bytes;
  };
  return accept(conn, { federation: server.federation, count });
}
