/** amqplib as it comes, closed at the end of a scope. */

import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import {
  type Channel,
  type ChannelModel,
  type ConfirmChannel,
  connect,
  type ConsumeMessage,
  type GetMessage,
} from "amqplib";
import { Awaitable } from "../../support/awaitable.ts";

export interface StockOptions {
  readonly clientId?: string;
  readonly frameMax?: number;
}

export class StockClient implements AsyncDisposable {
  readonly model: ChannelModel;
  /** What went wrong with the connection, and whether it is blocked. */
  readonly errors = new Awaitable<Error & { code?: number }>();
  readonly blocked = new Awaitable<boolean>();
  readonly closed: Promise<void>;
  #isClosed = false;

  private constructor(model: ChannelModel) {
    this.model = model;
    model.on("error", (error) => this.errors.push(error));
    model.on("blocked", () => this.blocked.push(true));
    model.on("unblocked", () => this.blocked.push(false));
    this.closed = new Promise((resolve) =>
      model.on("close", () => {
        this.#isClosed = true;
        resolve();
      })
    );
  }

  static async connect(
    url: string,
    { clientId = "client-1", frameMax = 131072 }: StockOptions = {},
  ): Promise<StockClient> {
    const { hostname, port } = new URL(url);
    return new StockClient(
      await connect({ hostname, port: Number(port), username: clientId, password: "", frameMax }, {
        noDelay: true,
      }),
    );
  }

  /** A channel whose errors are taken, so that they do not end the process. */
  async channel(): Promise<Channel> {
    const channel = await this.model.createChannel();
    channel.on("error", () => {});
    return channel;
  }

  async confirmChannel(): Promise<ConfirmChannel> {
    const channel = await this.model.createConfirmChannel();
    channel.on("error", () => {});
    return channel;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isClosed) await this.model.close();
    await this.closed;
  }
}

export function bytes(text: string): Buffer {
  return Buffer.from(text);
}

/** The body of a message that must be there. */
export function textOf(message: GetMessage | ConsumeMessage | false): string {
  assert.ok(message !== false, "the queue is empty");
  return message.content.toString();
}

/** Consumes a queue and keeps what comes; null stands for a cancellation by the server. */
export async function consume(
  channel: Channel,
  queue: string,
  options: Parameters<Channel["consume"]>[2] = {},
): Promise<{ consumerTag: string; heard: Awaitable<ConsumeMessage | null> }> {
  const heard = new Awaitable<ConsumeMessage | null>();
  const { consumerTag } = await channel.consume(queue, (message) => heard.push(message), options);
  return { consumerTag, heard };
}
