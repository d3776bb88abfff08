/** The MQTT endpoint: 3.1.1 and 5, TCP, TLS and WebSocket, a connection a route. It owns every socket. */

import type { ServerMessage } from "../../contract/federation_pb.ts";
import type {
  Address,
  ProtocolServer,
  Route,
  SendOutcome,
  Traffic,
  Upcalls,
} from "../../contract/protocol_server.ts";
import type { ServerOptions } from "../../contract/server_options.ts";
import type { StreamConn, StreamListener } from "../../contract/tls.ts";
import type { Endpoint } from "./endpoint.ts";
import { bindPorts, type Door } from "./listening.ts";
import { NetworkConnection, type Socket } from "./network_connection.ts";
import type { Options } from "./options.ts";
import type { Session } from "./session.ts";
import { MqttWebSocket } from "./websocket.ts";
import { ReasonCode, type Refusal, stateMessage } from "./wire.ts";

/** What this server speaks; Hello.contract_version of federation.proto. */
const CONTRACT_VERSION = 1;

/** A client is lost after as many of its heartbeat intervals. */
const SILENT_INTERVALS = 3;

/** Sockets beside twice maxConnections: those that are still being refused or taken leave of. */
const SPARE_CONNECTIONS = 16;

export class MqttServer implements ProtocolServer {
  readonly closed: Promise<void>;
  readonly #closed = Promise.withResolvers<void>();
  readonly #server: ServerOptions;
  readonly #own: Options;
  readonly #connections = new Set<NetworkConnection>();
  readonly #sessions = new Map<number, Session>();
  readonly #clients = new Map<string, Session>();
  #doors: readonly Door[] = [];
  #accepting: Promise<unknown> | undefined;
  #nextRoute = 1;
  #up = 0;
  #down = 0;
  #disposed = false;

  constructor(server: ServerOptions, own: Options) {
    this.#server = server;
    this.#own = own;
    this.closed = this.#closed.promise;
    this.closed.catch(() => {}); // whoever wants to know awaits it
  }

  // deno-lint-ignore require-await -- a ListenError is a rejection, as for every protocol server
  async listen(upcalls: Upcalls): Promise<readonly Address[]> {
    this.#doors = bindPorts(this.#own, this.#server.tls);
    const endpoint = this.#endpoint(upcalls);
    this.#accepting = Promise.all(this.#doors.map((door) => this.#accept(door, endpoint)));
    const { wire } = this.#server;
    return this.#doors.map((door) => ({ wire, url: this.#url(door) }));
  }

  send(
    route: Route,
    message: ServerMessage,
    { signal }: { signal: AbortSignal },
  ): Promise<SendOutcome> {
    return this.#sessions.get(route.id)?.send(message, signal) ?? Promise.resolve("gone");
  }

  drop(route: Route, reason: string): void {
    this.#sessions.get(route.id)?.end(
      { code: ReasonCode.ADMINISTRATIVE_ACTION, reason },
      { detached: false },
    );
  }

  traffic(): Promise<Traffic> {
    return Promise.resolve({
      up: this.#up,
      down: this.#down,
      connections: this.#sessions.size,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return this.closed.catch(() => {});
    this.#disposed = true;
    for (const { listener } of this.#doors) closeQuietly(listener);
    await this.#accepting;
    await Promise.all([...this.#connections].map((connection) => connection.shutDown()));
    this.#closed.resolve();
  }

  #url({ scheme, listener: { addr: { hostname, port } } }: Door): string {
    const host = hostname.includes(":") ? `[${hostname}]` : hostname;
    return `${scheme}://${host}:${port}/${encodeURIComponent(this.#server.federation)}`;
  }

  /** Takes connections until the listener closes. */
  async #accept({ isWebSocket, listener }: Door, endpoint: Endpoint): Promise<void> {
    while (!this.#disposed) {
      try {
        this.#welcome(await listener.accept(), isWebSocket, endpoint);
      } catch (error) {
        if (isPeers(error)) continue;
        if (!this.#disposed) this.#closed.reject(error);
        return;
      }
    }
  }

  #welcome(conn: StreamConn, isWebSocket: boolean, endpoint: Endpoint): void {
    const { hostname, port } = conn.remoteAddr;
    const remote = `${hostname}:${port}`;
    // Those beyond maxConnections hear it in CONNACK; but not any number of them at once.
    if (this.#connections.size >= 2 * this.#server.maxConnections + SPARE_CONNECTIONS) {
      endpoint.upcalls.observe({ kind: "refused", remote, reason: "too many connections" });
      return conn.close();
    }
    const socket = isWebSocket ? this.#webSocket(conn, endpoint) : promptly(conn);
    const connection = new NetworkConnection(socket, { endpoint, remote });
    this.#connections.add(connection);
    void connection.ended.then(() => this.#connections.delete(connection));
  }

  #webSocket(conn: StreamConn, { count }: Endpoint): Socket {
    return new MqttWebSocket(conn, { origins: this.#own.origins, count });
  }

  #endpoint(upcalls: Upcalls): Endpoint {
    const { federation, maxMessageBytes, maxUnjudgedBytes, heartbeatIntervalMs } = this.#server;
    const { receiveMaximum, connectTimeoutMs } = this.#own;
    return {
      terms: {
        federation,
        maxMessageBytes,
        receiveMaximum,
        silenceLimitMs: SILENT_INTERVALS * heartbeatIntervalMs,
      },
      maxUnjudgedBytes,
      connectTimeoutMs,
      upcalls,
      state: stateMessage({
        federation,
        contractVersion: CONTRACT_VERSION,
        largestMessageBytes: maxMessageBytes,
      }),
      enrol: (clientId) => this.#enrol(clientId),
      open: (session) => {
        this.#sessions.set(session.route.id, session);
        this.#clients.set(session.clientId, session);
      },
      strike: (session) => {
        this.#sessions.delete(session.route.id);
        if (this.#clients.get(session.clientId) === session) this.#clients.delete(session.clientId);
      },
      count: (direction, bytes) => {
        if (direction === "up") this.#up += bytes;
        else this.#down += bytes;
      },
    };
  }

  /** [MQTT-3.1.4-3]: a client that connects again takes over from its older connection. */
  #enrol(clientId: string): Route | Refusal {
    const { maxConnections, wire, tokens } = this.#server;
    // Where tokens are required, whoever connects is not the client yet: its Hello replaces the other.
    if (tokens === undefined) this.#clients.get(clientId)?.replace();
    if (this.#sessions.size >= maxConnections) {
      const reason = `all ${maxConnections} connections are taken`;
      return { code: ReasonCode.QUOTA_EXCEEDED, reason };
    }
    return { wire, id: this.#nextRoute++ };
  }
}

/** A Receipt must not wait for the acknowledgement of a part. */
function promptly(conn: StreamConn): Socket {
  try {
    conn.setNoDelay(true);
  } catch {
    // The peer is gone already, as the first read will tell.
  }
  return conn;
}

/** The peer was gone before its connection was taken: nothing is wrong with the listener. */
function isPeers(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionAborted ||
    error instanceof Deno.errors.ConnectionReset;
}

function closeQuietly(listener: StreamListener): void {
  try {
    listener.close();
  } catch {
    // It was lost before.
  }
}
