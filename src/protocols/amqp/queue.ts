/** A queue: messages in order, and the consumers that take them in turn (§3.1.4, §4.7). */

import type { Table } from "./fields.ts";
import { type Message, type Queued, weightBytes } from "./message.ts";
import type { Pool } from "./pool.ts";

/** Who takes messages: one basic.consume. */
export interface Taker {
  readonly exclusive: boolean;
  /** Whether a message of so many bytes may be delivered now: prefetch, flow and socket allow it. */
  canTake(bytes: number): boolean;
  take(queued: Queued): void;
  /** The queue is gone. */
  cancelled(): void;
}

/**
 * Where messages come from one by one, only as a consumer can take them. A queue with a feed takes
 * messages from nobody else.
 */
export interface Feed {
  /** The next message, which stays; undefined where none waits. */
  peek(): Message | undefined;
  /** Gives the message just looked at away: it has been taken. */
  shift(): void;
  /** The queue is gone. */
  closed(): void;
}

export interface QueueSettings {
  readonly name: string;
  /** Kept for the check of equivalence: nothing here outlives the endpoint. */
  readonly durable: boolean;
  /** The connection that alone may use the queue, and with which it goes. */
  readonly owner: object | undefined;
  /** Goes with its last consumer. */
  readonly autoDelete: boolean;
  readonly arguments: Table;
}

export interface QueueBounds {
  readonly maxMessages: number;
  readonly maxBytes: number;
  readonly pool: Pool;
}

export class Queue {
  readonly settings: QueueSettings;
  readonly #bounds: QueueBounds;
  /** In order of their places. */
  #ready: Queued[] = [];
  readonly #takers: Taker[] = [];
  #feed: Feed | undefined;
  #nextPlace = 1;
  #nextTaker = 0;
  /** Ready and unacknowledged ones. */
  #heldMessages = 0;
  #heldBytes = 0;
  #closed = false;

  constructor(settings: QueueSettings, bounds: QueueBounds) {
    this.settings = settings;
    this.#bounds = bounds;
  }

  /** Messages that could be delivered now. */
  get readyCount(): number {
    return this.#ready.length;
  }

  get takerCount(): number {
    return this.#takers.length;
  }

  /** A consumer has the queue for itself. */
  get takenExclusively(): boolean {
    return this.#takers.some((taker) => taker.exclusive);
  }

  get feed(): Feed | undefined {
    return this.#feed;
  }

  set feed(feed: Feed | undefined) {
    this.#feed = feed;
    this.pump();
  }

  /** Takes a message in at the end, and delivers it if that can be; false when a bound forbids it. */
  offer(message: Message): boolean {
    const queued = this.#hold(message);
    if (queued === undefined) return false;
    this.#ready.push(queued);
    this.pump();
    return true;
  }

  #hold(message: Message): Queued | undefined {
    const bytes = weightBytes(message);
    if (!this.#fits(bytes) || !this.#bounds.pool.take(bytes)) return undefined;
    this.#heldMessages++;
    this.#heldBytes += bytes;
    return { message, place: this.#nextPlace++, redelivered: false };
  }

  /** A message larger than the bound still passes, alone. */
  #fits(bytes: number): boolean {
    const { maxMessages, maxBytes } = this.#bounds;
    return !this.#closed && this.#heldMessages < maxMessages &&
      (this.#heldMessages === 0 || this.#heldBytes + bytes <= maxBytes);
  }

  /** Gives the next message away; it stays held until `settle` or `requeue`. */
  take(): Queued | undefined {
    const first = this.#ready.shift();
    if (first !== undefined) return first;
    const message = this.#feed?.peek();
    const queued = message === undefined ? undefined : this.#hold(message);
    if (queued !== undefined) this.#feed?.shift();
    return queued;
  }

  /** What the next message weighs for a consumer: its body. */
  #nextBytes(): number | undefined {
    return (this.#ready[0]?.message ?? this.#feed?.peek())?.body.length;
  }

  /** A message that was given away is done with. */
  settle(queued: Queued): void {
    if (this.#closed) return;
    const bytes = weightBytes(queued.message);
    this.#heldMessages--;
    this.#heldBytes -= bytes;
    this.#bounds.pool.give(bytes);
  }

  /** Puts messages back where they were. */
  requeue(queued: readonly Queued[]): void {
    if (this.#closed) return;
    for (const entry of queued) entry.redelivered = true;
    const back = queued.toSorted((left, right) => left.place - right.place);
    const merged: Queued[] = [];
    for (const ready of this.#ready) {
      while (back[0] !== undefined && back[0].place < ready.place) {
        merged.push(...back.splice(0, 1));
      }
      merged.push(ready);
    }
    this.#ready = merged.concat(back);
    this.pump();
  }

  add(taker: Taker): void {
    this.#takers.push(taker);
    this.pump();
  }

  remove(taker: Taker): void {
    const at = this.#takers.indexOf(taker);
    if (at !== -1) this.#takers.splice(at, 1);
  }

  /** Delivers as long as there is a message and a consumer that can take it, in turn. */
  pump(): void {
    for (;;) {
      const bytes = this.#nextBytes();
      if (bytes === undefined) return;
      const taker = this.#takerFor(bytes);
      if (taker === undefined) return;
      const queued = this.take();
      if (queued === undefined) return;
      taker.take(queued);
    }
  }

  #takerFor(bytes: number): Taker | undefined {
    for (let turn = 0; turn < this.#takers.length; turn++) {
      const at = (this.#nextTaker + turn) % this.#takers.length;
      const taker = this.#takers[at];
      if (taker?.canTake(bytes)) {
        this.#nextTaker = at + 1;
        return taker;
      }
    }
    return undefined;
  }

  /** Drops what is ready; what was delivered stays with its consumers (1.7 purge). */
  purge(): number {
    const dropped = this.#ready.splice(0);
    for (const queued of dropped) this.settle(queued);
    return dropped.length;
  }

  /** The queue is deleted: its consumers and its feed are told. Returns how many were ready. */
  close(): number {
    const dropped = this.purge();
    this.#closed = true;
    this.#bounds.pool.give(this.#heldBytes);
    for (const taker of this.#takers.splice(0)) taker.cancelled();
    this.#feed?.closed();
    this.#feed = undefined;
    return dropped;
  }
}
