/** A DDS participant that keeps to no rule of ours: any partition, any key, any body. */

import { encodeClientMessage } from "../../../src/contract/codec.ts";
import type { ClientMessage } from "../../../src/contract/federation_pb.ts";
import {
  cString,
  PUBLICATION_MATCHED,
  SUBSCRIPTION_MATCHED,
} from "../../../src/protocols/dds/cyclone.ts";
import { Domain } from "../../../src/protocols/dds/domain.ts";
import { topicDescriptor } from "../../../src/protocols/dds/envelope.ts";
import { withQos } from "../../../src/protocols/dds/quality.ts";
import { EnvelopeReader, type Taken } from "../../../src/protocols/dds/reader.ts";
import { Waiter, type Watch } from "../../../src/protocols/dds/waiter.ts";
import { addressOf, TOPIC_DOWN, TOPIC_UP } from "../../../src/protocols/dds/wire.ts";
import { EnvelopeWriter } from "../../../src/protocols/dds/writer.ts";
import { cyclone } from "./library.ts";

/** dds_liveliness_kind */
const MANUAL_BY_TOPIC = 2;
/** dds_reliability_kind */
const BEST_EFFORT = 0;

export interface StrangerOptions {
  readonly partition: string;
  /** The key of what it writes. */
  readonly key: string;
  /** The domain's number; the server's unless given. */
  readonly domain?: number;
  /** Its writer promises nothing, which no reader of the server's takes. */
  readonly bestEffort?: boolean;
  /** Its reader wants writers to say by themselves that they live, which those of the server's do not. */
  readonly demanding?: boolean;
}

export class Stranger implements AsyncDisposable {
  readonly reader: EnvelopeReader;
  readonly writer: EnvelopeWriter;
  readonly #domain: Domain;
  readonly #watches: readonly Watch[];
  #changed = Promise.withResolvers<void>();

  constructor(
    url: string,
    { partition, key, domain: number, bestEffort, demanding }: StrangerOptions,
  ) {
    const address = addressOf(new URL(url));
    this.#domain = Domain.createAny(cyclone, {
      number: number ?? address.domain,
      networkInterface: "127.0.0.1",
      port: undefined,
      peers: [`${address.hostname}:${address.port}`],
      leaseMs: 3000,
      maxSampleBytes: 2 ** 30,
    });
    const reader = demanding
      ? demandingReader(this.#domain, partition)
      : this.#domain.reader(TOPIC_DOWN, partition, {});
    const writer = bestEffort
      ? bestEffortWriter(this.#domain, partition)
      : this.#domain.writer(TOPIC_UP, partition, {});
    this.reader = new EnvelopeReader(cyclone, reader, 2 ** 30);
    this.writer = new EnvelopeWriter(cyclone, writer, key);
    cyclone.dds_set_status_mask(reader, SUBSCRIPTION_MATCHED | 1 << 8);
    cyclone.dds_set_status_mask(writer, PUBLICATION_MATCHED);
    this.#watches = [reader, writer].map((entity) =>
      Waiter.watch(cyclone, entity, () => {
        cyclone.dds_take_status(entity, new Uint32Array(1), 0xffff);
        this.#changed.resolve();
        this.#changed = Promise.withResolvers<void>();
        return false;
      })
    );
  }

  /** Resolves when a reader hears its writer. */
  async heard(): Promise<void> {
    await this.#until(() =>
      cyclone.dds_get_matched_subscriptions(this.writer.entity, null, 0n) > 0 || undefined
    );
  }

  /** Resolves when a writer writes for its reader. */
  async answered(): Promise<void> {
    await this.#until(() => this.#writers() > 0 || undefined);
  }

  /** Resolves when nobody writes for its reader. */
  async abandoned(): Promise<void> {
    await this.#until(() => this.#writers() === 0 || undefined);
  }

  #writers(): number {
    return cyclone.dds_get_matched_publications(this.reader.entity, new BigUint64Array(8), 8n);
  }

  /** The next sample. */
  async next(): Promise<Taken> {
    const [taken] = await this.#until(() => {
      const all = this.reader.take().filter(({ sample }) => sample !== undefined);
      return all.length > 0 ? all : undefined;
    });
    if (taken === undefined) throw new Error("nothing was taken");
    return taken;
  }

  async write(message: ClientMessage | Uint8Array<ArrayBuffer>): Promise<void> {
    const body = message instanceof Uint8Array ? message : encodeClientMessage(message);
    while (this.writer.write(body) === "full") await this.writer.room();
  }

  async #until<T>(look: () => T | undefined): Promise<T> {
    for (;;) {
      const { promise } = this.#changed;
      const found = look();
      if (found !== undefined) return found;
      await promise;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#watches.map((watch) => watch[Symbol.asyncDispose]()));
    await this.#domain[Symbol.asyncDispose]();
  }
}

function bestEffortWriter({ participant }: Domain, partition: string): number {
  const publisher = withQos(
    cyclone,
    { partition },
    (qos) => cyclone.dds_create_publisher(participant, qos, null),
  );
  const topic = cyclone.dds_create_topic(
    participant,
    topicDescriptor(),
    cString(TOPIC_UP),
    null,
    null,
  );
  return withQos(cyclone, {}, (qos) => {
    cyclone.dds_qset_reliability(qos, BEST_EFFORT, 0n);
    return cyclone.dds_create_writer(publisher, topic, qos, null);
  });
}

function demandingReader({ participant }: Domain, partition: string): number {
  const subscriber = withQos(
    cyclone,
    { partition },
    (qos) => cyclone.dds_create_subscriber(participant, qos, null),
  );
  const topic = cyclone.dds_create_topic(
    participant,
    topicDescriptor(),
    cString(TOPIC_DOWN),
    null,
    null,
  );
  return withQos(cyclone, {}, (qos) => {
    cyclone.dds_qset_liveliness(qos, MANUAL_BY_TOPIC, 3_000_000_000n);
    return cyclone.dds_create_reader(subscriber, topic, qos, null);
  });
}
