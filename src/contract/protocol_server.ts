/** The seam between the coordinator and the wires: what a protocol server is, and what it calls. */

import type { ClientMessage, ServerMessage } from "./federation_pb.ts";
import type { Revocations, VoidCause } from "./token.ts";

/** A protocol instance's name: `mqtt`, `amqp`, `grpc`, `quic`, `dds`; a second one `mqtt@broker`. */
export type WireName = string;

/** One way to reach one client: a connection, a topic, a queue, a writer. Opaque outside its protocol. */
export interface Route {
  readonly wire: WireName;
  /** Never used twice by one protocol server. */
  readonly id: number;
}

/** Something that came in on a route. */
export type Arrival =
  | { readonly kind: "message"; readonly route: Route; readonly message: ClientMessage }
  /** Bytes that are no ClientMessage; `detail` is one sentence for people. */
  | { readonly kind: "unreadable"; readonly route: Route; readonly detail: string }
  /** The route is over: connection lost, last will, lease lapsed. Nothing arrives on it afterwards. */
  | { readonly kind: "detached"; readonly route: Route; readonly reason: string }
  /** Who speaks on the route may do so no longer. It still stands, so that the client can be told. */
  | {
    readonly kind: "revoked";
    readonly route: Route;
    readonly cause: VoidCause;
    readonly reason: string;
  };

/** What to send back on the route an arrival came on: a ServerMessage whose body is a Receipt. */
export type Answer = ServerMessage & { body: Extract<ServerMessage["body"], { case: "receipt" }> };

/**
 * Hands an arrival to the coordinator. Resolves with the answer to send back on the same route,
 * or with undefined where none is due (detached, or a message with sequence 0). Never rejects.
 * Arrivals of one route are judged in the order of the calls; a call need not wait for the one
 * before it.
 */
export type Deliver = (arrival: Arrival) => Promise<Answer | undefined>;

/** What a protocol server tells the operator. Normal operation says nothing per message. */
export type WireEvent =
  | { readonly kind: "connected"; readonly remote: string }
  | { readonly kind: "disconnected"; readonly remote: string; readonly reason: string }
  /** A peer was turned away with the protocol's own error, or broke the protocol. */
  | { readonly kind: "refused"; readonly remote: string; readonly reason: string };

/** Where a protocol server's callbacks go: the only thing that differs from running it alone. */
export interface Upcalls {
  readonly deliver: Deliver;
  observe(event: WireEvent): void;
  /**
   * Called with each connection as soon as it is there, where it matters who is on it. `end` closes
   * it, with what the operator and the peer are told; no arrival is due then.
   */
  meet?(end: (reason: string) => void): Newcomer;
}

/** A connection on which nobody has proven an id yet. */
export interface Newcomer {
  /** It has a route from now on. */
  becomes(route: Route): void;
  /** It is over. */
  left(): void;
}

/** A URL a client can join, complete with federation name and whatever it must know to trust it. */
export interface Address {
  readonly wire: WireName;
  readonly url: string;
}

/**
 * What became of a message: `taken` by the wire's flow control, `gone` as the route is over,
 * `stalled` as the signal fired before the wire took it (then it is not sent later).
 */
export type SendOutcome = "taken" | "gone" | "stalled";

/** Bytes on the wire since `listen`, as near to the socket as the protocol's library shows them. */
export interface Traffic {
  readonly up: number;
  readonly down: number;
  /** Connections (MQTT, AMQP, gRPC, QUIC) or matched clients (DDS) now. */
  readonly connections: number;
}

/** Names the operator's mistake in one sentence that says what to change: a port in use, no libddsc. */
export class ListenError extends Error {
  override readonly name = "ListenError";
}

/** The federated-learning server over one wire protocol. It owns every socket it uses. */
export interface ProtocolServer extends AsyncDisposable {
  /**
   * Resolves with the bound addresses once clients can reach them. Called once.
   * @throws {ListenError} when the operator must change something.
   */
  listen(upcalls: Upcalls): Promise<readonly Address[]>;
  /**
   * Sends one message to one route: in order per route, never across routes, so that one stalled
   * client delays nobody else. Answers of `Deliver` do not pass here: the server sends them itself.
   */
  send(
    route: Route,
    message: ServerMessage,
    options: { signal: AbortSignal },
  ): Promise<SendOutcome>;
  /** Ends a route after what was taken for it has left. Nothing arrives on it afterwards. */
  drop(route: Route, reason: string): void;
  /**
   * The client says how much of a model it holds. Only a wire with a broker in between needs it: the
   * broker takes everything at once, and nothing else tells that the client reads.
   */
  acknowledge?(route: Route, held: ModelOffset): void;
  /** The operator has taken tokens back; only who asks for tokens needs it. */
  revoke?(revoked: Revocations): void;
  traffic(): Promise<Traffic>;
  /** Resolves on disposal; rejects when the server can no longer serve, e.g. its listener is lost. */
  readonly closed: Promise<void>;
  // [Symbol.asyncDispose]: lets what was taken leave within a second, then closes every socket.
  // Closing twice is harmless; nothing arrives afterwards.
}

/** A model as it crosses to a protocol server. */
export interface HeldModel {
  readonly round: number;
  /** A safetensors file. Transferred: empty at the sender afterwards. */
  readonly bytes: ArrayBuffer;
}

/** Where in a model's download a client stands. */
export interface ModelOffset {
  readonly round: number;
  /** Bytes 0 to offset-1. */
  readonly offset: number;
}

/**
 * A protocol server as the coordinator holds it, in process (`PacedServer`) or in a Worker
 * (`WorkerLink`); nobody can tell which. Adds models: each crosses once per wire and round, and is
 * cut into parts and paced per client on the far side.
 */
export interface Link extends ProtocolServer {
  /** Keeps a model until its release. Transfers `model.bytes`. */
  hold(model: HeldModel): Promise<void>;
  release(round: number): void;
  /**
   * Sends a held model from an offset on, at most a window ahead of what was acknowledged.
   * Resolves with `taken` once all of it was acknowledged. A newer download ends an older one
   * of the same route, as `stalled`.
   * @throws {RangeError} for a round that is not held.
   */
  download(
    route: Route,
    from: ModelOffset,
    options: { signal: AbortSignal },
  ): Promise<SendOutcome>;
  /** Passes on a client's ModelHeld, whichever route it came on. */
  acknowledge(route: Route, held: ModelOffset): void;
}
