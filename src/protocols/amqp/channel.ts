/** One channel: its methods, the contents published on it, its consumers and deliveries (1.5, 1.8). */

import { Consumer, type Deliverer } from "./consumer.ts";
import { Deliveries } from "./deliveries.ts";
import { Entities, type EntityMethod, refuseArguments } from "./entities.ts";
import { AmqpException, REPLY_CODES } from "./exceptions.ts";
import { contentFrames, type Frame, FrameType, methodFrame } from "./frames.ts";
import { Incoming, type Published } from "./incoming.ts";
import type { Membership } from "./membership.ts";
import type { Queued } from "./message.ts";
import {
  decodeMethod,
  encodeMethod,
  type Method,
  type MethodFields,
  type MethodName,
  METHODS,
} from "./methods.ts";
import type { Outbox } from "./outbox.ts";
import type { Pool } from "./pool.ts";
import { Prefetch } from "./prefetch.ts";
import { generatedName, type VirtualHost } from "./vhost.ts";
import { type Confirm, DOWN, UP } from "./wire.ts";

const UNLIMITED = { maxMessages: 0, maxBytes: 0 };

export interface ChannelOptions {
  readonly number: number;
  /** The connection, as owner of exclusive queues. */
  readonly owner: object;
  readonly vhost: VirtualHost;
  readonly membership: Membership;
  readonly outbox: Outbox;
  readonly frameMaxBytes: number;
  readonly maxMessageBytes: number;
  /** Bytes of the connection's contents whose frames are still to come. */
  readonly unfinished: Pool;
  readonly maxConsumers: number;
  /** The client understands a basic.cancel from the server (capability consumer_cancel_notify). */
  readonly notifiesCancel: boolean;
  /** The channel is closed, by whichever side, and its number free. */
  readonly closed: () => void;
}

export class Channel implements Deliverer {
  readonly #options: ChannelOptions;
  readonly #entities: Entities;
  readonly #consumers = new Map<string, Consumer>();
  readonly #deliveries = new Deliveries();
  /** What was said by basic.qos: to each later consumer, and shared by all of the channel. */
  #own = UNLIMITED;
  #shared = new Prefetch(UNLIMITED);
  #flowing = true;
  #confirming = false;
  #publishedCount = 0;
  #incoming: Incoming | undefined;
  #open = true;

