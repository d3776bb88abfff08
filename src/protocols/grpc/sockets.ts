/** The TCP or TLS sockets under gRPC: who is let in, who is still there, and how many bytes have passed. */

import { createServer, type Server, type Socket } from "node:net";
import type { SecureContext } from "node:tls";
import { contextOf, secured } from "../../contract/handshake.ts";
import { ListenError } from "../../contract/protocol_server.ts";
import type { TlsOptions } from "../../contract/tls.ts";

/** RFC 9113 §3.2: HTTP/2 over TLS. */
const ALPN = ["h2"];

/** Silent for so many heartbeat intervals in a row: lost. */
const SILENT_INTERVALS = 3;

const STRANGE = "It does not speak HTTP/2";

export interface SocketsOptions {
  readonly maxSockets: number;
  readonly heartbeatIntervalMs: number;
  readonly tls?: TlsOptions | undefined;
  /** Speaks HTTP/2 on a new socket. */
  serve(socket: Socket): void;
  /** A peer was turned away, or did not speak HTTP/2. */
  refused(remote: string, reason: string): void;
}

interface Peer {
  readonly socket: Socket;
  /** Its HTTP/2 preface has come. */
  greeted: boolean;
  /** What HTTP/2 is spoken on: the same socket, or TLS over it. */
  spoken: Socket;
  /** It called a method: it does speak gRPC. */
  called: boolean;
  /** Clients' sessions that are open on it. */
  sessions: number;
  heardBytes: number;
  silentIntervals: number;
  /** The connection was reset: no word about what the peer speaks. */
  isReset: boolean;
  /** Why its socket is lost; undefined while it stands, and where the peer closed it. */
  loss: string | undefined;
}

export class Sockets implements AsyncDisposable {
  readonly #options: SocketsOptions;
  readonly #listener: Server;
  readonly #peers = new Map<string, Peer>();
  readonly #lost = Promise.withResolvers<never>();
  readonly #closed = Promise.withResolvers<void>();
  #watch: ReturnType<typeof setInterval> | undefined;
  #listening = false;
  #context: SecureContext | undefined;
  /** Of the sockets that are closed. */
  #past = { up: 0, down: 0 };

  constructor(options: SocketsOptions) {
    this.#options = options;
    this.#listener = createServer({ noDelay: true }, (socket) => this.#admit(socket));
    this.#listener.once("close", this.#closed.resolve);
    this.#lost.promise.catch(() => {}); // whoever needs it awaits it
  }

  /** Rejects when the listener is lost. */
  get lost(): Promise<never> {
    return this.#lost.promise;
  }

  get count(): number {
    return this.#peers.size;
  }

  /** @throws {ListenError} when the operator must change something. */
  async listen(hostname: string, port: number): Promise<{ address: string; port: number }> {
    const { tls } = this.#options;
    if (tls !== undefined) this.#context = contextOf(tls);
    const bound = Promise.withResolvers<void>();
    this.#listener.once("error", bound.reject);
    this.#listener.listen(port, hostname, bound.resolve);
    try {
      await bound.promise;
    } catch (error) {
      throw new ListenError(sentence(error as NodeJS.ErrnoException, hostname, port));
    }
    this.#listening = true;
    this.#listener.on("error", this.#lost.reject);
    this.#watch = setInterval(() => this.#findSilent(), this.#options.heartbeatIntervalMs);
    const address = this.#listener.address();
    if (address === null || typeof address === "string") throw new Error("Not a TCP address");
    return address;
  }

  greeted(remote: string): void {
    const peer = this.#peers.get(remote);
    if (peer !== undefined) peer.greeted = true;
  }

  called(remote: string): void {
    const peer = this.#peers.get(remote);
    if (peer !== undefined) peer.called = true;
  }

  /** A session begins on a socket. Gives back what knows why the socket is lost, and its end. */
  session(remote: string): { readonly loss: () => string | undefined; readonly over: () => void } {
    const peer = this.#peers.get(remote);
    if (peer !== undefined) peer.sessions++;
    return {
      loss: () => peer?.loss,
      over: () => {
        if (peer !== undefined) peer.sessions--;
      },
    };
  }

