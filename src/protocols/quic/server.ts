/**
 * Tributary over QUIC (RFC 9000): raw connections and WebTransport sessions on one UDP port, and
 * WebSockets on the TCP port of the same number.
 */

import type { ServerMessage } from "../../contract/federation_pb.ts";
import {
  type Address,
  ListenError,
  type ProtocolServer,
  type Route,
  type SendOutcome,
  type Traffic,
  type Upcalls,
} from "../../contract/protocol_server.ts";
import type { ServerOptions } from "../../contract/server_options.ts";
import type { StreamConn, StreamListener } from "../../contract/tls.ts";
import { urlOf } from "./address.ts";
import { type Identity, identityOf } from "./certificate.ts";
import { type Hall, serveNewcomer, serveQuic } from "./connection.ts";
import { sentence } from "./ending.ts";
import { bindPorts, type Ports } from "./listening.ts";
import type { Options } from "./options.ts";
import { freed } from "./port.ts";
import type { ClientRoute } from "./route.ts";
import { WebSocketNewcomer } from "./websocket.ts";
import { CLOSE_NO_ERROR, HTTP3_ALPN, liveness, RAW_ALPN } from "./wire.ts";

export class QuicServer implements ProtocolServer {
  readonly #server: ServerOptions;
  readonly #own: Options;
  readonly #routes = new Map<number, ClientRoute>();
  readonly #meter = { up: 0, down: 0 };
  readonly #closed = Promise.withResolvers<void>();
  /** Connections at any stage, and routes that take their leave. */
  readonly #serving = new Set<Promise<void>>();
  /** WebSockets that have not named their federation yet are closed with the server. */
  readonly #newcomers = new Set<WebSocketNewcomer>();
  #hall: Hall | undefined;
  #ports: Ports | undefined;
  #nextId = 1;
  #disposing: Promise<void> | undefined;

  constructor(server: ServerOptions, own: Options) {
    this.#server = server;
    this.#own = own;
    this.#closed.promise.catch(() => {}); // nobody may need it
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  async listen(upcalls: Upcalls): Promise<readonly Address[]> {
    const identity = await this.#identity();
    const { endpoint, listener } = this.#ports = bindPorts(this.#own, this.#server.tls);
    const quic = this.#listen(this.#ports, identity);
    const hall: Hall = {
      server: this.#server,
      own: this.#own,
      upcalls,
      meter: this.#meter,
      routes: this.#routes,
      connections: 0,
      closing: false,
      newRoute: () => ({ wire: this.#server.wire, id: this.#nextId++ }),
    };
    this.#hall = hall;
    this.#track(this.#accept(quic, hall));
    if (listener !== undefined) this.#track(this.#acceptTcp(listener, hall));
    const { federation, wire } = this.#server;
    const { hostname } = this.#own;
    const { port } = endpoint.addr;
    return [{ wire, url: urlOf({ hostname, port, federation, hash: identity.hash }) }];
  }

  async send(
    route: Route,
    message: ServerMessage,
    { signal }: { signal: AbortSignal },
  ): Promise<SendOutcome> {
    if (signal.aborted) return "stalled";
    return await this.#routes.get(route.id)?.send(message, signal) ?? "gone";
  }

  drop(route: Route, reason: string): void {
    const client = this.#routes.get(route.id);
    if (client !== undefined) this.#track(client.leave(reason));
  }

  traffic(): Promise<Traffic> {
    return Promise.resolve({ ...this.#meter, connections: this.#routes.size });
  }

  async #identity(): Promise<Identity> {
    try {
      return await identityOf(this.#own);
    } catch (error) {
      throw new ListenError(`Cannot use the QUIC certificate: ${sentence(error)}`);
    }
  }

  #listen({ endpoint, listener }: Ports, { certificate, key }: Identity): Deno.QuicListener {
    try {
      return endpoint.listen({
        cert: certificate,
        key,
        alpnProtocols: [RAW_ALPN, HTTP3_ALPN],
        ...liveness(this.#server.heartbeatIntervalMs),
        maxConcurrentBidirectionalStreams: this.#own.maxStreams,
        maxConcurrentUnidirectionalStreams: this.#own.maxStreams,
      });
    } catch (error) {
      listener?.close();
      this.#ports = { endpoint, listener: undefined };
      throw new ListenError(
        `Cannot use the QUIC certificate and key: ${sentence(error)}; give both in PEM`,
      );
    }
  }

  async #accept(listener: Deno.QuicListener, hall: Hall): Promise<void> {
    let reason = "it ended";
    try {
      for await (const incoming of listener) {
        // A client too many is told so; a flood of handshakes is not worth a word.
        if (this.#isFlooded) incoming.refuse();
        else this.#track(serveQuic(incoming, hall));
      }
    } catch (error) {
      reason = sentence(error);
    }
    if (!hall.closing) this.#closed.reject(new Error(`The QUIC listener is lost: ${reason}`));
  }

  async #acceptTcp(listener: StreamListener, hall: Hall): Promise<void> {
    let reason = "it ended";
    try {
      while (!hall.closing) {
        const conn = await listener.accept();
        if (this.#isFlooded) conn.close();
        else this.#track(this.#serveTcp(conn, hall));
      }
    } catch (error) {
      reason = sentence(error);
    }
    if (!hall.closing) this.#closed.reject(new Error(`The WebSocket listener is lost: ${reason}`));
  }

  async #serveTcp(conn: StreamConn, hall: Hall): Promise<void> {
    const newcomer = new WebSocketNewcomer(conn, liveness(this.#server.heartbeatIntervalMs));
    this.#newcomers.add(newcomer);
    await serveNewcomer(newcomer, hall);
    this.#newcomers.delete(newcomer);
  }

  get #isFlooded(): boolean {
    return this.#serving.size > 2 * this.#server.maxConnections + 2;
  }

  /** Disposal waits for everything that is under way. */
  #track(work: Promise<void>): void {
    const tracked = work.finally(() => this.#serving.delete(tracked));
    this.#serving.add(tracked);
  }

  async #dispose(): Promise<void> {
    if (this.#hall !== undefined) this.#hall.closing = true;
    this.#ports?.listener?.close();
    const reason = "The server stops";
    await Promise.all(
      [...this.#routes.values()].map((client) => client.leave(reason)),
    );
    for (const newcomer of this.#newcomers) newcomer.close();
    const addr = this.#ports?.endpoint.addr;
    this.#ports?.endpoint.close({ closeCode: CLOSE_NO_ERROR, reason });
    this.#ports = undefined; // only what nobody refers to gives its port back
    await Promise.all(this.#serving);
    if (addr !== undefined) await freed(addr);
    this.#closed.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposing ??= this.#dispose();
    await this.#disposing;
  }
}
