/** Brings messages and models to clients over whichever wire each is reached by. */

import { serverMessage } from "../contract/codec.ts";
import type { ServerMessage } from "../contract/federation_pb.ts";
import type { Link, ModelOffset, Route, WireName } from "../contract/protocol_server.ts";
import { type Client, downlinkOf } from "./roster.ts";

interface Supply {
  readonly round: number;
  readonly route: Route;
  readonly abort: AbortController;
}

export interface OutboxOptions {
  readonly runId: string;
  /** A message that a wire has not taken after so long is given up, as its client does not read. */
  readonly sendTimeoutMs: number;
  /** Messages that wait for one route to take them. */
  readonly maxUnsentMessages: number;
  /** Gets a route with more of them: its client does not read. */
  readonly overflowed: (route: Route) => void;
  /** Gets what should never happen: a wire's server that broke its promise. */
  readonly failed: (what: string, error: unknown) => void;
}

/** A last message that a wire has not taken after so long is given up. */
const LAST_MESSAGE_MS = 1000;

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #links = new Map<WireName, Link>();
  readonly #supplies = new Map<string, Supply>();
  /** By route: messages that its wire has not taken yet. */
  readonly #unsent = new Map<string, number>();
  readonly #closing = new AbortController();

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  get wires(): readonly WireName[] {
    return [...this.#links.keys()];
  }

  addLink(wire: WireName, link: Link): void {
    this.#links.set(wire, link);
  }

  removeLink(wire: WireName): void {
    this.#links.delete(wire);
  }

  /** Hands a copy of a model to each wire, in the order of `wires`; older models are let go. */
  async hold(round: number, copies: readonly ArrayBuffer[]): Promise<void> {
    await Promise.all([...this.#links].map(async ([wire, link], index) => {
      const bytes = copies[index];
      if (bytes === undefined) return;
      try {
        await link.hold({ round, bytes });
      } catch (error) {
        // A link that died says so by `closed`, and its wire alone is started again.
        if (this.#links.get(wire) === link) this.#options.failed(`hold of model ${round}`, error);
        return;
      }
      if (round > 0) link.release(round - 1);
    }));
  }

  /** Sends one message. What became of it shows in the client's answers, not here. */
  send(route: Route, body: ServerMessage["body"]): void {
    void this.#send(route, body, this.#options.sendTimeoutMs);
  }

  /**
   * Sends what is to be the last message on a route. Resolves once the wire took it, or will not: a
   * route that ends, or a server that closes, lets only that leave.
   */
  async sendLast(route: Route, body: ServerMessage["body"]): Promise<void> {
    await this.#send(route, body, LAST_MESSAGE_MS);
  }

  async #send(route: Route, body: ServerMessage["body"], timeoutMs: number): Promise<void> {
    const link = this.#links.get(route.wire);
    if (link === undefined) return;
    const key = `${route.wire} ${route.id}`;
    const unsent = this.#unsent.get(key) ?? 0;
    if (unsent >= this.#options.maxUnsentMessages) return this.#options.overflowed(route);
    this.#unsent.set(key, unsent + 1);
    const message = serverMessage({ runId: this.#options.runId, body });
    const signal = AbortSignal.any([AbortSignal.timeout(timeoutMs), this.#closing.signal]);
    try {
      await link.send(route, message, { signal });
    } catch (error) {
      this.#options.failed("send", error);
    } finally {
      const left = (this.#unsent.get(key) ?? 1) - 1;
      if (left === 0) this.#unsent.delete(key);
      else this.#unsent.set(key, left);
    }
  }

  /** Sends to where the client wants its tasks; a client without a route hears it at its next Hello. */
  tell(client: Client, body: ServerMessage["body"]): void {
    const route = downlinkOf(client);
    if (route !== undefined) this.send(route, body);
  }

  drop(route: Route, reason: string): void {
    this.#links.get(route.wire)?.drop(route, reason);
  }

  /** Sees to it that the client gets the model of `round`, from where it stands, on its downlink. */
  supply(client: Client, round: number): void {
    const route = downlinkOf(client);
    const link = route === undefined ? undefined : this.#links.get(route.wire);
    if (route === undefined || link === undefined) return;
    const { held } = client;
    if (held?.round === round && held.whole) return;
    const running = this.#supplies.get(client.id);
    if (
      running?.round === round && running.route.id === route.id &&
      running.route.wire === route.wire
    ) {
      return;
    }
    running?.abort.abort();
    const supply: Supply = { round, route, abort: new AbortController() };
    this.#supplies.set(client.id, supply);
    const offset = held?.round === round ? held.offset : 0;
    void this.#download(client.id, link, { supply, offset });
  }

  async #download(
    clientId: string,
    link: Link,
    { supply, offset }: { supply: Supply; offset: number },
  ): Promise<void> {
    const { route, round } = supply;
    const signal = AbortSignal.any([supply.abort.signal, this.#closing.signal]);
    try {
      await link.download(route, { round, offset }, { signal });
    } catch (error) {
      this.#options.failed(`download of model ${round} to ${clientId}`, error);
    } finally {
      if (this.#supplies.get(clientId) === supply) this.#supplies.delete(clientId);
    }
  }

  /** Passes a client's ModelHeld to the wire that sends it the model, whichever it came by. */
  acknowledge(client: Client, held: ModelOffset): void {
    const supply = this.#supplies.get(client.id);
    if (supply === undefined) return;
    this.#links.get(supply.route.wire)?.acknowledge(supply.route, held);
  }

  /** Forgets what was on its way to a client that left. */
  forget(clientId: string): void {
    this.#supplies.get(clientId)?.abort.abort();
    this.#supplies.delete(clientId); // what is asked for next is a download of its own
  }

  /** Ends every download and every send that still waits. */
  close(): void {
    this.#closing.abort();
  }
}
