/** What every protocol server is told, whatever its wire. */

import type { WireName } from "./protocol_server.ts";
import type { TlsOptions } from "./tls.ts";
import type { TokenRule } from "./token.ts";

export interface ServerOptions {
  readonly wire: WireName;
  /** The federation name that addresses carry. */
  readonly federation: string;
  /** Largest serialized message taken from a client; a larger one is refused, not buffered. */
  readonly maxMessageBytes: number;
  /** Bytes delivered and not yet judged, per connection: beyond it the socket is not read. */
  readonly maxUnjudgedBytes: number;
  readonly maxConnections: number;
  /** From Welcome: a silent connection is detached after three of them where the wire can tell. */
  readonly heartbeatIntervalMs: number;
  /** What its TCP sockets speak TLS with; without it they do not. */
  readonly tls?: TlsOptions;
  /** Tokens are required, so that a client is nobody before its Hello was judged. */
  readonly tokens?: TokenRule;
}

/** What crosses to a protocol's Worker at its start. `Own` is the protocol's part of the configuration. */
export interface StartOptions<Own> {
  readonly server: ServerOptions;
  readonly own: Own;
}
