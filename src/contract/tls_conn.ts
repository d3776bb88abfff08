/**
 * A server's TLS connection that is read only as far as somebody takes what was read, and that can be
 * closed at any time. Deno's own TLS sockets stay open until their handshake is over, so for ever
 * with a peer that says nothing; Node's read on and keep what nobody takes. Here TLS is Node's, and
 * the socket under it is read and written by hand.
 */

import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import { type SecureContext, TLSSocket } from "node:tls";
import { contextOf } from "./handshake.ts";
import { type StreamConn, type StreamListener, TlsError, type TlsOptions } from "./tls.ts";

/** Read, and not yet taken: beyond it the socket is not read. A record has at most 16 KiB. */
const AHEAD_BYTES = 128 * 1024;
const CHUNK_BYTES = 64 * 1024;

/**
 * Listens for TCP, or for TLS over it where there is a certificate. The handshake is part of the
 * first read or write; one that fails makes it fail.
 */
export function listenOn(
  { hostname, port }: { readonly hostname: string; readonly port: number },
  tls: TlsOptions | undefined,
): StreamListener {
  if (tls === undefined) return Deno.listen({ hostname, port });
  const context = contextOf(tls);
  const listener = Deno.listen({ hostname, port });
  return {
    addr: listener.addr,
    accept: async () => new TlsServerConn(await listener.accept(), context),
    close: () => listener.close(),
  };
}

export class TlsServerConn implements StreamConn {
  readonly #tcp: Deno.TcpConn;
  readonly #tls: TLSSocket;
  readonly #ahead: Uint8Array[] = [];
  #aheadBytes = 0;
  #taken = Promise.withResolvers<void>();
  #come = Promise.withResolvers<void>();
  #failure: Error | undefined;
  /** Why nothing can be written any more. */
  #unwritable: Error | undefined;
  #isEnded = false;
  #isClosed = false;

  constructor(tcp: Deno.TcpConn, context: SecureContext) {
    this.#tcp = tcp;
    const pipe: Duplex = new Duplex({
      read: () => {},
      write: (bytes: Uint8Array, _encoding, done) => {
        void this.#send(bytes).then(() => done());
      },
      writev: (pieces, done) => {
        void this.#send(Buffer.concat(pieces.map(({ chunk }) => chunk))).then(() => done());
      },
      final: (done) => {
        tcp.closeWrite().then(() => done(), done);
      },
    });
    this.#tls = new TLSSocket(pipe, { isServer: true, secureContext: context });
    this.#tls.on("data", (bytes: Uint8Array) => {
      this.#ahead.push(bytes);
      this.#aheadBytes += bytes.length;
      this.#come.resolve();
    });
    this.#tls.on("end", () => this.#end());
    this.#tls.on("close", () => this.#end());
    this.#tls.on("error", (error) => {
      this.#end(new TlsError(`No TLS: ${error.message}`, { cause: error }));
    });
    pipe.on("error", (error) => this.#end(error));
    void this.#pump(pipe);
  }

  get remoteAddr(): Deno.NetAddr {
    return this.#tcp.remoteAddr;
  }

  setNoDelay(noDelay?: boolean): void {
    this.#tcp.setNoDelay(noDelay);
  }

  setKeepAlive(keepAlive?: boolean): void {
    this.#tcp.setKeepAlive(keepAlive);
  }

  /** As Deno.Conn's. Rejects with what TLS finds wrong, in the handshake and afterwards. */
  async read(into: Uint8Array<ArrayBuffer>): Promise<number | null> {
    for (;;) {
      const [first] = this.#ahead;
      if (first !== undefined) return this.#take(first, into);
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#isEnded) return null;
      await this.#come.promise;
      this.#come = Promise.withResolvers();
    }
  }

  /** Resolves once the system has taken all of it. */
  async write(bytes: Uint8Array): Promise<number> {
    if (this.#isClosed) throw new Deno.errors.BadResource("The connection is closed");
    const written = Promise.withResolvers<void>();
    const over = () => written.reject(this.#failure ?? new Error("The connection is over"));
    this.#tls.once("close", over);
    this.#tls.write(bytes, (error) => error ? written.reject(error) : written.resolve());
    try {
      await written.promise;
    } finally {
      this.#tls.off("close", over);
    }
    if (this.#unwritable !== undefined) throw this.#unwritable;
    return bytes.length;
  }

  /** Says close_notify and ends this half of the connection. */
  async closeWrite(): Promise<void> {
    const ended = Promise.withResolvers<void>();
    this.#tls.once("close", ended.resolve);
    this.#tls.end(ended.resolve);
    await ended.promise;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#tcp.close();
    this.#tls.destroy();
    this.#end();
  }

  #take(first: Uint8Array, into: Uint8Array): number {
    const part = first.subarray(0, into.length);
    into.set(part);
    if (part.length === first.length) this.#ahead.shift();
    else this.#ahead[0] = first.subarray(part.length);
    this.#aheadBytes -= part.length;
    this.#taken.resolve();
    return part.length;
  }

  #end(error?: Error): void {
    if (error !== undefined && !this.#isEnded) this.#failure ??= error;
    this.#isEnded = true;
    this.#come.resolve();
    this.#taken.resolve();
  }

  /** Feeds TLS with what comes, unless enough lies here. */
  async #pump(pipe: Duplex): Promise<void> {
    try {
      while (!this.#isEnded) {
        while (this.#aheadBytes >= AHEAD_BYTES && !this.#isEnded) {
          this.#taken = Promise.withResolvers();
          await this.#taken.promise;
        }
        const chunk = new Uint8Array(CHUNK_BYTES);
        const count = await this.#tcp.read(chunk);
        if (count === null) break;
        pipe.push(chunk.subarray(0, count));
      }
      pipe.push(null);
    } catch (error) {
      this.#end(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Ends nothing when it fails: what the peer said before it went is still to be read. */
  async #send(bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length;) at += await this.#tcp.write(bytes.subarray(at));
    } catch (error) {
      this.#unwritable ??= error instanceof Error ? error : new Error(String(error));
    }
  }
}
