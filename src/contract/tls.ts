/** TLS (RFC 8446) where a wire is TCP: what a server proves itself with, and its listener. */

/** As text: no Worker reads files. */
export interface Certificate {
  /** PEM: the server's own, then those that vouch for it. */
  readonly certificate: string;
  /** PEM, PKCS #8, without a passphrase. */
  readonly key: string;
}

export interface TlsOptions extends Certificate {
  /** Where nothing else bounds it, a connection has so long for its handshake. */
  readonly handshakeTimeoutMs: number;
}

/** The peer speaks no TLS, does not trust the certificate, or breaks the protocol. */
export class TlsError extends Error {
  override readonly name = "TlsError";
}

/** What a wire needs of a connection: Deno's over TCP, or TLS over that. */
export interface StreamConn {
  readonly remoteAddr: Deno.NetAddr;
  /** Resolves with null at the end of the stream. */
  read(into: Uint8Array<ArrayBuffer>): Promise<number | null>;
  /** Resolves with how many of the bytes were written. */
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  /** At any time, also before a handshake is over. */
  close(): void;
  setNoDelay(noDelay?: boolean): void;
  setKeepAlive(keepAlive?: boolean): void;
}

export interface StreamListener {
  readonly addr: Deno.NetAddr;
  /** As Deno.Listener's: rejects for a peer that is gone already, and once the listener is closed. */
  accept(): Promise<StreamConn>;
  close(): void;
}

/** `mqtt` or `mqtts`. */
export function schemeOf(plain: string, tls: Certificate | undefined): string {
  return tls === undefined ? plain : `${plain}s`;
}
