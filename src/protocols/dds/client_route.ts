/** One client's route: its writer on fl_up as the server's reader hears it, and our writer to it. */

import { Gate } from "../../contract/gate.ts";
import type { Answer, Deliver, Newcomer, Route } from "../../contract/protocol_server.ts";
import { type Cyclone, OFFERED_INCOMPATIBLE_QOS, PUBLICATION_MATCHED } from "./cyclone.ts";
import type { Domain } from "./domain.ts";
import { Inbox } from "./inbox.ts";
import { Outbox } from "./outbox.ts";
import { refusedPolicy } from "./quality.ts";
import { Waiter, type Watch } from "./waiter.ts";
import { partitionOf, sampleBytes, TOPIC_DOWN } from "./wire.ts";
import { EnvelopeWriter, type WriteOutcome } from "./writer.ts";

/** What all routes of a server share. */
export interface Premises {
  readonly cyclone: Cyclone;
  readonly domain: Domain;
  readonly federation: string;
  readonly maxUnjudgedBytes: number;
  readonly deliver: Deliver;
  readonly meter: { up: number; down: number };
  /** A route's client does not read any more. */
  unread(client: ClientRoute): void;
  /** A reader in a client's partition asks for another quality of service, and hears nothing. */
  unmatched(client: ClientRoute, policy: string): void;
  /** A message was turned away. */
  refuse(client: ClientRoute, reason: string): void;
}

/** Of a client's writer. */
export interface Identity {
  readonly route: Route;
  readonly clientId: string;
  /** The writer's handle in this process. */
  readonly publication: bigint;
  /** The writer's GUID. */
  readonly guid: Uint8Array<ArrayBuffer>;
}

/** Readers that come and go, and those that Cyclone does not match, of which it tells neither side. */
const WATCHED = PUBLICATION_MATCHED | OFFERED_INCOMPATIBLE_QOS;

/** How long what was taken for a client may take to leave. */
export const FAREWELL_MS = 1000;

export class ClientRoute {
  readonly route: Route;
  readonly clientId: string;
  readonly publication: bigint;
  readonly inbox: Inbox;
  readonly outbox: Outbox;
  /** Why the client is going: it is detached once all it wrote was read. */
  leaving: string | undefined;
  /** Where tokens are required: whoever has not proven an id here yet. */
  newcomer: Newcomer | undefined;
  /** Sequence of the next sample, once there was one. */
  nextSeq: bigint | undefined;
  readonly #premises: Premises;
  readonly #writer: EnvelopeWriter;
  /** The client's reader was found. */
  readonly #matched = Promise.withResolvers<void>();
  #isMatched = false;
  readonly #watch: Watch;

  constructor(premises: Premises, { route, clientId, publication, guid }: Identity) {
    const { cyclone, domain, federation, deliver } = premises;
    this.#premises = premises;
    this.route = route;
    this.clientId = clientId;
    this.publication = publication;
    const partition = partitionOf(federation, clientId);
    const writer = domain.writer(TOPIC_DOWN, partition, { userData: guid });
    this.#writer = new EnvelopeWriter(cyclone, writer, clientId);
    cyclone.dds_set_status_mask(writer, WATCHED);
    this.#watch = Waiter.watch(cyclone, writer, () => this.#readersChanged());
    this.#readersChanged();
    this.outbox = new Outbox({
      matched: this.#matched.promise,
      write: (body) => this.#write(body),
      room: () => this.#writer.room(),
    });
    this.inbox = new Inbox({
      route,
      clientId,
      gate: new Gate(premises.maxUnjudgedBytes),
      deliver,
      answer: (judged: Promise<Answer | undefined>) => this.outbox.answer(judged),
      refuse: (reason) => premises.refuse(this, reason),
    });
  }

  /** Ends our writer, which tells the client; what was taken for it leaves before. */
  async end(deadline: number): Promise<void> {
    this.#matched.resolve();
    await this.outbox.ended();
    await this.#watch[Symbol.asyncDispose]();
    await this.#writer.drained(deadline);
    await this.#premises.domain.remove(this.#writer.entity);
  }

  #write(body: Uint8Array<ArrayBuffer>): WriteOutcome {
    const outcome = this.#writer.write(body);
    if (outcome === "taken") this.#premises.meter.down += sampleBytes(this.clientId, body.length);
    return outcome;
  }

  #readersChanged(): boolean {
    const { cyclone, unread, unmatched } = this.#premises;
    const writer = this.#writer.entity;
    cyclone.dds_take_status(writer, new Uint32Array(1), WATCHED);
    const policy = refusedPolicy(cyclone, writer);
    if (policy !== undefined) unmatched(this, policy);
    const readers = cyclone.dds_get_matched_subscriptions(writer, null, 0n);
    if (readers > 0) {
      this.#isMatched = true;
      this.#matched.resolve();
    } else if (this.#isMatched) {
      unread(this);
    }
    return false;
  }
}
