/** The dialling side of DDS: a participant of its own, alone in its domain, with one peer. */

import { isClientId } from "../../contract/client_id.ts";
import {
  decodeServerMessage,
  encodeClientMessage,
  readServerMessage,
} from "../../contract/codec.ts";
import { type Connection, ConnectionLost, type Dial } from "../../contract/connection.ts";
import type { ClientMessage, ServerMessage } from "../../contract/federation_pb.ts";
import { shownUrl } from "../../contract/shown_url.ts";
import {
  type Cyclone,
  DATA_AVAILABLE,
  openCyclone,
  PUBLICATION_MATCHED,
  SUBSCRIPTION_MATCHED,
} from "./cyclone.ts";
import { Domain } from "./domain.ts";
import { findLibrary, LIBRARY_ADVICE, LibraryError } from "./library.ts";
import { describePublication, guidOf, matchedPublications } from "./publications.ts";
import { EnvelopeReader, type Taken } from "./reader.ts";
import { Waiter, type Watch } from "./waiter.ts";
import {
  addressOf,
  type DdsAddress,
  isLoopback,
  partitionOf,
  sampleBytes,
  TOPIC_DOWN,
  TOPIC_UP,
} from "./wire.ts";
import { breathe, EnvelopeWriter } from "./writer.ts";

/** UDP tells nobody that nobody listens. */
const MATCH_TIMEOUT_MS = 10_000;
/** A killed client is noticed after it. Cyclone's own threads renew it, however busy the training is. */
const LEASE_MS = 3000;
/** Samples not iterated yet; further ones stay with the server. */
const MAX_SAMPLES = 16;
/** Far above what servers send: parts are 256 KiB unless configured otherwise. */
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
const FAREWELL_MS = 1000;

export const dial: Dial = async (url, { clientId, signal, sealed = false }) => {
  const address = addressOf(url);
  if (!isClientId(clientId)) {
    throw new TypeError(
      `Cannot dial ${shownUrl(url)}: ${clientId} is no client id; use A-Z a-z 0-9 . _ -`,
    );
  }
  const connection = DdsConnection.open(address, { clientId, sealed });
  const patience = AbortSignal.any([signal, AbortSignal.timeout(MATCH_TIMEOUT_MS)]);
  if (await connection.matched(patience)) return connection;
  await connection[Symbol.asyncDispose]();
  const reason = signal.aborted ? "the dialling was given up" : "no server answers there";
  throw new ConnectionLost(`Cannot reach ${url}: ${reason}`);
};

class DdsConnection implements Connection {
  readonly wire = "dds";
  readonly messages: AsyncIterable<ServerMessage>;
  readonly #cyclone: Cyclone;
  readonly #domain: Domain;
  readonly #clientId: string;
  readonly #sealed: boolean;
  readonly #reader: EnvelopeReader;
  readonly #writer: EnvelopeWriter;
  readonly #guid: Uint8Array<ArrayBuffer>;
  readonly #watches: readonly Watch[];
  readonly #matched = Promise.withResolvers<void>();
  readonly #lost = Promise.withResolvers<string>();
  readonly #meter = { up: 0, down: 0 };
  /** The server's writer for this connection, once it is matched. */
  #publication: bigint | undefined;
  #news = Promise.withResolvers<void>();
  #isLost = false;
  #ending: Promise<void> | undefined;
  #sending: Promise<void> = Promise.resolve();
  #disposing: Promise<void> | undefined;

  static open(
    { hostname, port, federation, domain: number }: DdsAddress,
    client: { clientId: string; sealed: boolean },
  ) {
    try {
      const library = findLibrary();
      if (library === undefined) throw new LibraryError(`DDS needs libddsc: ${LIBRARY_ADVICE}`);
      const cyclone = openCyclone(library);
      const domain = Domain.createAny(cyclone, {
        number,
        networkInterface: isLoopback(hostname) ? "127.0.0.1" : undefined,
        port: undefined,
        peers: [`${hostname}:${port}`],
        leaseMs: LEASE_MS,
        maxSampleBytes: 2 * MAX_MESSAGE_BYTES,
      });
      return new DdsConnection(cyclone, domain, federation, client);
    } catch (error) {
      throw new ConnectionLost(error instanceof Error ? error.message : String(error));
    }
  }

  private constructor(
    cyclone: Cyclone,
    domain: Domain,
    federation: string,
    { clientId, sealed }: { clientId: string; sealed: boolean },
  ) {
    this.#cyclone = cyclone;
    this.#domain = domain;
    this.#clientId = clientId;
    this.#sealed = sealed;
    const partition = partitionOf(federation, clientId);
    // The reader first: the server makes its writer when it discovers ours.
    const reader = domain.reader(TOPIC_DOWN, partition, { maxSamples: MAX_SAMPLES });
    const writer = domain.writer(TOPIC_UP, partition, {});
    this.#reader = new EnvelopeReader(cyclone, reader, MAX_MESSAGE_BYTES);
    this.#writer = new EnvelopeWriter(cyclone, writer, clientId);
    this.#guid = guidOf(cyclone, writer);
    cyclone.dds_set_status_mask(reader, DATA_AVAILABLE | SUBSCRIPTION_MATCHED);
    cyclone.dds_set_status_mask(writer, PUBLICATION_MATCHED);
    const triggered = () => this.#triggered();
    this.#watches = [reader, writer].map((entity) => Waiter.watch(cyclone, entity, triggered));
    this.#meet();
    this.messages = this.#iterate();
  }

