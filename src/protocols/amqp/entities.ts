/** The methods of classes exchange and queue (1.6, 1.7), carried out for one channel. */

import { AmqpException } from "./exceptions.ts";
import { isExchangeType } from "./exchange.ts";
import type { Table } from "./fields.ts";
import type { Membership } from "./membership.ts";
import type { Method, MethodFields, MethodName } from "./methods.ts";
import type { Queue } from "./queue.ts";
import type { VirtualHost } from "./vhost.ts";
import { DOWN, UP } from "./wire.ts";

/** The methods that `Entities.accept` takes. */
export type EntityMethod = Extract<
  Method,
  {
    name:
      | `exchange.${"declare" | "delete"}`
      | `queue.${"declare" | "bind" | "unbind" | "purge" | "delete"}`;
  }
>;

/** Sends a method on the channel. */
export type Reply = <N extends MethodName>(name: N, fields: MethodFields<N>) => void;

export interface EntitiesOptions {
  readonly vhost: VirtualHost;
  readonly membership: Membership;
  /** The connection, as owner of exclusive queues. */
  readonly owner: object;
  readonly reply: Reply;
}

export class Entities {
  readonly #options: EntitiesOptions;
  /** The queue last declared on the channel: what an empty name means (1.7 bind, "queue-known"). */
  #lastQueue = "";

  constructor(options: EntitiesOptions) {
    this.#options = options;
  }

  accept(method: EntityMethod): void {
    switch (method.name) {
      case "exchange.declare":
        return this.#declareExchange(method.fields);
      case "exchange.delete":
        return this.#deleteExchange(method.fields);
      case "queue.declare":
        return this.#declareQueue(method.fields);
      case "queue.bind":
        return this.#bind(method.fields);
      case "queue.unbind":
        return this.#unbind(method.fields);
      case "queue.purge":
        return this.#purge(method.fields);
      case "queue.delete":
        return this.#deleteQueue(method.fields);
      default:
        method satisfies never;
    }
  }

  /** A queue by name; the last one declared on the channel where the name is empty. */
  queue(name: string): Queue {
    const known = this.#known(name);
    return this.#options.vhost.queue(known, this.#options.owner);
  }

  #known(name: string): string {
    if (name !== "") return name;
    if (this.#lastQueue === "") {
      throw new AmqpException("NOT_ALLOWED", "no queue was named, and none declared before");
    }
    return this.#lastQueue;
  }

  #declareExchange(fields: MethodFields<"exchange.declare">): void {
    const { vhost, owner, reply } = this.#options;
    const { exchange: name, type, durable, autoDelete, internal } = fields;
    if (fields.passive) {
      if (name !== "") vhost.exchange(name);
    } else {
      if (!isExchangeType(type)) {
        // 1.6 declare, rule "support"
        throw new AmqpException("COMMAND_INVALID", `no exchange type '${type}'`);
      }
      refuseArguments("exchange.declare", fields.arguments);
      const settings = { name, type, durable, autoDelete, internal, arguments: fields.arguments };
      vhost.declareExchange(settings, owner);
    }
    if (!fields.noWait) reply("exchange.declare-ok", {});
  }

  #deleteExchange(fields: MethodFields<"exchange.delete">): void {
    this.#options.vhost.deleteExchange(fields.exchange, { ifUnused: fields.ifUnused });
    if (!fields.noWait) this.#options.reply("exchange.delete-ok", {});
  }

  #declareQueue(fields: MethodFields<"queue.declare">): void {
    const { vhost, owner, reply } = this.#options;
    let queue: Queue;
    if (fields.passive) {
      queue = this.queue(fields.queue);
    } else {
      refuseArguments("queue.declare", fields.arguments);
      queue = vhost.declareQueue({
        name: fields.queue,
        durable: fields.durable,
        owner: fields.exclusive ? owner : undefined,
        autoDelete: fields.autoDelete,
        arguments: fields.arguments,
      }, owner);
    }
    const { name } = queue.settings;
    this.#lastQueue = name;
    const counts = { messageCount: queue.readyCount, consumerCount: queue.takerCount };
    if (!fields.noWait) reply("queue.declare-ok", { queue: name, ...counts });
  }

  #bind(fields: MethodFields<"queue.bind">): void {
    const { vhost, membership, reply } = this.#options;
    const queue = this.queue(fields.queue);
    const routingKey = this.#bindingKey(fields, queue);
    if (fields.exchange === DOWN) membership.bind(queue, routingKey);
    else {
      const exchange = vhost.exchange(bindable(fields.exchange));
      vhost.bind(queue, exchange, { routingKey, arguments: fields.arguments });
    }
    if (!fields.noWait) reply("queue.bind-ok", {});
  }

  #unbind(fields: MethodFields<"queue.unbind">): void {
    const { vhost, membership, reply } = this.#options;
    const queue = this.queue(fields.queue);
    const routingKey = this.#bindingKey(fields, queue);
    if (fields.exchange === DOWN) membership.unbind(queue, routingKey);
    else {
      const exchange = vhost.exchange(bindable(fields.exchange));
      vhost.unbind(queue, exchange, { routingKey, arguments: fields.arguments });
    }
    reply("queue.unbind-ok", {});
  }

  /** With neither queue nor key, the last queue's name is the key too (1.7 bind, routing-key). */
  #bindingKey(fields: { queue: string; routingKey: string }, queue: Queue): string {
    const isImplied = fields.queue === "" && fields.routingKey === "";
    return isImplied ? queue.settings.name : fields.routingKey;
  }

  #purge(fields: MethodFields<"queue.purge">): void {
    const messageCount = this.queue(fields.queue).purge();
    if (!fields.noWait) this.#options.reply("queue.purge-ok", { messageCount });
  }

  #deleteQueue(fields: MethodFields<"queue.delete">): void {
    const queue = this.queue(fields.queue);
    const { name } = queue.settings;
    if (fields.ifUnused && queue.takerCount > 0) {
      throw new AmqpException("PRECONDITION_FAILED", `queue '${name}' has consumers`);
    }
    if (fields.ifEmpty && queue.readyCount > 0) {
      throw new AmqpException("PRECONDITION_FAILED", `queue '${name}' has messages`);
    }
    const messageCount = this.#options.vhost.deleteQueue(queue);
    if (!fields.noWait) this.#options.reply("queue.delete-ok", { messageCount });
  }
}

/** Queues are on the default exchange by themselves; what clients upload is for the server alone. */
function bindable(exchange: string): string {
  if (exchange === "" || exchange === UP) {
    throw new AmqpException("ACCESS_REFUSED", `exchange '${exchange}' takes no bindings`);
  }
  return exchange;
}

/** Extensions a client asks for and would miss silently: time to live, dead letters, priorities, ... */
export function refuseArguments(method: MethodName, given: Table): void {
  for (const [name, value] of given) {
    const isClassic = name === "x-queue-type" && value.type === "S" &&
      new TextDecoder().decode(value.value) === "classic";
    if (!isClassic) {
      throw new AmqpException("NOT_IMPLEMENTED", `${method} with argument '${name}'`);
    }
  }
}
