/** The federated-learning server over AMQP 0-9-1: an endpoint of its own over TCP or TLS. */

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
import { schemeOf, type StreamConn, type StreamListener } from "../../contract/tls.ts";
import { listenOn } from "../../contract/tls_conn.ts";
import { ClientRoute } from "./client_route.ts";
import { AmqpConnection, type Ground } from "./connection.ts";
import type { Options } from "./options.ts";
import { VirtualHost, type VirtualHostBounds } from "./vhost.ts";
import { LONGEST_FEDERATION_BYTES } from "./wire.ts";

/** Sockets beyond `maxConnections` that are still told why they are turned away. */
const SPARE_CONNECTIONS = 64;

interface Joined {
  readonly clientRoute: ClientRoute;
  readonly connection: AmqpConnection;
}

export class AmqpServer implements ProtocolServer {
  readonly #server: ServerOptions;
  readonly #own: Options;
  readonly #vhost: VirtualHost;
  readonly #connections = new Map<AmqpConnection, Promise<void>>();
  readonly #routes = new Map<number, Joined>();
  readonly #closed = Promise.withResolvers<void>();
  readonly #past = { up: 0, down: 0 };
  #nextRouteId = 1;
  #listener: StreamListener | undefined;
  #accepting: Promise<void> | undefined;
  #isClosing = false;

  constructor(server: ServerOptions, own: Options) {
    this.#server = server;
    this.#own = own;
    this.#vhost = new VirtualHost(boundsOf(server, own), (isFull) => {
      for (const connection of this.#connections.keys()) {
        connection.block(isFull ? "the queues are full" : undefined);
      }
    });
    this.#closed.promise.catch(() => {}); // whoever needs it awaits it; nobody may need it
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  // deno-lint-ignore require-await -- what cannot be listened on rejects, it does not throw
  async listen(upcalls: Upcalls): Promise<readonly Address[]> {
    const { wire, federation } = this.#server;
    if (new TextEncoder().encode(federation).length > LONGEST_FEDERATION_BYTES) {
      throw new ListenError(
        `Cannot listen for AMQP: a federation name has at most ${LONGEST_FEDERATION_BYTES} bytes there`,
      );
    }
    const listener = this.#bind();
    this.#listener = listener;
    this.#accepting = this.#accept(listener, upcalls);
    const { hostname, port } = listener.addr;
    const host = hostname.includes(":") ? `[${hostname}]` : hostname;
    const scheme = schemeOf("amqp", this.#server.tls);
    return [{ wire, url: `${scheme}://${host}:${port}/${encodeURIComponent(federation)}` }];
  }

  #bind(): StreamListener {
    const { hostname, port } = this.#own;
    try {
      return listenOn({ hostname, port }, this.#server.tls);
    } catch (error) {
      if (error instanceof ListenError) throw error;
      const where = `Cannot listen for AMQP on ${hostname}:${port}`;
      if (error instanceof Deno.errors.AddrInUse) {
        throw new ListenError(
          `${where}: the address is in use; stop the other program or set --amqp-port`,
        );
      }
      if (error instanceof Deno.errors.AddrNotAvailable) {
        throw new ListenError(
          `${where}: this machine has no such address; set --amqp-hostname to one of its own`,
        );
      }
      if (error instanceof Deno.errors.PermissionDenied) {
        throw new ListenError(
          `${where}: the system does not permit it; set --amqp-port to one above 1023`,
        );
      }
      const [reason] = (error instanceof Error ? error.message : String(error)).split("\n");
      throw new ListenError(`${where}: ${reason}; set --amqp-hostname and --amqp-port`);
    }
  }

  async #accept(listener: StreamListener, upcalls: Upcalls): Promise<void> {
    const ground: Ground = {
      server: this.#server,
      own: this.#own,
      vhost: this.#vhost,
      upcalls,
      hasRoom: () => this.#openCount < this.#server.maxConnections,
      join: (connection, key) => this.#join(connection, key, upcalls),
    };
    try {
      while (!this.#isClosing) this.#serve(await nextSocket(listener), ground);
    } catch (error) {
      if (!this.#isClosing) this.#closed.reject(error);
    }
  }

  get #openCount(): number {
    let count = 0;
    for (const connection of this.#connections.keys()) if (connection.isOpen) count++;
    return count;
  }

  #serve(socket: StreamConn, ground: Ground): void {
    if (this.#connections.size >= this.#server.maxConnections + SPARE_CONNECTIONS) {
      const { hostname, port } = socket.remoteAddr;
      socket.close();
      const reason = "there are far more connections than the limit";
      ground.upcalls.observe({ kind: "refused", remote: `${hostname}:${port}`, reason });
      return;
    }
    const connection = new AmqpConnection(socket, ground);
    const served = connection.run().then(() => {
      this.#connections.delete(connection);
      this.#past.up += connection.traffic.up;
      this.#past.down += connection.traffic.down;
      for (const [id, joined] of this.#routes) {
        if (joined.connection === connection) this.#routes.delete(id);
      }
    });
    this.#connections.set(connection, served);
  }

  #join(connection: AmqpConnection, key: string, upcalls: Upcalls): ClientRoute {
    const { wire, maxUnjudgedBytes } = this.#server;
    const route: Route = { wire, id: this.#nextRouteId++ };
    const clientRoute = new ClientRoute({
      route,
      key,
      maxUnjudgedBytes,
      deliver: upcalls.deliver,
      overrun: () => connection.overrun("it does not take its receipts"),
    });
    this.#routes.set(route.id, { clientRoute, connection });
    return clientRoute;
  }

  async send(
    route: Route,
    message: ServerMessage,
    { signal }: { signal: AbortSignal },
  ): Promise<SendOutcome> {
    return await this.#routes.get(route.id)?.clientRoute.send(message, signal) ?? "gone";
  }

  drop(route: Route, reason: string): void {
    this.#routes.get(route.id)?.connection.close(reason);
  }

  traffic(): Promise<Traffic> {
    let { up, down } = this.#past;
    for (const { traffic } of this.#connections.keys()) {
      up += traffic.up;
      down += traffic.down;
    }
    return Promise.resolve({ up, down, connections: this.#openCount });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isClosing) {
      this.#isClosing = true;
      this.#listener?.close();
      for (const connection of this.#connections.keys()) connection.close("the server stops");
      await this.#accepting;
      await Promise.all(this.#connections.values());
      this.#closed.resolve();
    }
    await this.#closed.promise.catch(() => {});
  }
}

/** Where tokens are required, strangers together must leave room for whoever has one. */
function boundsOf({ tokens, maxConnections }: ServerOptions, own: Options): VirtualHostBounds {
  if (tokens === undefined) return own;
  const share = Math.max(1, Math.floor(own.maxDeclared / maxConnections));
  const maxDeclaredPerConnection = Math.min(own.maxDeclaredPerConnection, share);
  return { ...own, maxDeclaredPerConnection, isPrivate: true };
}

/** A connection that failed before it was accepted says nothing of the listener. */
async function nextSocket(listener: StreamListener): Promise<StreamConn> {
  for (;;) {
    try {
      return await listener.accept();
    } catch (error) {
      const isOfOnePeer = error instanceof Deno.errors.ConnectionAborted ||
        error instanceof Deno.errors.ConnectionReset;
      if (!isOfOnePeer) throw error;
    }
  }
}
