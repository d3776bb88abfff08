/**
 * The clients of a server that stands behind a broker of the operator's. The broker has their
 * connections: a client here is an address that was heard, until it says goodbye, is silent for too
 * long, or is not there any more for what is sent to it.
 */

import { arrivalOf, encodeServerMessage, serverMessage } from "./codec.ts";
import {
  type ClientMessage,
  ClosingReason,
  LeaveReason,
  type ServerMessage,
  Verdict,
} from "./federation_pb.ts";
import { Gatekeeper, type Place } from "./gatekeeper.ts";
import { Outflow, type Publish } from "./outflow.ts";
import type {
  Answer,
  Arrival,
  ModelOffset,
  Route,
  SendOutcome,
  Upcalls,
} from "./protocol_server.ts";
import { RelayedClient, type Sender } from "./relayed_client.ts";
import type { ServerOptions } from "./server_options.ts";
import { type Revocations, type VoidCause, VOIDED } from "./token.ts";

export type { Sender } from "./relayed_client.ts";

/** A client is lost after as many of its heartbeat intervals without a word. */
const SILENT_INTERVALS = 3;
/** Unconfirmed bytes beyond which only answers are written. */
const WINDOW_BYTES = 8 * 1024 * 1024;
/** How long a client that is told to come back should wait: its route is over, or the server's. */
const RETRY_AFTER_MS = 1000;
/** Addresses of which the operator was told that somebody is refused there: of each once. */
const MOST_TOLD = 1024;

export interface RelayOptions {
  readonly server: ServerOptions;
  readonly upcalls: Upcalls;
  readonly publish: Publish;
  /** Messages that the broker lets be unconfirmed at once. */
  readonly windowMessages: number;
  /** Bytes of models that the broker may keep for a client that does not acknowledge them. */
  readonly maxUnreadBytes: number;
}

/** What became of a message: judged, or no message at all, or not even delivered. */
export type Hearing = "judged" | "unreadable" | "refused";

export class Relay {
  readonly #options: RelayOptions;
  readonly #outflow: Outflow;
  readonly #byAddress = new Map<string, RelayedClient>();
  readonly #byId = new Map<number, RelayedClient>();
  readonly #sweeping: ReturnType<typeof setInterval>;
  /** Where tokens are required: then nothing counts that is not sealed. */
  readonly #keeper: Gatekeeper | undefined;
  readonly #told = new Set<string>();
  #nextId = 1;
  #over = false;

  constructor(options: RelayOptions) {
    this.#options = options;
    const { publish, windowMessages } = options;
    this.#outflow = new Outflow({ publish, windowMessages, windowBytes: WINDOW_BYTES });
    this.#sweeping = setInterval(() => this.#sweep(), options.server.heartbeatIntervalMs);
    const { tokens: rule } = options.server;
    this.#keeper = rule &&
      new Gatekeeper({
        rule,
        sealedOnly: true,
        voided: (place, cause) => this.#voided(place, cause),
      });
  }

  get connections(): number {
    return this.#byId.size;
  }

