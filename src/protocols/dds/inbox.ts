/** What one client wrote: delivered in order, no more of it than the gate lets through. */

import { arrivalOf } from "../../contract/codec.ts";
import type { Gate } from "../../contract/gate.ts";
import type { Answer, Arrival, Deliver, Route } from "../../contract/protocol_server.ts";

export interface InboxOptions {
  readonly route: Route;
  readonly clientId: string;
  readonly gate: Gate;
  readonly deliver: Deliver;
  /** Writes the answer in its turn; resolves once it was taken. */
  answer(judged: Promise<Answer | undefined>): Promise<void>;
  /** A message names another client. */
  refuse(reason: string): void;
}

/** What a message costs beside its bytes while its answer is under way. */
const MESSAGE_COST_BYTES = 512;

export class Inbox {
  readonly #options: InboxOptions;
  readonly #bodies: Uint8Array<ArrayBuffer>[] = [];
  #waitingBytes = 0;
  #delivering: Promise<void> | undefined;

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  /** What waits for the gate. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  put(body: Uint8Array<ArrayBuffer>): void {
    this.#bodies.push(body);
    this.#waitingBytes += body.length;
    this.#delivering ??= this.#deliver();
  }

  /** Delivers what is left without regard to the gate, then that the route is over. */
  async end(reason: string): Promise<void> {
    const { deliver, route } = this.#options;
    for (const body of this.#clear()) this.#judge(body);
    await deliver({ kind: "detached", route, reason });
  }

  /** Nothing arrives any more. */
  discard(): void {
    this.#clear();
  }

  #clear(): Uint8Array<ArrayBuffer>[] {
    this.#waitingBytes = 0;
    return this.#bodies.splice(0);
  }

  async #deliver(): Promise<void> {
    do {
      await this.#options.gate.enter();
      const body = this.#bodies.shift();
      if (body === undefined) break; // the route ended meanwhile
      this.#waitingBytes -= body.length;
      this.#judge(body);
    } while (this.#bodies.length > 0);
    this.#delivering = undefined;
  }

  #judge(body: Uint8Array<ArrayBuffer>): void {
    const { gate, deliver, answer } = this.#options;
    const answered = answer(deliver(this.#arrival(body)));
    gate.hold(body.length + MESSAGE_COST_BYTES, answered);
  }

  #arrival(body: Uint8Array<ArrayBuffer>): Arrival {
    const { route, clientId, refuse } = this.#options;
    const arrival = arrivalOf(route, body);
    if (arrival.kind !== "message" || arrival.message.clientId === clientId) return arrival;
    const detail = `The message names the client ${arrival.message.clientId}, its key ${clientId}`;
    refuse(detail);
    return { kind: "unreadable", route, detail };
  }
}
