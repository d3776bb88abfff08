/** One protocol, as the conformance suite sees it. */

import assert from "node:assert/strict";
import { DEFAULT_PART_BYTES, largestMessageBytes } from "../../src/contract/codec.ts";
import type { Dial } from "../../src/contract/connection.ts";
import type { GuardOptions } from "../../src/contract/guarded_server.ts";
import type { PacingOptions } from "../../src/contract/paced_server.ts";
import type { Address, ProtocolServer } from "../../src/contract/protocol_server.ts";
import type { ServerOptions } from "../../src/contract/server_options.ts";
import type { TimeOfDay } from "../../src/contract/time_of_day.ts";
import type { TlsOptions } from "../../src/contract/tls.ts";
import type { TokenRule } from "../../src/contract/token.ts";

/** One protocol, as its own test presents it. `Own` is its part of the configuration. */
export interface Subject<Own> {
  readonly wire: string;
  /** Of the address to be dialled, where the server has several; else its first one is. */
  readonly scheme?: string;
  /** What its server speaks TLS with. */
  readonly tls?: TlsOptions;
  /** Options for a loopback server: on `port`, or on any free one. */
  own(port?: number): Own;
  make(server: ServerOptions, own: Own): ProtocolServer;
  /** Starts the product's own Worker file with the product's own permissions. */
  spawn(own: Own): Worker;
  readonly dial: Dial;
  /** Why this client reads on while nobody takes what it has read, where it does. */
  readonly readsAhead?: string;
  /** Tokens are required, and `dial` has one for each client. */
  readonly tokens?: TokenRule;
  /** Connections there may be where tokens are required, and how long until they have proven an id. */
  readonly places?: Partial<Pick<GuardOptions, "maxConnections" | "proofTimeoutMs">>;
  /** By which tokens expire; in process alone. */
  readonly time?: TimeOfDay;
  /** A token in Hello is taken, too. */
  readonly takesOpen?: boolean;
  /** The wire's server guards its clients itself. */
  readonly guardsItself?: boolean;
  /** A broker is between clients and server. */
  readonly behindBroker?: boolean;
  /** Sends bytes that are not this protocol to the server, and resolves when they were refused. */
  garbage(url: URL): Promise<void>;
}

/** The first of a server's addresses, or the one of a scheme. */
export function urlOf(addresses: readonly Address[], scheme?: string): string {
  const address = scheme === undefined
    ? addresses[0]
    : addresses.find(({ url }) => url.startsWith(`${scheme}://`));
  assert.ok(address);
  return address.url;
}

export function serverOptions(wire: string, tls?: TlsOptions): ServerOptions {
  return {
    ...(tls !== undefined && { tls }),
    wire,
    federation: "default",
    maxMessageBytes: largestMessageBytes(DEFAULT_PART_BYTES),
    maxUnjudgedBytes: 8 * 1024 * 1024,
    maxConnections: 200,
    heartbeatIntervalMs: 10_000,
  };
}

/** What else its server is told where a subject asks for tokens. */
export function guarded<Own>(
  { tokens, time, takesOpen = false, guardsItself = false, places }: Subject<Own>,
): { server: Pick<ServerOptions, "tokens">; pacing: Pick<PacingOptions, "guard"> } {
  if (tokens === undefined) return { server: {}, pacing: {} };
  const guard = {
    rule: tokens,
    sealedOnly: !takesOpen,
    maxConnections: 200,
    proofTimeoutMs: 600_000,
    ...places,
    ...(time === undefined ? {} : { time }),
  };
  return { server: { tokens }, pacing: guardsItself ? {} : { guard } };
}
