/**
 * HTTP/1.1 over TCP or TLS, its requests and responses as the Fetch Standard has them. On Node's
 * server: Deno's own waits for ever for a TLS handshake, and for the head of a request.
 */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { SecureContext } from "node:tls";
import { contextOf, secured } from "../contract/handshake.ts";
import type { TlsOptions } from "../contract/tls.ts";

/** How long a peer may take for the head of a request, and for all of it. */
const REQUEST_TIMEOUT_MS = 10_000;
/** How long a connection may be idle between two requests. */
const IDLE_MS = 65_000;
/** How often the two are looked at. */
const LOOK_MS = 2000;
const MOST_SOCKETS = 512;

export interface HttpOptions {
  readonly tls: TlsOptions | undefined;
  /** Never rejects. */
  answer(request: Request): Promise<Response>;
  /** A peer was turned away. */
  refused(remote: string, reason: string): void;
}

export class HttpListener {
  readonly #options: HttpOptions;
  readonly #http = createServer({
    headersTimeout: REQUEST_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: IDLE_MS,
    connectionsCheckingInterval: LOOK_MS,
  });
  readonly #sockets = new Set<Socket>();
  readonly #lost = Promise.withResolvers<never>();
  #context: SecureContext | undefined;
  #answering = 0;
  #idle: PromiseWithResolvers<void> | undefined;

  constructor(options: HttpOptions) {
    this.#options = options;
    this.#lost.promise.catch(() => {}); // whoever needs it awaits it
    // Its own listener speaks HTTP on what it is given: a socket, or TLS over it.
    const speak = this.#http.listeners("connection");
    this.#http.removeAllListeners("connection");
    this.#http.on("connection", (socket: Socket) =>
      this.#admit(socket, (spoken) => {
        for (const listener of speak) Reflect.apply(listener, this.#http, [spoken]);
      }));
    this.#http.on("request", (incoming, outgoing) => void this.#serve(incoming, outgoing));
  }

  /** Rejects when the listener is lost. */
  get lost(): Promise<never> {
    return this.#lost.promise;
  }

  /** Rejects with what the system says. */
  async listen(hostname: string, port: number): Promise<{ address: string; port: number }> {
    const { tls } = this.#options;
    if (tls !== undefined) this.#context = contextOf(tls);
    const bound = Promise.withResolvers<void>();
    this.#http.once("error", bound.reject);
    this.#http.listen(port, hostname, bound.resolve);
    await bound.promise;
    this.#http.on("error", this.#lost.reject);
    const address = this.#http.address();
    if (address === null || typeof address === "string") throw new Error("Not a TCP address");
    return address;
  }

  /** Lets nobody in any more, and answers under way leave within a time. */
  async close(limitMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#http.close(() => resolve()));
    if (this.#answering > 0) {
      this.#idle = Promise.withResolvers<void>();
      const timer = setTimeout(this.#idle.resolve, limitMs);
      await this.#idle.promise;
      clearTimeout(timer);
    }
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #admit(socket: Socket, speak: (spoken: Socket) => void): void {
    const remote = `${socket.remoteAddress}:${socket.remotePort}`;
    if (this.#sockets.size >= MOST_SOCKETS) {
      socket.destroy();
      return this.#options.refused(remote, `there are ${MOST_SOCKETS} connections already`);
    }
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    socket.on("error", () => {}); // closed next
    const context = this.#context;
    if (context === undefined) return speak(socket);
    let isOpen = false;
    const spoken = secured(socket, {
      context,
      timeoutMs: this.#options.tls?.handshakeTimeoutMs ?? 0,
      alpn: ["http/1.1"],
      done: () => {
        isOpen = true;
        speak(spoken);
      },
      failed: ({ message }) => {
        if (!isOpen) this.#options.refused(remote, `No TLS: ${message}`);
        isOpen = true; // said once
      },
    });
  }

  async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    this.#answering++;
    try {
      const request = this.#requestOf(incoming);
      const response = request === undefined
        ? new Response("The request has no URL that can be read\n", { status: 400 })
        : await this.#options.answer(request);
      await write(response, outgoing, incoming.method === "HEAD");
    } catch {
      outgoing.destroy(); // the peer is gone, or a file was cut short
    }
    this.#answering--;
    if (this.#answering === 0) this.#idle?.resolve();
  }

  #requestOf({ url = "/", method = "GET", headers }: IncomingMessage): Request | undefined {
    const scheme = this.#context === undefined ? "http" : "https";
    const whole = URL.parse(`${scheme}://${headers.host ?? "localhost"}${url}`);
    if (whole === null || !/^[A-Z]+$/.test(method)) return undefined;
    const fields = new Headers();
    for (const [name, value] of Object.entries(headers)) {
      if (value !== undefined) fields.set(name, Array.isArray(value) ? value.join(", ") : value);
    }
    try {
      return new Request(whole, { method, headers: fields });
    } catch {
      return undefined; // CONNECT, TRACE
    }
  }
}

/**
 * Resolves when all of it has left. By hand: Deno's `stream.pipeline` closes the connection behind
 * each response. Each chunk leaves before the next one, and so the last one before the end: an end
 * behind it would be an empty write, whose callback Deno's TLS sockets lose now and then, and with it
 * every later answer on that connection. @throws when the peer is gone, or the body breaks off.
 */
async function write(
  { status, headers, body }: Response,
  outgoing: ServerResponse,
  headOnly: boolean,
): Promise<void> {
  const closed = Promise.withResolvers<void>();
  outgoing.once("close", closed.resolve);
  outgoing.writeHead(status, Object.fromEntries(headers));
  if (headOnly) await body?.cancel();
  else {
    for await (const chunk of body ?? []) {
      if (outgoing.destroyed) throw new Error("The peer is gone");
      const left = Promise.withResolvers<void>();
      outgoing.write(chunk, () => left.resolve());
      await Promise.race([left.promise, closed.promise]);
    }
  }
  outgoing.end();
  await closed.promise;
}
