/** One Cyclone domain of this process, its one participant, and the endpoints made in it. */

import { configuration, type DomainOptions } from "./configuration.ts";
import { check, cString, type Cyclone, DdsError, PRECONDITION_NOT_MET } from "./cyclone.ts";
import { topicDescriptor } from "./envelope.ts";
import { type Quality, withQos } from "./quality.ts";

/** Numbers that `createAny` chooses from; a server's own number is below (see claim.ts). */
const FIRST_ANY = 0x0100_0000;
const ANY_COUNT = 0x7000_0000;

export class Domain implements AsyncDisposable {
  readonly #cyclone: Cyclone;
  readonly #domain: number;
  readonly participant: number;
  readonly #topics = new Map<string, number>();

  private constructor(cyclone: Cyclone, domain: number, participant: number) {
    this.#cyclone = cyclone;
    this.#domain = domain;
    this.participant = participant;
  }

  /**
   * @param id The process's number for the domain; the one on the wire is `options.number`.
   * @throws {DdsError} PRECONDITION_NOT_MET when the process has a domain of that number.
   */
  static create(cyclone: Cyclone, id: number, options: DomainOptions): Domain {
    const xml = configuration(options, cyclone.dds_dynamic_type_create !== null);
    const domain = cyclone.dds_create_domain(id, cString(xml));
    check(cyclone, "create a DDS domain", domain);
    const participant = cyclone.dds_create_participant(id, null, null);
    if (participant < 0) void cyclone.dds_delete(domain);
    return new Domain(cyclone, domain, check(cyclone, "create a DDS participant", participant));
  }

  /** Makes a domain of a number that the process does not use. */
  static createAny(cyclone: Cyclone, options: DomainOptions): Domain {
    for (;;) {
      const id = FIRST_ANY + Math.floor(Math.random() * ANY_COUNT);
      try {
        return Domain.create(cyclone, id, options);
      } catch (error) {
        if (!(error instanceof DdsError) || error.code !== PRECONDITION_NOT_MET) throw error;
      }
    }
  }

  /** A reader alone in its subscriber, for the partition is the subscriber's. */
  reader(topic: string, partition: string, quality: Quality): number {
    const subscriber = withQos(
      this.#cyclone,
      { partition },
      (qos) => this.#cyclone.dds_create_subscriber(this.participant, qos, null),
    );
    check(this.#cyclone, "create a DDS subscriber", subscriber);
    const reader = withQos(
      this.#cyclone,
      quality,
      (qos) => this.#cyclone.dds_create_reader(subscriber, this.#topic(topic), qos, null),
    );
    return check(this.#cyclone, "create a DDS reader", reader);
  }

  /** A writer alone in its publisher, for the partition is the publisher's. */
  writer(topic: string, partition: string, quality: Quality): number {
    const publisher = withQos(
      this.#cyclone,
      { partition },
      (qos) => this.#cyclone.dds_create_publisher(this.participant, qos, null),
    );
    check(this.#cyclone, "create a DDS publisher", publisher);
    const writer = withQos(
      this.#cyclone,
      quality,
      (qos) => this.#cyclone.dds_create_writer(publisher, this.#topic(topic), qos, null),
    );
    return check(this.#cyclone, "create a DDS writer", writer);
  }

  /** Deletes a reader or writer and what was made for it alone. */
  async remove(endpoint: number): Promise<void> {
    await this.#cyclone.dds_delete(this.#cyclone.dds_get_parent(endpoint));
  }

  #topic(name: string): number {
    const known = this.#topics.get(name);
    if (known !== undefined) return known;
    const topic = this.#cyclone.dds_create_topic(
      this.participant,
      topicDescriptor(),
      cString(name),
      null,
      null,
    );
    this.#topics.set(name, check(this.#cyclone, "create a DDS topic", topic));
    return topic;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cyclone.dds_delete(this.#domain);
  }
}
