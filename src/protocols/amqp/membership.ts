/** What one connection may do on fl.up and fl.down: its own client's key of its server's federation. */

import { AmqpException } from "./exceptions.ts";
import type { ClientRoute } from "./client_route.ts";
import type { Queue } from "./queue.ts";
import { type Confirm, DOWN, routingKey, type UP } from "./wire.ts";

export interface MembershipOptions {
  readonly federation: string;
  readonly clientId: string;
  /** The connection, as owner of exclusive queues. */
  readonly owner: object;
  /** Makes the connection's route when it first uses one of the two exchanges. */
  readonly join: (key: string) => ClientRoute;
}

export class Membership {
  readonly #options: MembershipOptions;
  readonly #key: string;
  #route: ClientRoute | undefined;
  #over = false;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#key = routingKey(options.federation, options.clientId);
  }

  /** @throws {AmqpException} 403 for another client's key, 404 for another federation's. */
  check(exchange: typeof UP | typeof DOWN, key: string): void {
    if (key === this.#key) return;
    const { federation, clientId } = this.#options;
    if (key.startsWith(routingKey(federation, ""))) {
      throw new AmqpException("ACCESS_REFUSED", `key '${key}' of ${exchange} is not ${clientId}'s`);
    }
    throw new AmqpException("NOT_FOUND", `no federation at key '${key}' of ${exchange}`);
  }

  /** Delivers what was published to fl.up; the key has been checked. */
  publish(body: Uint8Array, confirm: (confirm: Confirm) => void): Promise<void> {
    return this.#joined().publish(body, confirm);
  }

  /** queue.bind to fl.down: nobody else may read the queue, or have written to it. */
  bind(queue: Queue, key: string): void {
    this.check(DOWN, key);
    if (queue.settings.owner !== this.#options.owner) {
      throw new AmqpException("ACCESS_REFUSED", "a queue bound to fl.down must be exclusive");
    }
    if (queue.feed === undefined && queue.readyCount > 0) {
      throw new AmqpException("PRECONDITION_FAILED", "a queue bound to fl.down must be empty");
    }
    this.#joined().bind(queue);
  }

  unbind(queue: Queue, key: string): void {
    this.check(DOWN, key);
    this.#route?.unbind(queue);
  }

  #joined(): ClientRoute {
    return this.#route ??= this.#options.join(this.#key);
  }

  end(reason: string | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#route?.end(reason);
  }
}
