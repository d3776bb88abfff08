/** The one virtual host of the endpoint: its exchanges and queues, and who may use them (§3.1.2). */

import { AmqpException } from "./exceptions.ts";
import { Exchange, type ExchangeSettings, type ExchangeType, type Routing } from "./exchange.ts";
import { EMPTY_TABLE, sameTable, type Table } from "./fields.ts";
import { Pool } from "./pool.ts";
import { Queue, type QueueBounds, type QueueSettings } from "./queue.ts";
import { DOWN, UP } from "./wire.ts";

/** §3.1.3: one exchange of each type stands ready; the headers type has two names in use. */
const PREDECLARED: Readonly<Record<string, ExchangeType>> = {
  "amq.direct": "direct",
  "amq.fanout": "fanout",
  "amq.topic": "topic",
  "amq.headers": "headers",
  "amq.match": "headers",
  [UP]: "topic",
  [DOWN]: "direct",
};

export interface VirtualHostBounds {
  readonly maxDeclared: number;
  readonly maxDeclaredPerConnection: number;
  readonly maxBindingsPerQueue: number;
  readonly maxQueueMessages: number;
  readonly maxQueueBytes: number;
  readonly maxHeldBytes: number;
  /**
   * Connections share nothing but fl.up and fl.down, as where tokens are required: what a stranger
   * made would outlive its connection, and take room from those who have a token.
   */
  readonly isPrivate?: boolean;
}

export class VirtualHost {
  readonly #bounds: VirtualHostBounds;
  readonly #queueBounds: QueueBounds;
  readonly #exchanges = new Map<string, Exchange>();
  readonly #queues = new Map<string, Queue>();
  /** The connection that declared each queue and exchange, for its bound. */
  readonly #declarers = new Map<Queue | Exchange, object>();

  /** @param onFull Called when the queues together are full, and when they no longer are. */
  constructor(bounds: VirtualHostBounds, onFull: (full: boolean) => void) {
    this.#bounds = bounds;
    const pool = new Pool(bounds.maxHeldBytes, (full) => {
      if (!full) { for (const queue of this.#queues.values()) queue.pump(); }
      onFull(full);
    });
    this.#queueBounds = {
      maxMessages: bounds.maxQueueMessages,
      maxBytes: bounds.maxQueueBytes,
      pool,
    };
    for (const [name, type] of Object.entries(PREDECLARED)) {
      const settings = { name, type, durable: true, autoDelete: false, internal: false };
      this.#exchanges.set(name, new Exchange({ ...settings, arguments: EMPTY_TABLE }));
    }
  }

  exchange(name: string): Exchange {
    const exchange = this.#exchanges.get(name);
    if (exchange === undefined) throw new AmqpException("NOT_FOUND", `no exchange '${name}'`);
    return exchange;
  }

  /** Finds the exchange if it is there as asked (1.6 declare, rule "equivalent"), or makes it. */
  declareExchange(asked: ExchangeSettings, declarer: object): void {
    const held = this.#exchanges.get(asked.name);
    if (held === undefined) {
      refuseReserved("exchange", asked.name);
      this.requireShared(`exchange '${asked.name}'`);
      this.#admit(declarer);
      const exchange = new Exchange(asked);
      this.#exchanges.set(asked.name, exchange);
      this.#declarers.set(exchange, declarer);
      return;
    }
    const { settings } = held;
    requireSame(`exchange '${asked.name}'`, {
      type: settings.type === asked.type,
      durable: settings.durable === asked.durable,
      "auto-delete": settings.autoDelete === asked.autoDelete,
      internal: settings.internal === asked.internal,
      arguments: sameTable(settings.arguments, asked.arguments),
    });
  }

  deleteExchange(name: string, { ifUnused }: { ifUnused: boolean }): void {
    if (name === "" || Object.hasOwn(PREDECLARED, name)) {
      throw new AmqpException("ACCESS_REFUSED", `exchange '${name}' may not be deleted`);
    }
    const exchange = this.exchange(name);
    if (ifUnused && exchange.isBound) {
      throw new AmqpException("PRECONDITION_FAILED", `exchange '${name}' is in use`);
    }
    this.#removeExchange(exchange);
  }

  #removeExchange(exchange: Exchange): void {
    this.#exchanges.delete(exchange.settings.name);
    this.#declarers.delete(exchange);
  }

  /** @param user The connection that asks: a queue of another one's own is locked to it. */
  queue(name: string, user: object): Queue {
    const queue = this.#queues.get(name);
    if (queue === undefined) throw new AmqpException("NOT_FOUND", `no queue '${name}'`);
    const { owner } = queue.settings;
    if (owner !== undefined && owner !== user) {
      throw new AmqpException("RESOURCE_LOCKED", `queue '${name}' is exclusive to its connection`);
    }
    return queue;
  }

