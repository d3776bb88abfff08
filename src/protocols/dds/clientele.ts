/** The clients of a server: which writers its reader hears, a route for each, and what they write. */

import type { Route, Traffic, Upcalls } from "../../contract/protocol_server.ts";
import type { ServerOptions } from "../../contract/server_options.ts";
import type { Binding } from "./binding.ts";
import { ClientRoute, FAREWELL_MS, type Premises } from "./client_route.ts";
import {
  type Cyclone,
  DATA_AVAILABLE,
  REQUESTED_INCOMPATIBLE_QOS,
  SUBSCRIPTION_MATCHED,
} from "./cyclone.ts";
import { describePublication, matchedPublications } from "./publications.ts";
import { EnvelopeReader, type Taken } from "./reader.ts";
import { Waiter, type Watch } from "./waiter.ts";
import { clientOf, everyClientOf, sampleBytes, TOPIC_UP } from "./wire.ts";

export interface ClienteleOptions {
  readonly upcalls: Upcalls;
  /** Called when nothing can be heard any more. */
  failed(error: unknown): void;
}

/**
 * Samples that may wait to be taken: a net for moments when the event loop is behind. They are
 * taken in any case, whoever has how much unjudged, for DDS cannot hold back one writer alone: a
 * full reader would stop the thread that hears everybody's leases, and everybody would be lost.
 */
const MAX_SAMPLES = 1024;

/**
 * What all clients together may have waiting for verdicts. The contract's window keeps each far
 * below; beyond it, the one with most is refused.
 */
const MAX_WAITING_BYTES = 256 * 1024 * 1024;

const WATCHED = DATA_AVAILABLE | SUBSCRIPTION_MATCHED | REQUESTED_INCOMPATIBLE_QOS;

/** Cyclone matches no such writer, and tells neither side of it by itself. */
const INCOMPATIBLE = "a writer offers another quality of service: it must be reliable";

const MOST_TOLD = 1024;

const GONE = "the client left, or its lease is over";

export class Clientele implements AsyncDisposable {
  readonly #cyclone: Cyclone;
  readonly #server: ServerOptions;
  readonly #options: ClienteleOptions;
  readonly #premises: Premises;
  readonly #reader: EnvelopeReader;
  readonly #watch: Watch;
  readonly #meter = { up: 0, down: 0 };
  readonly #byPublication = new Map<bigint, ClientRoute>();
  readonly #byClient = new Map<string, ClientRoute>();
  readonly #byId = new Map<number, ClientRoute>();
  /** Matched writers that are not listened to. */
  readonly #ignored = new Set<bigint>();
  /** Clients of whom the operator has heard that their readers do not match, the newest. */
  readonly #unmatched = new Set<string>();
  readonly #ending = new Set<Promise<void>>();
  #hasMet = false;
  #nextId = 1;

