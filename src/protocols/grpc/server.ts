/** The federated-learning server over gRPC: one bidirectional stream is one route. */

import "./environment.ts";
import { type Metadata, Server, status as Status } from "@grpc/grpc-js";
import { type ServerMessage, Verdict } from "../../contract/federation_pb.ts";
import type {
  Address,
  ProtocolServer,
  Route,
  SendOutcome,
  Traffic,
  Upcalls,
} from "../../contract/protocol_server.ts";
import type { ServerOptions } from "../../contract/server_options.ts";
import { schemeOf } from "../../contract/tls.ts";
import { Health } from "./health.ts";
import { injectorOf } from "./http2.ts";
import { type Intake, Intakes } from "./intake.ts";
import type { Options } from "./options.ts";
import { addReflection } from "./reflection.ts";
import { Session, type SessionCall } from "./session.ts";
import { Sockets } from "./sockets.ts";
import { federationIn, session as sessionMethod, statusOf, urlOf } from "./wire.ts";

/** Sockets beyond the clients' own: health checks and refusals need one, too. */
const SPARE_SOCKETS = 16;

/** A connection without a call for so long is closed; gRPC's clients make a new one when they call. */
const IDLE_MS = 300_000;

/** What was taken may leave for so long when the server is closed. */
const GRACE_MS = 1000;

/** Until `listen`. */
const NOBODY: Upcalls = { deliver: () => Promise.resolve(undefined), observe() {} };

/** setTimeout's largest delay: grpc-js pings, but who does not answer is for `Sockets` to judge. */
const NEVER_MS = 2 ** 31 - 1;

export class GrpcServer implements ProtocolServer {
  readonly #options: ServerOptions;
  readonly #own: Options;
  readonly #server: Server;
  readonly #sockets: Sockets;
  readonly #intakes: Intakes;
  readonly #health = new Health();
  readonly #sessions = new Map<number, Session>();
  readonly #closed = Promise.withResolvers<void>();
  #upcalls = NOBODY;
  #nextRouteId = 1;
  #disposal: Promise<void> | undefined;

  constructor(server: ServerOptions, own: Options) {
    this.#options = server;
    this.#own = own;
    this.#closed.promise.catch(() => {}); // whoever needs it awaits it
    const refused = (remote: string, reason: string) =>
      this.#upcalls.observe({ kind: "refused", remote, reason });
    const maxSockets = server.maxConnections + SPARE_SOCKETS;
    this.#intakes = new Intakes({
      maxMessageBytes: server.maxMessageBytes,
      maxUnjudgedBytes: server.maxUnjudgedBytes,
      mostSideCalls: 2 * maxSockets, // a client may watch the server's health, and ask for it
      called: (remote) => this.#sockets.called(remote),
      refused,
    });
    this.#server = new Server({
      interceptors: [this.#intakes.interceptor],
      "grpc.max_concurrent_streams": maxSockets, // on one connection: a proxy may bring all clients
      "grpc.max_connection_idle_ms": IDLE_MS,
      "grpc.max_receive_message_length": server.maxMessageBytes,
      "grpc.keepalive_time_ms": server.heartbeatIntervalMs,
      "grpc.keepalive_timeout_ms": NEVER_MS,
      "grpc.enable_channelz": 0,
    });
    this.#server.addService({ session: sessionMethod }, {
      session: (call: SessionCall) => this.#admit(call),
    });
    this.#health.addTo(this.#server);
    addReflection(this.#server);
    const injector = injectorOf(this.#server, {
      streamWindowBytes: own.streamWindowBytes,
      greeted: (remote) => this.#sockets.greeted(remote),
    });
    this.#sockets = new Sockets({
      maxSockets,
      heartbeatIntervalMs: server.heartbeatIntervalMs,
      tls: server.tls,
      serve: (socket) => injector.injectConnection(socket),
      refused,
    });
    this.#sockets.lost.catch(this.#closed.reject);
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  async listen(upcalls: Upcalls): Promise<readonly Address[]> {
    this.#upcalls = upcalls;
    const bound = await this.#sockets.listen(this.#own.hostname, this.#own.port);
    const { wire, federation, tls } = this.#options;
    return [{ wire, url: urlOf(bound, { scheme: schemeOf("grpc", tls), federation }) }];
  }

  async send(
    route: Route,
    message: ServerMessage,
    { signal }: { signal: AbortSignal },
  ): Promise<SendOutcome> {
    return await this.#sessions.get(route.id)?.send(message, signal) ?? "gone";
  }

  drop(route: Route, reason: string): void {
    this.#sessions.get(route.id)?.end(reason);
  }

  traffic(): Promise<Traffic> {
    return Promise.resolve({ ...this.#sockets.traffic(), connections: this.#sockets.count });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#disposal ??= this.#dispose();
  }

  /** Lets a call in as a route, or ends it with a status that says why not. */
  #admit(call: SessionCall): void {
    const remote = call.getPeer();
    const refusal = this.#refusalOf(call.metadata);
    if (refusal !== undefined) {
      this.#upcalls.observe({ kind: "refused", remote, reason: refusal.details });
      call.emit("error", refusal); // grpc-js's way to end a call with a status
      return;
    }
    const route = { wire: this.#options.wire, id: this.#nextRouteId++ };
    void this.#serve(new Session(route, call), { remote, intake: this.#intakes.of(call.metadata) });
  }

  #refusalOf(metadata: Metadata): { code: Status; details: string } | undefined {
    const { federation, maxConnections } = this.#options;
    const wanted = federationIn(metadata);
    if (wanted !== undefined && wanted !== federation) {
      const details = `There is no federation ${wanted} here, but ${federation}`;
      return { code: Status.NOT_FOUND, details };
    }
    if (this.#sessions.size >= maxConnections) {
      const details = `There are ${maxConnections} clients already; try again later`;
      return { code: statusOf[Verdict.BUSY], details };
    }
    return undefined;
  }

  async #serve(
    session: Session,
    { remote, intake }: { remote: string; intake: Intake },
  ): Promise<void> {
    const upcalls = this.#upcalls;
    const { route } = session;
    const socket = this.#sockets.session(remote);
    this.#sessions.set(route.id, session);
    upcalls.observe({ kind: "connected", remote });
    const newcomer = upcalls.meet?.((reason) => {
      upcalls.observe({ kind: "refused", remote, reason });
      session.end(reason);
    });
    newcomer?.becomes(route);
    await session.serve((arrival) => upcalls.deliver(arrival), intake.gate);
    newcomer?.left();
    socket.over();
    this.#sessions.delete(route.id);
    const reason = session.ended ?? intake.refusal ?? socket.loss() ??
      "The client ended the stream";
    upcalls.observe({ kind: "disconnected", remote, reason });
    if (session.ended === undefined) await upcalls.deliver({ kind: "detached", route, reason });
  }

  async #dispose(): Promise<void> {
    this.#sockets.refuseMore();
    this.#health.end();
    for (const session of this.#sessions.values()) session.end("The server is closing");
    const left = new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
    const late = Promise.withResolvers<void>();
    const grace = setTimeout(late.resolve, GRACE_MS);
    await Promise.race([left, late.promise]);
    clearTimeout(grace);
    await this.#sockets[Symbol.asyncDispose]();
    await left;
    this.#closed.resolve();
  }
}