  /** Finds the queue if it is there as asked (1.7 declare, rule "equivalent"), or makes it. */
  declareQueue(asked: QueueSettings, declarer: object): Queue {
    if (asked.name !== "" && this.#queues.has(asked.name)) {
      const queue = this.queue(asked.name, declarer);
      const { settings } = queue;
      requireSame(`queue '${asked.name}'`, {
        durable: settings.durable === asked.durable,
        exclusive: settings.owner === asked.owner,
        "auto-delete": settings.autoDelete === asked.autoDelete,
        arguments: sameTable(settings.arguments, asked.arguments),
      });
      return queue;
    }
    if (asked.name !== "") refuseReserved("queue", asked.name);
    if (asked.owner === undefined) this.requireShared(`queue '${asked.name}', not exclusive`);
    this.#admit(declarer);
    const name = asked.name === "" ? generatedName("amq.gen-") : asked.name;
    const queue = new Queue({ ...asked, name }, this.#queueBounds);
    this.#queues.set(name, queue);
    this.#declarers.set(queue, declarer);
    return queue;
  }

  /** Returns how many messages were ready. */
  deleteQueue(queue: Queue): number {
    this.#queues.delete(queue.settings.name);
    this.#declarers.delete(queue);
    for (const exchange of this.#exchanges.values()) {
      if (exchange.unbindAll(queue)) this.#releaseExchange(exchange);
    }
    return queue.close();
  }

  /** A consumer left the queue, which may go with its last one. */
  releaseQueue(queue: Queue): void {
    const isHeld = this.#queues.get(queue.settings.name) === queue;
    if (isHeld && queue.settings.autoDelete && queue.takerCount === 0) this.deleteQueue(queue);
  }

  #releaseExchange(exchange: Exchange): void {
    if (exchange.settings.autoDelete && !exchange.isBound) this.#removeExchange(exchange);
  }

  bind(queue: Queue, exchange: Exchange, binding: { routingKey: string; arguments: Table }): void {
    let bindings = 0;
    for (const held of this.#exchanges.values()) bindings += held.bindingCount(queue);
    if (bindings >= this.#bounds.maxBindingsPerQueue) {
      throw new AmqpException(
        "RESOURCE_ERROR",
        `queue '${queue.settings.name}' has ${bindings} bindings, which is the limit`,
      );
    }
    exchange.bind(queue, binding);
  }

  unbind(
    queue: Queue,
    exchange: Exchange,
    binding: { routingKey: string; arguments: Table },
  ): void {
    exchange.unbind(queue, binding);
    this.#releaseExchange(exchange);
  }

  /**
   * The queues a message goes to; the default exchange routes by the queue's name (§3.1.3.1). A queue
   * that fl.down feeds takes nothing from anybody else, so that nobody can speak in the server's name.
   */
  route(exchange: string, routing: Routing): Queue[] {
    const named = this.#queues.get(routing.routingKey);
    const queues = exchange !== ""
      ? this.exchange(exchange).route(routing)
      : named === undefined
      ? []
      : [named];
    return queues.filter((queue) => queue.feed === undefined);
  }

  /** @throws {AmqpException} 403 where connections share nothing, and `what` would be shared. */
  requireShared(what: string): void {
    if (!this.#bounds.isPrivate) return;
    throw new AmqpException(
      "ACCESS_REFUSED",
      `${what}: where tokens are required there are exclusive queues, fl.up and fl.down alone`,
    );
  }

  /** A connection is over: its exclusive queues go with it (1.7 declare, exclusive). */
  leave(connection: object): void {
    for (const queue of [...this.#queues.values()]) {
      if (queue.settings.owner === connection) this.deleteQueue(queue);
    }
  }

  /** 506: "may be due to the client creating too many of some type of entity" (§1.2). */
  #admit(declarer: object): void {
    const { maxDeclared, maxDeclaredPerConnection } = this.#bounds;
    if (this.#declarers.size >= maxDeclared) {
      throw new AmqpException(
        "RESOURCE_ERROR",
        `${maxDeclared} queues and exchanges are the limit`,
      );
    }
    let declared = 0;
    for (const other of this.#declarers.values()) if (other === declarer) declared++;
    if (declared >= maxDeclaredPerConnection) {
      throw new AmqpException(
        "RESOURCE_ERROR",
        `${maxDeclaredPerConnection} queues and exchanges are one connection's limit`,
      );
    }
  }
}

/** §3.1.10: names that begin with "amq." are the server's. */
function refuseReserved(what: string, name: string): void {
  if (name === "" || name.startsWith("amq.")) {
    throw new AmqpException("ACCESS_REFUSED", `${what} name '${name}' is reserved`);
  }
}

function requireSame(what: string, fields: Readonly<Record<string, boolean>>): void {
  const other = Object.keys(fields).filter((field) => !fields[field]);
  if (other.length > 0) {
    throw new AmqpException("PRECONDITION_FAILED", `${what} has other ${other.join(", ")}`);
  }
}

/** 128 random bits in 22 characters: nobody guesses another one's queue. */
export function generatedName(prefix: string): string {
  const random = crypto.getRandomValues(new Uint8Array(16));
  return prefix + random.toBase64({ alphabet: "base64url", omitPadding: true });
}
