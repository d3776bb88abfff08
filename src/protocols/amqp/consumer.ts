/** One basic.consume: takes messages from its queue as prefetch, flow and socket allow. */

import type { Queued } from "./message.ts";
import type { Prefetch } from "./prefetch.ts";
import type { Queue, Taker } from "./queue.ts";

/** The channel a consumer delivers on. */
export interface Deliverer {
  /** Whether a message may go out on the channel now, but for the consumer's own prefetch. */
  takesDelivery(bytes: number, options: { noAck: boolean }): boolean;
  deliver(consumer: Consumer, queued: Queued): void;
  /** The consumer's queue is gone. */
  lost(consumer: Consumer): void;
}

export interface ConsumerSettings {
  readonly tag: string;
  readonly queue: Queue;
  /** Delivered is done with: no acknowledgement, so no prefetch either (1.8 qos). */
  readonly noAck: boolean;
  readonly exclusive: boolean;
  readonly prefetch: Prefetch;
}

export class Consumer implements Taker {
  readonly settings: ConsumerSettings;
  readonly #channel: Deliverer;

  constructor(settings: ConsumerSettings, channel: Deliverer) {
    this.settings = settings;
    this.#channel = channel;
  }

  get exclusive(): boolean {
    return this.settings.exclusive;
  }

  canTake(bytes: number): boolean {
    const { noAck, prefetch } = this.settings;
    return (noAck || prefetch.allows(bytes)) && this.#channel.takesDelivery(bytes, { noAck });
  }

  take(queued: Queued): void {
    this.#channel.deliver(this, queued);
  }

  cancelled(): void {
    this.#channel.lost(this);
  }
}