  constructor({ cyclone, domain }: Binding, server: ServerOptions, options: ClienteleOptions) {
    this.#cyclone = cyclone;
    this.#server = server;
    this.#options = options;
    this.#premises = {
      cyclone,
      domain,
      federation: server.federation,
      maxUnjudgedBytes: server.maxUnjudgedBytes,
      deliver: options.upcalls.deliver,
      meter: this.#meter,
      unmatched: (client, policy) => this.#tellUnmatched(client, policy),
      unread: (client) => this.#leave(client, GONE),
      refuse: (client, reason) => this.#observeRefusal(client.clientId, reason),
    };
    const partition = everyClientOf(server.federation);
    const reader = domain.reader(TOPIC_UP, partition, { maxSamples: MAX_SAMPLES });
    this.#reader = new EnvelopeReader(cyclone, reader, server.maxMessageBytes);
    cyclone.dds_set_status_mask(reader, WATCHED);
    this.#watch = Waiter.watch(cyclone, reader, () => this.#triggered());
    this.#watch.again(); // for what came before the mask
  }

  routeOf({ id }: Route): ClientRoute | undefined {
    return this.#byId.get(id);
  }

  drop(route: Route, reason: string): void {
    const client = this.#byId.get(route.id);
    if (client === undefined) return;
    client.inbox.discard();
    this.#forget(client, reason);
  }

  traffic(): Traffic {
    return { ...this.#meter, connections: this.#byId.size };
  }

  #triggered(): boolean {
    try {
      const statuses = new Uint32Array(1);
      this.#cyclone.dds_take_status(this.#reader.entity, statuses, WATCHED);
      const [status = 0] = statuses;
      if (status & REQUESTED_INCOMPATIBLE_QOS) this.#observeRefusal("unmatched", INCOMPATIBLE);
      if (!this.#hasMet || status & SUBSCRIPTION_MATCHED) this.#meet();
      return this.#read();
    } catch (error) {
      this.#options.failed(error);
      return false;
    }
  }

  /** Finds out who has come and who has gone. */
  #meet(): void {
    this.#hasMet = true;
    const matched = matchedPublications(this.#cyclone, this.#reader.entity);
    for (const publication of this.#ignored) {
      if (!matched.has(publication)) this.#ignored.delete(publication);
    }
    for (const [publication, client] of this.#byPublication) {
      if (!matched.has(publication)) this.#leave(client, GONE);
    }
    for (const publication of matched) {
      if (!this.#byPublication.has(publication) && !this.#ignored.has(publication)) {
        this.#admit(publication);
      }
    }
  }

  #admit(publication: bigint): void {
    const description = describePublication(this.#cyclone, this.#reader.entity, publication);
    if (description === undefined) return; // gone again
    const { guid, partitions } = description;
    const clientId = partitions.length === 1
      ? clientOf(this.#server.federation, partitions[0] ?? "")
      : undefined;
    if (clientId === undefined) {
      return this.#ignore(publication, guid.toHex(), "the writer's partition names no client");
    }
    // Where tokens are required, a writer is not the client's yet: its Hello replaces the earlier one.
    const isProven = this.#server.tokens === undefined;
    const earlier = isProven ? this.#byClient.get(clientId) : undefined;
    if (earlier === undefined && this.#byId.size >= this.#server.maxConnections) {
      const reason = `the server has its ${this.#server.maxConnections} connections`;
      return this.#ignore(publication, clientId, reason);
    }
    // Two writers of one client: whoever came last is the client.
    if (earlier !== undefined) this.#leave(earlier, "a newer writer of the client took over");
    const route = { wire: this.#server.wire, id: this.#nextId++ };
    const client = new ClientRoute(this.#premises, { route, clientId, publication, guid });
    this.#byPublication.set(publication, client);
    this.#byClient.set(clientId, client);
    this.#byId.set(route.id, client);
    client.newcomer = this.#options.upcalls.meet?.((reason) => this.#refuse(client, reason));
    client.newcomer?.becomes(route);
    this.#options.upcalls.observe({ kind: "connected", remote: clientId });
  }

  #ignore(publication: bigint, remote: string, reason: string): void {
    this.#ignored.add(publication);
    this.#observeRefusal(remote, reason);
  }

  #tellUnmatched({ clientId }: ClientRoute, policy: string): void {
    if (this.#unmatched.has(clientId)) return;
    const [oldest] = this.#unmatched;
    if (oldest !== undefined && this.#unmatched.size >= MOST_TOLD) this.#unmatched.delete(oldest);
    this.#unmatched.add(clientId);
    this.#observeRefusal(clientId, askedFor(policy));
  }

  #observeRefusal(remote: string, reason: string): void {
    this.#options.upcalls.observe({ kind: "refused", remote, reason });
  }

  /** Takes the next samples; true when there may be more. */
  #read(): boolean {
    const taken = this.#reader.take();
    for (const each of taken) this.#accept(each);
    for (const client of [...this.#byPublication.values()]) {
      if (client.leaving !== undefined) this.#readOut(client, client.leaving);
    }
    this.#bound();
    return taken.length > 0;
  }

  /** Refuses those that go on without verdicts, until what waits is within bounds. */
  #bound(): void {
    const clients = [...this.#byId.values()];
    let waitingBytes = clients.reduce((sum, { inbox }) => sum + inbox.waitingBytes, 0);
    while (waitingBytes > MAX_WAITING_BYTES) {
      const most = clients.reduce((one, other) =>
        other.inbox.waitingBytes > one.inbox.waitingBytes ? other : one
      );
      waitingBytes -= most.inbox.waitingBytes;
      most.inbox.discard();
      this.#refuse(most, "went on writing without waiting for verdicts");
    }
  }

  /** Takes what a leaving client has written, and detaches it. */
  #readOut(client: ClientRoute, reason: string): void {
    for (let room = MAX_SAMPLES; room > 0;) {
      const taken = this.#reader.takeOf(client.clientId);
      if (taken.length === 0) break;
      for (const each of taken) this.#accept(each);
      room -= taken.length;
    }
    if (this.#byId.has(client.route.id)) this.#detach(client, reason);
  }

  #accept({ client: key, publication, alive, sample }: Taken): void {
    const client = this.#byPublication.get(publication);
    if (client === undefined) {
      // That a writer has gone which was let go before loses nothing.
      if (sample !== undefined && !this.#ignored.has(publication)) {
        this.#ignore(publication, key, "the writer left before it was known");
      }
      return;
    }
    if (sample !== undefined) {
      this.#meter.up += sampleBytes(key, sample.bytes);
      const fault = this.#faultOf(client, key, sample);
      if (fault !== undefined) return this.#refuse(client, fault);
      client.nextSeq = sample.seq + 1n;
      if (sample.body !== undefined) client.inbox.put(sample.body);
    }
    if (!alive) this.#leave(client, GONE);
  }

  /** What a writer may not do, for nothing could answer it. */
  #faultOf(
    client: ClientRoute,
    key: string,
    { seq, bytes, body }: NonNullable<Taken["sample"]>,
  ): string | undefined {
    const { maxMessageBytes } = this.#server;
    if (key !== client.clientId) return `wrote for the client ${JSON.stringify(key)}`;
    if (body === undefined) return `wrote ${bytes} bytes, the limit is ${maxMessageBytes}`;
    if (client.nextSeq !== undefined && seq !== client.nextSeq) {
      return `wrote sample ${seq} after ${
        client.nextSeq - 1n
      }: what is no Envelope, or far too large, never arrives`;
    }
    return undefined;
  }

  #refuse(client: ClientRoute, reason: string): void {
    this.#observeRefusal(client.clientId, reason);
    this.#detach(client, reason);
  }

  /** The client goes; what it wrote is read first. */
  #leave(client: ClientRoute, reason: string): void {
    client.leaving ??= reason;
    client.outbox.close();
    this.#watch.again();
  }

  #detach(client: ClientRoute, reason: string): void {
    void client.inbox.end(reason);
    this.#forget(client, reason);
  }

  #forget(client: ClientRoute, reason: string): void {
    this.#byPublication.delete(client.publication);
    this.#ignored.add(client.publication); // until it is no longer matched
    this.#byId.delete(client.route.id);
    client.newcomer?.left();
    if (this.#byClient.get(client.clientId) === client) this.#byClient.delete(client.clientId);
    this.#options.upcalls.observe({ kind: "disconnected", remote: client.clientId, reason });
    const ended = client.end(performance.now() + FAREWELL_MS)
      .finally(() => this.#ending.delete(ended));
    this.#ending.add(ended);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watch[Symbol.asyncDispose]();
    const deadline = performance.now() + FAREWELL_MS;
    for (const client of this.#byId.values()) {
      client.inbox.discard();
      this.#ending.add(client.end(deadline));
    }
    this.#byId.clear();
    await Promise.all(this.#ending);
  }
}

function askedFor(policy: string): string {
  return `a reader of fl_down in its partition asks for another ${policy} than is offered (reliable, ` +
    "volatile, automatic liveliness), and hears nothing";
}
