/** One connection from its beginning to its end: federation name, first message, route. */

import { Verdict } from "../../contract/federation_pb.ts";
import type { Route, Upcalls } from "../../contract/protocol_server.ts";
import type { ServerOptions } from "../../contract/server_options.ts";
import { authority } from "./address.ts";
import { acceptRaw, type Admittance, type Carrier, closeInfo, type Refusal } from "./carrier.ts";
import type { Meter } from "./frames.ts";
import type { Options } from "./options.ts";
import { ClientRoute } from "./route.ts";
import { acceptWebTransport } from "./webtransport.ts";
import { RAW_ALPN } from "./wire.ts";

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

/** A connection that has not named its federation yet. */
export interface Newcomer {
  readonly remote: string;
  admit(admittance: Admittance): Promise<Carrier | Refusal>;
  /** Closes the connection so that the peer hears why. */
  refuse(refusal: Refusal): Promise<void>;
}

/** Serves one QUIC connection; resolves once nothing of it is left. Never rejects. */
export async function serveQuic(incoming: Deno.QuicIncoming, hall: Hall): Promise<void> {
  let conn: Deno.QuicConn;
  try {
    conn = await incoming.accept();
  } catch (error) {
    // Deno tells the address of an accepted connection only.
    const reason = `No QUIC handshake: ${error instanceof Error ? error.message : String(error)}`;
    if (!hall.closing) hall.upcalls.observe({ kind: "refused", remote: "unknown", reason });
    return;
  }
  const accept = conn.protocol === RAW_ALPN ? acceptRaw : acceptWebTransport;
  await serveNewcomer({
    remote: authority(conn.remoteAddr.hostname, conn.remoteAddr.port),
    admit: (admittance) => accept(conn, admittance),
    refuse: (refusal) => Promise.resolve(conn.close(closeInfo(refusal))),
  }, hall);
}

/** Serves one connection; resolves once nothing of it is left. Never rejects. */
export async function serveNewcomer(newcomer: Newcomer, hall: Hall): Promise<void> {
  hall.connections++;
  try {
    await serve(newcomer, hall);
  } finally {
    hall.connections--;
  }
}

async function serve(newcomer: Newcomer, hall: Hall): Promise<void> {
  const { server: { maxConnections, maxMessageBytes, maxUnjudgedBytes }, upcalls, meter } = hall;
  const { remote } = newcomer;
  let refused: Promise<void> | undefined;
  const refuse = (refusal: Refusal) => {
    if (refused === undefined && !hall.closing) {
      upcalls.observe({ kind: "refused", remote, reason: refusal.reason });
      refused = newcomer.refuse(refusal);
    }
    return refused;
  };
  if (hall.connections > maxConnections) {
    const reason = `All ${maxConnections} connections are taken; try again later`;
    return await refuse({ verdict: Verdict.BUSY, reason });
  }
  const { connectTimeoutMs } = hall.own;
  let client: ClientRoute | undefined;
  const end = (verdict: Verdict, reason: string) => {
    if (client === undefined) void refuse({ verdict, reason });
    else client.refuse(verdict, reason);
  };
  const timer = setTimeout(
    () => end(Verdict.MALFORMED, `No message came within ${connectTimeoutMs} ms`),
    connectTimeoutMs,
  );
  const arrived = upcalls.meet?.((reason) => end(Verdict.BUSY, reason));
  try {
    const carrier = await newcomer.admit(admittance(hall));
    if ("verdict" in carrier) return await refuse(carrier);
    const route = hall.newRoute();
    arrived?.becomes(route);
    client = new ClientRoute(carrier, {
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
    arrived?.left();
  }
}

function admittance({ server, own, meter }: Hall): Admittance {
  return {
    federation: server.federation,
    origins: own.origins,
    count: (bytes) => {
      meter.up += bytes;
    },
  };
}