  get lost(): Promise<string> {
    return this.#lost.promise;
  }

  /** Resolves with true when both ends know each other, with false when the signal fires before. */
  async matched(signal: AbortSignal): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const giveUp = () => resolve(false);
    signal.addEventListener("abort", giveUp);
    if (signal.aborted) giveUp();
    void this.#matched.promise.then(() => resolve(true));
    const matched = await promise;
    signal.removeEventListener("abort", giveUp);
    return matched;
  }

  async send(message: ClientMessage): Promise<void> {
    const sent = this.#sending.then(() => this.#send(message));
    this.#sending = sent.catch(() => {}); // whoever sent it hears of it
    await sent;
  }

  traffic(): { readonly up: number; readonly down: number } {
    return { ...this.#meter };
  }

  async #send(message: ClientMessage): Promise<void> {
    const body = encodeClientMessage(message);
    while (!this.#isLost) {
      const outcome = this.#writer.write(body);
      if (outcome === "full") await this.#writer.room();
      else if (outcome === "gone") this.#lose("the writer is gone");
      else {
        this.#meter.up += sampleBytes(this.#clientId, body.length);
        return await breathe(body.length);
      }
    }
    throw new ConnectionLost(await this.lost);
  }

  async *#iterate(): AsyncGenerator<ServerMessage> {
    while (this.#disposing === undefined) {
      const { promise } = this.#news;
      const isLost = this.#isLost;
      const taken = this.#reader.take();
      for (const each of taken) {
        const message = this.#read(each);
        if (message !== undefined) yield message;
      }
      if (taken.length > 0) continue;
      if (isLost) return;
      await promise;
    }
  }

  /** A sample may be meant for another connection of the same client, which this one takes over. */
  #read({ publication, sample }: Taken): ServerMessage | undefined {
    if (publication !== this.#publication || sample === undefined) return undefined;
    this.#meter.down += sampleBytes(this.#clientId, sample.bytes);
    try {
      const read = this.#sealed ? readServerMessage : decodeServerMessage;
      return sample.body && read(sample.body);
    } catch (error) {
      this.#lose(`The server sent what cannot be read: ${String(error)}`);
      return undefined;
    }
  }

  #triggered(): boolean {
    const heard = this.#takeStatus(this.#reader.entity, DATA_AVAILABLE | SUBSCRIPTION_MATCHED);
    const told = this.#takeStatus(this.#writer.entity, PUBLICATION_MATCHED);
    if (((heard | told) & ~DATA_AVAILABLE) !== 0) this.#meet();
    this.#tell();
    if (this.#disposing !== undefined) this.#discard();
    return false;
  }

  /** The statuses that have changed; 0 for an endpoint that is removed. */
  #takeStatus(endpoint: number, mask: number): number {
    const statuses = new Uint32Array(1);
    this.#cyclone.dds_take_status(endpoint, statuses, mask);
    return statuses[0] ?? 0;
  }

  /** Finds out whether the server knows this connection, still or already. */
  #meet(): void {
    const readers = this.#cyclone.dds_get_matched_subscriptions(this.#writer.entity, null, 0n);
    const publications = [...matchedPublications(this.#cyclone, this.#reader.entity)];
    const own = publications.filter((publication) => this.#isForThis(publication));
    this.#publication ??= own[0];
    if (this.#publication === undefined) return;
    if (own.length !== 1 || own[0] !== this.#publication) {
      this.#lose("the server ended the connection, was restarted or is lost");
    } else if (readers > 0) {
      this.#matched.resolve();
    }
  }

  /** Server's writers say in their user data which writer they answer. */
  #isForThis(publication: bigint): boolean {
    const description = describePublication(this.#cyclone, this.#reader.entity, publication);
    return description?.userData.toHex() === this.#guid.toHex();
  }

  /**
   * The connection is over. Its writer ends at once: left alone it would find the next server at
   * the address, and take this client's newer connection over.
   */
  #lose(reason: string): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#ending = this.#domain.remove(this.#writer.entity).then(() => {
      this.#lost.resolve(reason);
      this.#tell();
    });
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers<void>();
  }

  async #dispose(): Promise<void> {
    const wasLost = this.#isLost;
    this.#isLost = true;
    await this.#ending;
    this.#lost.resolve("the client ended the connection");
    this.#tell();
    await this.#sending;
    this.#discard();
    if (!wasLost) await this.#writer.drained(performance.now() + FAREWELL_MS);
    await Promise.all(this.#watches.map((watch) => watch[Symbol.asyncDispose]()));
    await this.#domain.remove(this.#reader.entity);
    await this.#domain[Symbol.asyncDispose]();
  }

  /** Makes room: a full reader keeps Cyclone from hearing even the acknowledgements it waits for. */
  #discard(): void {
    while (this.#reader.take().length > 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposing ??= this.#dispose();
    await this.#disposing;
  }
}