  /** Takes what a client published. Resolves once the answer to it was written, where one is due. */
  async hear(sender: Sender, bytes: Uint8Array): Promise<Hearing> {
    if (this.#over) return "refused";
    const { maxMessageBytes, wire } = this.#options.server;
    if (bytes.length > maxMessageBytes) {
      const reason = `the message has ${bytes.length} bytes, the limit is ${maxMessageBytes}`;
      if (this.#keeper !== undefined) return this.#passOver(sender, reason);
      return this.#refuse(sender, { reason, runId: this.#byAddress.get(sender.address)?.runId });
    }
    const known = this.#byAddress.get(sender.address);
    const arrival = arrivalOf(known?.route ?? { wire, id: this.#nextId++ }, bytes);
    if (this.#keeper === undefined) return await this.#take(sender, arrival);
    if (arrival.kind !== "message") return this.#passOver(sender, "it is no sealed message");
    return await this.#open(sender, arrival, this.#keeper);
  }

  /** Takes what the client at this address said, and nothing of what others publish there. */
  async #open(
    sender: Sender,
    arrival: Extract<Arrival, { kind: "message" }>,
    keeper: Gatekeeper,
  ): Promise<Hearing> {
    const { address, clientId } = sender;
    if (arrival.message.clientId !== clientId) {
      return this.#passOver(sender, `it is of client ${JSON.stringify(arrival.message.clientId)}`);
    }
    const passage = keeper.hear(address, arrival);
    switch (passage.kind) {
      case "challenged":
        this.#tell(sender, passage.challenge);
        return "judged";
      case "refused":
        if (passage.answer !== undefined) this.#tell(sender, passage.answer);
        if (!this.#byAddress.has(address)) keeper.forget(address);
        return this.#passOver(sender, passage.detail);
      case "dropped":
        return this.#passOver(sender, passage.detail);
      case "passes": {
        const earlier = passage.isFirst ? this.#byAddress.get(address) : undefined;
        if (earlier === undefined) return await this.#take(sender, passage.arrival);
        // What is on its way to the earlier connection would be sealed for this one.
        this.#detach(earlier, "the client connected again", undefined, { forgotten: false });
        const route = { wire: this.#options.server.wire, id: this.#nextId++ };
        return await this.#take(sender, { ...passage.arrival, route });
      }
    }
  }

  /** Somebody's message that changes nothing; the operator hears of the first of each address. */
  #passOver(sender: Sender, reason: string): "refused" {
    const isKnown = this.#byAddress.has(sender.address);
    if (!this.#told.has(sender.address)) {
      if (this.#told.size >= MOST_TOLD) this.#told.clear();
      this.#told.add(sender.address);
      this.#observeRefusal(sender, isKnown ? `${reason} (the client stays)` : reason);
    }
    return "refused";
  }

  async #take(sender: Sender, arrival: Arrival): Promise<Hearing> {
    const known = this.#byAddress.get(sender.address);
    const message = arrival.kind === "message" ? arrival.message : undefined;
    if (message !== undefined && message.clientId !== sender.clientId) {
      this.#observeRefusal(sender, `the message is of client ${JSON.stringify(message.clientId)}`);
      return "refused";
    }
    if (known === undefined && isLastWill(message)) return "judged"; // nobody was here
    const client = known ?? this.#admit(sender, arrival.route);
    if (client === undefined) {
      const reason = `all ${this.#options.server.maxConnections} places are taken`;
      const { RESTART } = ClosingReason; // it may come again, as on every other wire
      return this.#refuse(sender, { reason, runId: message?.runId, closingReason: RESTART });
    }
    client.lastHeardMs = performance.now();
    if (message !== undefined) client.heard(message);
    const answered = client.answer(this.#options.upcalls.deliver(arrival));
    if (message !== undefined && this.#ends(message, client)) {
      this.#detach(client, "the broker published its last will");
    }
    const answer = await answered;
    if (leaves(message, answer)) this.#detach(client, "it left");
    return message === undefined ? "unreadable" : "judged";
  }

  /** A broker may publish the will of a connection when another one has taken its place. */
  #ends(message: ClientMessage, client: RelayedClient): boolean {
    if (!isLastWill(message)) return false;
    // Sealed, it is of this very connection: any other one is passed over.
    return this.#keeper !== undefined || client.isEndedBy(message);
  }

  #admit(sender: Sender, route: Route): RelayedClient | undefined {
    const { server: { maxConnections }, maxUnreadBytes, upcalls } = this.#options;
    if (this.#byId.size >= maxConnections) return undefined;
    const client: RelayedClient = new RelayedClient({
      route,
      sender,
      outflow: this.#outflow,
      maxUnreadBytes,
      cover: (message) => this.#keeper?.cover(sender.address, message),
      lost: (reason) => {
        if (reason !== undefined && !this.#over) this.#observeRefusal(sender, reason);
        this.#detach(client, reason ?? "nobody is there to get what is sent to it");
      },
    });
    this.#byAddress.set(sender.address, client);
    this.#byId.set(route.id, client);
    upcalls.observe({ kind: "connected", remote: sender.clientId });
    return client;
  }

  /** Turns a sender away, who is told so. */
  #refuse(
    sender: Sender,
    { reason, runId, closingReason = ClosingReason.REFUSED }: {
      reason: string;
      runId: string | undefined;
      closingReason?: ClosingReason;
    },
  ) {
    this.#observeRefusal(sender, reason);
    const message = closing(runId ?? "", closingReason, reason);
    const client = this.#byAddress.get(sender.address);
    if (client === undefined) {
      this.#keeper?.cover(sender.address, message);
      this.#tell(sender, message);
      this.#keeper?.forget(sender.address);
    } else this.#detach(client, reason, message);
    return "refused" as const;
  }

  #observeRefusal({ clientId }: Sender, reason: string): void {
    this.#options.upcalls.observe({ kind: "refused", remote: clientId, reason });
  }

  #tell({ address }: Sender, message: ServerMessage): void {
    this.#outflow.answer({ address, bytes: encodeServerMessage(message), lost: () => {} });
  }

  async send(
    route: Route,
    message: ServerMessage,
    { signal }: { signal: AbortSignal },
  ): Promise<SendOutcome> {
    return await this.#byId.get(route.id)?.send(message, signal) ?? "gone";
  }

  acknowledge(route: Route, held: ModelOffset): void {
    this.#byId.get(route.id)?.acknowledge(held);
  }

  /**
   * The coordinator wants no more of this route. Elsewhere its connection would be closed, and the
   * client dial again: here it is told to, unless the coordinator told it something else before.
   */
  drop(route: Route, reason: string): void {
    const client = this.#byId.get(route.id);
    if (client === undefined) return;
    this.#forget(client, reason);
    client.end(closing(client.runId, ClosingReason.RESTART, reason));
    this.#keeper?.forget(client.sender.address);
  }

  /** The coordinator tells the client and drops its route. */
  #voided(place: Place, cause: VoidCause): void {
    const client = this.#byAddress.get(String(place));
    if (client === undefined) return;
    const { route } = client;
    void this.#options.upcalls.deliver({ kind: "revoked", route, cause, reason: VOIDED[cause] });
  }

  revoke(revoked: Revocations): void {
    this.#keeper?.revoke(revoked);
  }

  /** The client is not there any more. */
  #detach(
    client: RelayedClient,
    reason: string,
    farewell?: ServerMessage,
    { forgotten = true } = {},
  ): void {
    if (this.#over || this.#byId.get(client.route.id) !== client) return;
    this.#forget(client, reason);
    client.end(farewell);
    if (forgotten) this.#keeper?.forget(client.sender.address);
    void this.#options.upcalls.deliver({ kind: "detached", route: client.route, reason });
  }

  #forget(client: RelayedClient, reason: string): void {
    const { route, sender: { address, clientId } } = client;
    this.#byId.delete(route.id);
    this.#byAddress.delete(address);
    this.#options.upcalls.observe({ kind: "disconnected", remote: clientId, reason });
  }

  #sweep(): void {
    const { heartbeatIntervalMs } = this.#options.server;
    const oldestMs = performance.now() - SILENT_INTERVALS * heartbeatIntervalMs;
    for (const client of this.#byId.values()) {
      if (client.lastHeardMs < oldestMs) {
        this.#detach(client, `silent for ${SILENT_INTERVALS} heartbeat intervals`);
      }
    }
  }

