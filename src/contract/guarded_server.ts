/** A protocol server whose clients must have tokens: nobody else's messages reach the coordinator. */

import type { ServerMessage } from "./federation_pb.ts";
import { serverMessage } from "./codec.ts";
import { Verdict } from "./federation_pb.ts";
import { Gatekeeper, type GatekeeperOptions, type Place } from "./gatekeeper.ts";
import { Newcomers } from "./newcomers.ts";
import { type Revocations, type VoidCause, VOIDED } from "./token.ts";
import { systemTime } from "./time_of_day.ts";
import type {
  Address,
  Answer,
  Arrival,
  ModelOffset,
  ProtocolServer,
  Route,
  SendOutcome,
  Traffic,
  Upcalls,
} from "./protocol_server.ts";

/** Routes of whose refusals the operator has heard are remembered, the newest. */
const MOST_TOLD = 10_000;

export interface GuardOptions extends Omit<GatekeeperOptions, "voided"> {
  readonly maxConnections: number;
  /** In which a connection's client must have proven its id. */
  readonly proofTimeoutMs: number;
}

/** When a client comes again that found every place taken. */
const RETRY_AFTER_MS = 5000;

export class GuardedServer implements ProtocolServer {
  readonly #server: ProtocolServer;
  readonly #keeper: Gatekeeper;
  readonly #newcomers: Newcomers;
  readonly #maxConnections: number;
  /** Routes on which somebody was refused: the operator hears of each once. */
  readonly #told = new Set<number>();
  readonly #closing = new AbortController();
  #wire = "";
  #upcalls: Upcalls | undefined;

  constructor(server: ProtocolServer, options: GuardOptions) {
    this.#server = server;
    this.#keeper = new Gatekeeper({
      ...options,
      voided: (place, cause) => this.#voided(place, cause),
    });
    this.#newcomers = new Newcomers({ time: systemTime, ...options });
    this.#maxConnections = options.maxConnections;
  }

  get closed(): Promise<void> {
    return this.#server.closed;
  }

  listen(upcalls: Upcalls): Promise<readonly Address[]> {
    this.#upcalls = upcalls;
    return this.#server.listen({
      deliver: (arrival) => this.#deliver(arrival, upcalls),
      observe: (event) => upcalls.observe(event),
      meet: (end) => this.#newcomers.meet(end),
    });
  }

  /** Not async before the coordinator's own: arrivals are judged in the order they came. */
  #deliver(arrival: Arrival, upcalls: Upcalls): Promise<Answer | undefined> {
    const { route } = arrival;
    this.#wire = route.wire;
    switch (arrival.kind) {
      case "detached":
      case "revoked":
        this.#told.delete(route.id);
        this.#keeper.forget(route.id);
        return upcalls.deliver(arrival);
      case "unreadable":
        if (this.#keeper.isOpen(route.id)) return upcalls.deliver(arrival);
        this.#tell(route, "", arrival.detail);
        return Promise.resolve(unreadable(arrival.detail));
    }
    const passage = this.#keeper.hear(route.id, arrival);
    switch (passage.kind) {
      case "passes":
        if (passage.isFirst && !this.#newcomers.prove(route)) return this.#refuse(passage.arrival);
        return this.#covered(upcalls.deliver(passage.arrival), route);
      case "challenged":
        void this.#server.send(route, passage.challenge, { signal: this.#closing.signal });
        return Promise.resolve(undefined);
      case "refused":
        this.#tell(route, arrival.message.clientId, passage.detail);
        return Promise.resolve(passage.answer);
      case "dropped":
        this.#tell(route, arrival.message.clientId, passage.detail);
        return Promise.resolve(undefined);
    }
  }

  /** A client with a token that finds every place taken by others with theirs. */
  #refuse({ route, ...arrival }: Arrival): Promise<Answer | undefined> {
    const detail = `all ${this.#maxConnections} connections are taken`;
    const message = "message" in arrival ? arrival.message : undefined;
    this.#tell(route, message?.clientId ?? "", detail);
    const sequence = message?.sequence ?? 0;
    const value = { sequence, verdict: Verdict.BUSY, detail, retryAfterMs: RETRY_AFTER_MS };
    const answer = serverMessage({ body: { case: "receipt", value } }) as Answer;
    this.#keeper.cover(route.id, answer);
    this.#keeper.forget(route.id);
    return Promise.resolve(sequence === 0 ? undefined : answer);
  }

  async #covered(
    judging: Promise<Answer | undefined>,
    { id }: Route,
  ): Promise<Answer | undefined> {
    const answer = await judging;
    if (answer !== undefined) this.#keeper.cover(id, answer);
    return answer;
  }

  #tell({ id }: Route, clientId: string, reason: string): void {
    if (this.#told.has(id)) return;
    // A route that was dropped is not heard of again; what came on it last must not stay for ever.
    const [oldest] = this.#told;
    if (oldest !== undefined && this.#told.size >= MOST_TOLD) this.#told.delete(oldest);
    this.#told.add(id);
    this.#upcalls?.observe({ kind: "refused", remote: clientId, reason });
  }

  #voided(place: Place, cause: VoidCause): void {
    const route = { wire: this.#wire, id: Number(place) };
    void this.#upcalls?.deliver({ kind: "revoked", route, cause, reason: VOIDED[cause] });
  }

  revoke(revoked: Revocations): void {
    this.#keeper.revoke(revoked);
  }

  send(
    route: Route,
    message: ServerMessage,
    options: { signal: AbortSignal },
  ): Promise<SendOutcome> {
    this.#keeper.cover(route.id, message);
    return this.#server.send(route, message, options);
  }

  drop(route: Route, reason: string): void {
    this.#server.drop(route, reason);
    this.#told.delete(route.id);
    this.#keeper.forget(route.id);
  }

  acknowledge(route: Route, held: ModelOffset): void {
    this.#server.acknowledge?.(route, held);
  }

  traffic(): Promise<Traffic> {
    return this.#server.traffic();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#server[Symbol.asyncDispose]();
    this.#keeper[Symbol.dispose]();
    this.#newcomers[Symbol.dispose]();
  }
}

function unreadable(detail: string): Answer {
  const value = { verdict: Verdict.MALFORMED, detail };
  return serverMessage({ body: { case: "receipt", value } }) as Answer;
}
