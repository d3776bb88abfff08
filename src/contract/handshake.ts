/** The server's side of a TLS handshake on Node's sockets, with a deadline, and told apart by peer. */

import type { Socket } from "node:net";
import { createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import { ListenError } from "./protocol_server.ts";
import type { TlsOptions } from "./tls.ts";

/** Why this Deno cannot serve TLS over TCP, in one sentence; undefined where it can. */
export function tlsRefusal(): string | undefined {
  // A socket that serves has a certificate to show. That of Deno 2.6 only dials: told to serve, it
  // waits for ever, and HTTP's server passes it by and speaks in the clear.
  if ("getCertificate" in TLSSocket.prototype) return undefined;
  return `TLS over TCP needs a Deno whose node:tls can serve, such as 2.9.6, and this is ` +
    `${Deno.version.deno}; leave --tls-cert out, or take another`;
}

/** @throws {ListenError} where this Deno cannot serve TLS: nobody must take plain text for it. */
export function contextOf({ certificate: cert, key }: TlsOptions): SecureContext {
  const refusal = tlsRefusal();
  if (refusal !== undefined) throw new ListenError(refusal);
  return createSecureContext({ cert, key, minVersion: "TLSv1.2" });
}

export interface HandshakeOptions {
  readonly context: SecureContext;
  readonly timeoutMs: number;
  /** RFC 7301: a client that offers protocols must offer one of these. */
  readonly alpn: readonly string[];
  /** TLS is spoken from now on. */
  done(): void;
  /** TLS, or the socket under it, has failed, and closes: in the handshake or later. */
  failed(error: NodeJS.ErrnoException): void;
}

/**
 * Expects a TLS handshake on a socket. (What `tls.createServer` tells of one that failed does not
 * say whose it was.)
 */
export function secured(raw: Socket, options: HandshakeOptions): TLSSocket {
  const { context, timeoutMs, alpn, done, failed } = options;
  const socket = new TLSSocket(raw, {
    isServer: true,
    secureContext: context,
    ALPNProtocols: [...alpn],
  });
  const late = setTimeout(() => {
    failed(new Error(`it was not over within ${timeoutMs} ms`));
    raw.destroy();
  }, timeoutMs);
  raw.once("close", () => clearTimeout(late));
  socket.on("error", failed);
  socket.once("secure", () => {
    clearTimeout(late);
    // As Deno's own TLS server does, and its HTTP/2 looks: there is nothing left to wait for.
    Object.assign(socket, { secureConnecting: false });
    done();
  });
  return socket;
}