  constructor(options: ChannelOptions) {
    this.#options = options;
    this.#entities = new Entities({
      ...options,
      reply: (name, fields) => this.#reply(name, fields),
    });
  }

  /**
   * Takes a frame of this channel. Resolves once the connection may be read on.
   * @throws {AmqpException} for what must not be.
   */
  accept(frame: Frame): Promise<void> | undefined {
    if (frame.type === FrameType.METHOD) return this.#method(frame.payload);
    if (!this.#open) return undefined;
    try {
      if (this.#incoming === undefined) {
        throw new AmqpException("UNEXPECTED_FRAME", "a content frame without a method before it");
      }
      const published = frame.type === FrameType.HEADER
        ? this.#incoming.header(frame.payload)
        : this.#incoming.body(frame.payload);
      if (published === undefined) return undefined;
      this.#incoming = undefined;
      return this.#publish(published);
    } catch (error) {
      throw blame(error, "basic.publish");
    }
  }

  #method(payload: Uint8Array): Promise<void> | undefined {
    const method = decodeMethod(payload);
    if (!this.#open) {
      // 1.5 close, rule "stability": after Close, everything but Close and Close-Ok is discarded
      if (method instanceof AmqpException) return undefined;
      if (method.name === "channel.close") this.#reply("channel.close-ok", {});
      if (method.name === "channel.close-ok") this.#options.closed();
      return undefined;
    }
    if (method instanceof AmqpException) throw method;
    try {
      if (this.#incoming !== undefined) {
        // §4.2.6: a frame that is no content ends the content, which is incomplete then
        throw new AmqpException("UNEXPECTED_FRAME", `${method.name} within a content`);
      }
      this.#dispatch(method);
    } catch (error) {
      throw blame(error, method.name);
    }
    return undefined;
  }

  #dispatch(method: Method): void {
    switch (method.name) {
      case "channel.flow":
        this.#flowing = method.fields.active;
        this.#reply("channel.flow-ok", { active: this.#flowing });
        return this.pump();
      case "channel.open":
        // 1.5 open, rule "state"
        throw new AmqpException("CHANNEL_ERROR", "the channel is open already");
      case "channel.close":
        this.end();
        this.#reply("channel.close-ok", {});
        return this.#options.closed();
      case "exchange.declare":
      case "exchange.delete":
      case "queue.declare":
      case "queue.bind":
      case "queue.unbind":
      case "queue.purge":
      case "queue.delete":
        return this.#entities.accept(method satisfies EntityMethod);
      case "basic.qos":
        return this.#qos(method.fields);
      case "basic.consume":
        return this.#consume(method.fields);
      case "basic.cancel":
        return this.#cancel(method.fields);
      case "basic.publish":
        return this.#announce(method.fields);
      case "basic.get":
        return this.#get(method.fields);
      case "basic.ack":
        this.#deliveries.settle(method.fields.deliveryTag, method.fields);
        return this.pump();
      case "basic.reject":
        return this.#refuse({ ...method.fields, multiple: false });
      case "basic.nack":
        return this.#refuse(method.fields);
      case "basic.recover":
      case "basic.recover-async":
        return this.#recover(method);
      case "confirm.select":
        this.#confirming = true;
        if (!method.fields.noWait) this.#reply("confirm.select-ok", {});
        return;
      case "tx.select":
      case "tx.commit":
      case "tx.rollback":
      case "exchange.bind":
      case "exchange.unbind":
        throw new AmqpException("NOT_IMPLEMENTED", `${method.name} is not implemented`);
      default:
        throw new AmqpException("COMMAND_INVALID", `${method.name} has no place here`);
    }
  }

  #reply<N extends MethodName>(name: N, fields: MethodFields<N>): void {
    this.#options.outbox.push(methodFrame(this.#options.number, name, fields));
  }

  /** Sends a message with the method that announces it. */
  #content(method: Uint8Array, message: { properties: Uint8Array; body: Uint8Array }): void {
    const { number, outbox, frameMaxBytes } = this.#options;
    outbox.push(contentFrames(number, { ...message, method }, frameMaxBytes));
  }

  #qos(fields: MethodFields<"basic.qos">): void {
    const limits = { maxMessages: fields.prefetchCount, maxBytes: fields.prefetchSize };
    // As RabbitMQ and its clients have it: each new consumer's own, or shared by the channel's.
    if (fields.global) this.#shared = new Prefetch(limits);
    else this.#own = limits;
    this.#reply("basic.qos-ok", {});
    this.pump();
  }

  #consume(fields: MethodFields<"basic.consume">): void {
    const { noAck, exclusive } = fields;
    const queue = this.#entities.queue(fields.queue);
    const { name } = queue.settings;
    refuseArguments("basic.consume", fields.arguments);
    if (fields.noLocal) {
      throw new AmqpException("NOT_IMPLEMENTED", "basic.consume with no-local is not implemented");
    }
    if (this.#consumers.has(fields.consumerTag)) {
      throw new AmqpException("NOT_ALLOWED", `consumer tag '${fields.consumerTag}' is in use`);
    }
    if (queue.takenExclusively || (exclusive && queue.takerCount > 0)) {
      throw new AmqpException("ACCESS_REFUSED", `queue '${name}' has another consumer`);
    }
    if (this.#consumers.size >= this.#options.maxConsumers) {
      throw new AmqpException("RESOURCE_ERROR", `${this.#consumers.size} consumers are the limit`);
    }
    const tag = fields.consumerTag === "" ? generatedName("amq.ctag-") : fields.consumerTag;
    const settings = { tag, queue, noAck, exclusive, prefetch: new Prefetch(this.#own) };
    const consumer = new Consumer(settings, this);
    this.#consumers.set(tag, consumer);
    if (!fields.noWait) this.#reply("basic.consume-ok", { consumerTag: tag });
    queue.add(consumer);
  }

  #cancel({ consumerTag, noWait }: MethodFields<"basic.cancel">): void {
    const consumer = this.#consumers.get(consumerTag);
    if (consumer !== undefined) this.#remove(consumer);
    if (!noWait) this.#reply("basic.cancel-ok", { consumerTag });
    if (consumer !== undefined) this.#options.vhost.releaseQueue(consumer.settings.queue);
  }

  #remove(consumer: Consumer): void {
    this.#consumers.delete(consumer.settings.tag);
    consumer.settings.queue.remove(consumer);
  }

  takesDelivery(bytes: number, { noAck }: { noAck: boolean }): boolean {
    return this.#open && this.#flowing && (noAck || this.#shared.allows(bytes)) &&
      this.#options.outbox.takesBulk();
  }

  deliver(consumer: Consumer, queued: Queued): void {
    const { tag: consumerTag, queue, noAck } = consumer.settings;
    const { exchange, routingKey } = queued.message;
    const { redelivered } = queued;
    const tag = this.#deliveries.nextTag();
    if (!noAck) this.#deliveries.hold(tag, { queued, queue, consumer, shared: this.#shared });
    const fields = { consumerTag, deliveryTag: BigInt(tag), redelivered, exchange, routingKey };
    this.#content(encodeMethod("basic.deliver", fields), queued.message);
    if (noAck) queue.settle(queued);
  }

  lost(consumer: Consumer): void {
    const { tag: consumerTag } = consumer.settings;
    this.#consumers.delete(consumerTag);
    if (this.#open && this.#options.notifiesCancel) {
      this.#reply("basic.cancel", { consumerTag, noWait: true });
    }
  }

  #get({ queue: name, noAck }: MethodFields<"basic.get">): void {
    const queue = this.#entities.queue(name);
    if (queue.takenExclusively) {
      throw new AmqpException("ACCESS_REFUSED", `queue '${queue.settings.name}' has a consumer`);
    }
    const queued = queue.take();
    if (queued === undefined) return this.#reply("basic.get-empty", { reserved1: "" });
    const { exchange, routingKey } = queued.message;
    const { redelivered } = queued;
    const tag = this.#deliveries.nextTag();
    const shared = this.#shared;
    if (!noAck) this.#deliveries.hold(tag, { queued, queue, consumer: undefined, shared });
    const messageCount = queue.readyCount;
    const fields = { deliveryTag: BigInt(tag), redelivered, exchange, routingKey, messageCount };
    this.#content(encodeMethod("basic.get-ok", fields), queued.message);
    if (noAck) queue.settle(queued);
  }

  #refuse(fields: MethodFields<"basic.nack">): void {
    if (fields.requeue) this.#deliveries.requeue(fields.deliveryTag, fields);
    else this.#deliveries.settle(fields.deliveryTag, fields);
    this.pump();
  }

  #recover(method: Method<"basic.recover" | "basic.recover-async">): void {
    if (!method.fields.requeue) {
      throw new AmqpException(
        "NOT_IMPLEMENTED",
        `${method.name} without requeue is not implemented`,
      );
    }
    if (method.name === "basic.recover") this.#reply("basic.recover-ok", {});
    this.#deliveries.requeueAll();
    this.pump();
  }

  /** basic.publish: whatever forbids the message is said before its content comes. */
  #announce(fields: MethodFields<"basic.publish">): void {
    const { exchange, routingKey } = fields;
    const { vhost, membership, maxMessageBytes, unfinished } = this.#options;
    if (fields.immediate) {
      throw new AmqpException("NOT_IMPLEMENTED", "basic.publish with immediate is not implemented");
    }
    if (exchange === UP) membership.check(UP, routingKey);
    else if (exchange === DOWN || (exchange !== "" && vhost.exchange(exchange).settings.internal)) {
      throw new AmqpException("ACCESS_REFUSED", `nobody may publish to exchange '${exchange}'`);
    } else vhost.requireShared(`publishing to exchange '${exchange}'`);
    this.#incoming = new Incoming(fields, maxMessageBytes, unfinished);
  }

  #publish({ method, header, body }: Published): Promise<void> | undefined {
    const { vhost, membership } = this.#options;
    const tag = this.#confirming ? ++this.#publishedCount : 0;
    const confirm = (confirm: Confirm) => {
      if (tag === 0 || !this.#open) return;
      const fields = { deliveryTag: BigInt(tag), multiple: false, requeue: false };
      this.#reply(`basic.${confirm}`, fields);
    };
    const { exchange, routingKey } = method;
    if (exchange === UP) return membership.publish(body, confirm);
    const message = { exchange, routingKey, properties: header.encoded, body };
    const queues = vhost.route(exchange, { routingKey, headers: header.headers });
    if (queues.length === 0 && method.mandatory) {
      const { code: replyCode } = REPLY_CODES.NO_ROUTE;
      const fields = { replyCode, replyText: "NO_ROUTE", exchange, routingKey };
      this.#content(encodeMethod("basic.return", fields), message);
    }
    const refusing = queues.filter((queue) => !queue.offer(message));
    if (refusing.length > 0 && tag === 0) {
      const { name } = refusing[0]?.settings ?? { name: "" };
      throw new AmqpException("RESOURCE_ERROR", `queue '${name}' is full, and no confirms are on`);
    }
    confirm(refusing.length > 0 ? "nack" : "ack");
    return undefined;
  }

  /** Delivers what can be delivered now. */
  pump(): void {
    for (const consumer of this.#consumers.values()) consumer.settings.queue.pump();
  }

  /** Closes the channel for what its client did; the number is free after channel.close-ok. */
  close(exception: AmqpException): void {
    this.end();
    const { code: replyCode, replyText, provokedBy } = exception;
    this.#reply("channel.close", { replyCode, replyText, ...provokedBy });
  }

  /** Takes and delivers nothing more. */
  stop(): void {
    this.#open = false;
    this.#incoming?.end();
    this.#incoming = undefined;
  }

  /** Gives everything back: consumers leave their queues, unsettled messages return to them. */
  end(): void {
    this.stop();
    const consumers = [...this.#consumers.values()];
    for (const consumer of consumers) this.#remove(consumer);
    this.#deliveries.requeueAll();
    for (const consumer of consumers) this.#options.vhost.releaseQueue(consumer.settings.queue);
  }
}

function blame(error: unknown, name: MethodName): unknown {
  const { classId, methodId } = METHODS[name];
  if (error instanceof AmqpException) error.provokedBy = { classId, methodId };
  return error;
}