  /** Bytes since `listen`, as the sockets count them. */
  traffic(): { up: number; down: number } {
    const sum = { ...this.#past };
    for (const { socket, spoken } of this.#peers.values()) {
      sum.up += socket.bytesRead;
      sum.down += spoken.bytesWritten; // under TLS the socket itself counts none
    }
    return sum;
  }

  /** Lets nobody in any more; the port is free at once. */
  refuseMore(): void {
    this.#listener.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#watch);
    this.refuseMore();
    for (const { socket } of this.#peers.values()) socket.destroy();
    if (this.#listening) await this.#closed.promise;
  }

  #admit(socket: Socket): void {
    const remote = `${socket.remoteAddress}:${socket.remotePort}`; // as grpc-js writes it
    if (this.#peers.size >= this.#options.maxSockets && !this.#makeRoom()) {
      socket.destroy();
      this.#options.refused(remote, `There are ${this.#peers.size} connections already`);
      return;
    }
    const peer: Peer = {
      socket,
      greeted: false,
      spoken: socket,
      called: false,
      sessions: 0,
      heardBytes: 0,
      silentIntervals: 0,
      isReset: false,
      loss: undefined,
    };
    this.#peers.set(remote, peer);
    socket.on("error", (error: NodeJS.ErrnoException) => lose(peer, error));
    socket.once("close", () => {
      this.#peers.delete(remote);
      this.#past.up += socket.bytesRead;
      const { spoken } = peer;
      this.#past.down += spoken.bytesWritten;
      const isStrange = !peer.greeted && socket.bytesRead > 0;
      // A peer that cannot read HTTP/2 either resets the connection when it sees it, ...
      const isSecured = this.#context === undefined || spoken !== socket;
      if (peer.isReset && isStrange && isSecured) peer.loss = STRANGE;
      // ... or says what HTTP/2 cannot read, and HTTP/2 hangs up first.
      if (spoken.writableEnded && !spoken.readableEnded) peer.loss ??= STRANGE;
      // One that did call is told of by its calls. Go's clients break HTTP/2 whenever they leave.
      // One that only looks whether the port is open resets the connection.
      const onlyLooked = peer.isReset && !isStrange;
      if (!peer.called && !onlyLooked && peer.loss !== undefined && this.#listener.listening) {
        this.#options.refused(remote, peer.loss);
      }
    });
    if (this.#context === undefined) this.#options.serve(socket);
    else this.#secure(peer, this.#context);
  }

  /** The oldest socket without a session gives its place up. False where there is none. */
  #makeRoom(): boolean {
    for (const peer of this.#peers.values()) {
      if (peer.sessions > 0 || peer.loss !== undefined) continue;
      peer.loss = "Others need its place, and it has no session";
      peer.socket.destroy();
      return true;
    }
    return false;
  }

  #secure(peer: Peer, context: SecureContext): void {
    const spoken = secured(peer.socket, {
      context,
      alpn: ALPN,
      timeoutMs: this.#options.tls?.handshakeTimeoutMs ?? 0,
      done: () => {
        peer.spoken = spoken;
        this.#options.serve(spoken);
      },
      failed: (error) => lose(peer, error, peer.spoken === spoken ? "" : "No TLS: "),
    });
  }

  /** Any byte is life: half a message, a window update, the answer to a ping. */
  #findSilent(): void {
    for (const peer of this.#peers.values()) {
      const { bytesRead } = peer.socket;
      peer.silentIntervals = bytesRead === peer.heardBytes ? peer.silentIntervals + 1 : 0;
      peer.heardBytes = bytesRead;
      if (peer.silentIntervals < SILENT_INTERVALS) continue;
      peer.loss = `Silent for ${SILENT_INTERVALS} heartbeat intervals`;
      peer.socket.destroy();
    }
  }
}

function lose(peer: Peer, { code, message }: NodeJS.ErrnoException, what = ""): void {
  peer.loss ??= what + message;
  peer.isReset = code === "ECONNRESET" || code === "EPIPE";
}

function sentence(error: NodeJS.ErrnoException, hostname: string, port: number): string {
  const what = `Cannot listen for gRPC on ${hostname}:${port}`;
  switch (error.code) {
    case "EADDRINUSE":
      return `${what}: the address is in use; stop the other program or set --grpc-port`;
    case "EACCES":
      return `${what}: this user may not use the port; set --grpc-port to 1024 or more`;
    default:
      // An address of another machine is EINVAL on Deno, EADDRNOTAVAIL on Node.
      return `${what}: this machine does not offer the address (${error.code ?? error.message}); ` +
        "set --grpc-hostname";
  }
}
