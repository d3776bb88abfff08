/** A stock AMQP client that knows exchanges and keys from wire.md alone: no reply-to, no last word. */

import type { Buffer } from "node:buffer";
import { type ChannelModel, connect } from "amqplib";
import { decodeServerMessage } from "../../../src/contract/codec.ts";
import type { ServerMessage } from "../../../src/contract/federation_pb.ts";
import { Awaitable } from "../../support/awaitable.ts";

export class AmqpStranger implements AsyncDisposable {
  readonly heard = new Awaitable<ServerMessage>();
  readonly #model: ChannelModel;

  private constructor(model: ChannelModel) {
    this.#model = model;
  }

  /** @param options.declares Makes sure that the exchanges are there, as wire.md describes them. */
  static async join(
    url: string,
    clientId: string,
    { declares = false }: { declares?: boolean } = {},
  ): Promise<AmqpStranger> {
    const stranger = new AmqpStranger(await connect(url));
    const channel = await stranger.#model.createChannel();
    if (declares) {
      await channel.assertExchange("fl.up", "topic", { durable: true });
      await channel.assertExchange("fl.down", "direct", { durable: true });
    }
    const { queue } = await channel.assertQueue("", { exclusive: true });
    await channel.bindQueue(queue, "fl.down", `default.${clientId}`);
    await channel.consume(queue, (delivery) => {
      if (delivery !== null) stranger.heard.push(decodeServerMessage(delivery.content));
    }, { noAck: true });
    return stranger;
  }

  /** Resolves once the broker has it. */
  async publish(key: string, body: Buffer): Promise<void> {
    const channel = await this.#model.createConfirmChannel();
    channel.publish("fl.up", key, body);
    await channel.waitForConfirms();
    await channel.close();
  }

  /** Its queue goes with its connection, as RabbitMQ's close-ok says. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#model.close();
  }
}