  /** The broker takes no messages for now. */
  pause(): void {
    this.#outflow.pause();
  }

  resume(): void {
    this.#outflow.resume();
  }

  /** Tells everybody that the server goes. Resolves once the broker has all that was written. */
  async close(): Promise<void> {
    this.abandon((runId) => closing(runId, ClosingReason.RESTART, "the server leaves this broker"));
    await this.#outflow.settled();
  }

  /** The broker is gone, and everybody with it. */
  abandon(farewell?: (runId: string) => ServerMessage): void {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#sweeping);
    for (const client of this.#byId.values()) client.end(farewell?.(client.runId));
    this.#byId.clear();
    this.#byAddress.clear();
    this.#keeper?.[Symbol.dispose]();
  }
}

/** A Leave LOST is said for a client that is not there any more. */
function isLastWill(message: ClientMessage | undefined): boolean {
  return message?.body.case === "leave" && message.body.value.reason === LeaveReason.LOST;
}

/** Who converged stays, to hear Finish. */
function leaves(message: ClientMessage | undefined, answer: Answer | undefined): boolean {
  if (message?.body.case !== "leave") return false;
  const { reason } = message.body.value;
  const isEnd = reason === LeaveReason.DONE || reason === LeaveReason.SHUTTING_DOWN;
  return isEnd && (answer === undefined || answer.body.value.verdict === Verdict.ACCEPTED);
}

function closing(runId: string, reason: ClosingReason, detail: string): ServerMessage {
  const retryAfterMs = reason === ClosingReason.RESTART ? RETRY_AFTER_MS : 0;
  return serverMessage({
    runId,
    body: { case: "closing", value: { reason, detail, retryAfterMs } },
  });
}
