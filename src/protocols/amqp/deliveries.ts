/** What a channel has delivered and not yet heard of: delivery tags and their fates (1.8, §4.7). */

import type { Consumer } from "./consumer.ts";
import { AmqpException } from "./exceptions.ts";
import type { Queued } from "./message.ts";
import type { Prefetch } from "./prefetch.ts";
import type { Queue } from "./queue.ts";

interface Delivery {
  readonly queued: Queued;
  readonly queue: Queue;
  /** Undefined for basic.get. */
  readonly consumer: Consumer | undefined;
  /** The channel's own limit, as it was when the message was delivered. */
  readonly shared: Prefetch;
}

export class Deliveries {
  /** In the order of their tags, as a Map keeps what is set in ascending order. */
  readonly #unsettled = new Map<number, Delivery>();
  #lastTag = 0;

  /** The tag of the next delivery: never 0, which means "all" in an acknowledgement. */
  nextTag(): number {
    return ++this.#lastTag;
  }

  hold(tag: number, delivery: Delivery): void {
    const bytes = delivery.queued.message.body.length;
    delivery.consumer?.settings.prefetch.hold(bytes);
    if (delivery.consumer !== undefined) delivery.shared.hold(bytes);
    this.#unsettled.set(tag, delivery);
  }

  /** basic.ack, or basic.nack and basic.reject without requeue. */
  settle(tag: bigint, options: { multiple: boolean }): void {
    for (const { queue, queued } of this.#release(tag, options)) queue.settle(queued);
  }

  /** basic.nack and basic.reject with requeue. */
  requeue(tag: bigint, options: { multiple: boolean }): void {
    putBack(this.#release(tag, options));
  }

  /** basic.recover, and the end of the channel. */
  requeueAll(): void {
    putBack(this.#release(0n, { multiple: true }));
  }

  /** @throws {AmqpException} 406 for a tag that is not unsettled (1.8 ack, rule "exists"). */
  #release(tag: bigint, { multiple }: { multiple: boolean }): Delivery[] {
    const last = Number(tag);
    if (!(multiple && last === 0) && !this.#unsettled.has(last)) {
      throw new AmqpException("PRECONDITION_FAILED", `no delivery ${tag} waits for a settlement`);
    }
    const released: Delivery[] = [];
    for (const [each, delivery] of multiple ? this.#unsettled : this.#one(last)) {
      if (multiple && last !== 0 && each > last) break;
      this.#unsettled.delete(each);
      released.push(delivery);
      const bytes = delivery.queued.message.body.length;
      delivery.consumer?.settings.prefetch.release(bytes);
      if (delivery.consumer !== undefined) delivery.shared.release(bytes);
    }
    return released;
  }

  #one(tag: number): [number, Delivery][] {
    const delivery = this.#unsettled.get(tag);
    return delivery === undefined ? [] : [[tag, delivery]];
  }
}

function putBack(deliveries: readonly Delivery[]): void {
  const byQueue = Map.groupBy(deliveries, (delivery) => delivery.queue);
  for (const [queue, group] of byQueue) queue.requeue(group.map((delivery) => delivery.queued));
}
