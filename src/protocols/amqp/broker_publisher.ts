/** The way out to a broker: one confirm channel, every message mandatory. */

import { Buffer } from "node:buffer";
import type { ConfirmChannel } from "amqplib";
import type { BrokerConnection } from "./broker_connection.ts";
import { DOWN } from "./wire.ts";

export class BrokerPublisher {
  readonly #channel: ConfirmChannel;
  /** Message ids of what came back (basic.return), until their confirm, which comes after it. */
  readonly #returned = new Set<string>();
  #nextId = 1;

  private constructor(channel: ConfirmChannel) {
    this.#channel = channel;
    channel.on("return", ({ properties }) => this.#returned.add(String(properties.messageId)));
  }

  /** @param lost Called when the broker closes the channel. */
  static async open(
    { model }: BrokerConnection,
    lost: (reason: string) => void,
  ): Promise<BrokerPublisher> {
    const channel = await model.createConfirmChannel();
    channel.on("error", (error) => lost(error.message));
    return new BrokerPublisher(channel);
  }

  /**
   * Publishes to fl.down. Resolves with the broker's confirm: false, where no queue is bound there.
   * @throws {Error} when the broker does not take it, or the channel ends before.
   */
  publish(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<boolean> {
    const confirmed = Promise.withResolvers<boolean>();
    const messageId = String(this.#nextId++);
    const content = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    // Transient: nothing of a run outlives its server's memory.
    const properties = { contentType: "application/x-protobuf", deliveryMode: 1, messageId };
    try {
      this.#channel.publish(DOWN, key, content, { ...properties, mandatory: true }, (error) => {
        const isReturned = this.#returned.delete(messageId);
        if (error) confirmed.reject(new Error("the broker does not take what is for it"));
        else confirmed.resolve(!isReturned);
      });
    } catch (error) {
      confirmed.reject(error); // the channel is closed
    }
    return confirmed.promise;
  }
}
