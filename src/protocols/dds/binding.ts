/** Finds a server its UDP ports and makes its domain there. */

import { ListenError } from "../../contract/protocol_server.ts";
import type { ServerOptions } from "../../contract/server_options.ts";
import { domainOf, evict } from "./claim.ts";
import { type Cyclone, openCyclone } from "./cyclone.ts";
import { Domain } from "./domain.ts";
import { findLibrary, LIBRARY_ADVICE, LibraryError } from "./library.ts";
import type { Options } from "./options.ts";
import { PortPair } from "./port.ts";
import { maxSampleBytes } from "./wire.ts";

export interface Binding {
  readonly cyclone: Cyclone;
  readonly domain: Domain;
  readonly port: number;
}

/** Clients lose a dead server after three heartbeats, but neither in a hurry nor after ages. */
const LEAST_LEASE_MS = 3000;
const MOST_LEASE_MS = 10_000;

/** Where ports cannot be asked for: IANA's ephemeral ones, by chance, so many times. */
const EPHEMERAL = { first: 49_152, pairs: 8191 };
const ATTEMPTS = 10;

/** @throws {ListenError} when the operator must change something. */
export async function bind(server: ServerOptions, own: Options): Promise<Binding> {
  const library = own.library ?? findLibrary();
  if (library === undefined) throw new ListenError(`DDS needs libddsc: ${LIBRARY_ADVICE}`);
  const cyclone = open(library);
  const pair = PortPair.of(cyclone);
  if (pair?.isLocal(own.hostname) === false) {
    throw refusal(own, "this machine has no such address; set --dds-hostname");
  }
  for (let attempt = 1;; attempt++) {
    const port = own.port !== 0 ? own.port : pair?.free() ?? ephemeral();
    const domain = await tryBind(cyclone, pair, port, { server, own });
    if (domain !== undefined) {
      pair?.keepFromChildren(port);
      return { cyclone, domain, port };
    }
    if (own.port !== 0 || attempt === ATTEMPTS) {
      throw refusal(
        own,
        "the port or the one after it is in use; stop the other program or set --dds-port",
      );
    }
  }
}

function open(library: string): Cyclone {
  try {
    return openCyclone(library);
  } catch (error) {
    if (error instanceof LibraryError) throw new ListenError(`${error.message}; ${LIBRARY_ADVICE}`);
    throw error;
  }
}

/** Undefined where the pair of ports is not to be had. */
async function tryBind(
  cyclone: Cyclone,
  pair: PortPair | undefined,
  port: number,
  { server, own }: { server: ServerOptions; own: Options },
): Promise<Domain | undefined> {
  if (!await evict(cyclone, port)) return undefined;
  if (pair?.isFree(port) === false) return undefined;
  const leaseMs = Math.min(Math.max(3 * server.heartbeatIntervalMs, LEAST_LEASE_MS), MOST_LEASE_MS);
  try {
    return Domain.create(cyclone, domainOf(port), {
      number: own.domain,
      networkInterface: own.hostname,
      port,
      peers: own.peers,
      leaseMs,
      // Room to hear, and to refuse with a reason, what is not too much too large.
      maxSampleBytes: 2 * maxSampleBytes(server.maxMessageBytes),
    });
  } catch {
    return undefined; // taken at this moment: Cyclone gives no other reason
  }
}

function refusal({ hostname, port }: Options, advice: string): ListenError {
  return new ListenError(`Cannot listen for DDS on ${hostname}:${port}: ${advice}`);
}

function ephemeral(): number {
  return EPHEMERAL.first + 2 * Math.floor(Math.random() * EPHEMERAL.pairs);
}
