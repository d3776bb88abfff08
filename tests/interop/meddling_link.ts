/**
 * A link to a real protocol server that lets a test answer for the coordinator or cut connections,
 * and that brings each Welcome behind the model, as independent streams of a wire may.
 */

import type {
  Address,
  Answer,
  Arrival,
  HeldModel,
  Link,
  ModelOffset,
  Route,
  SendOutcome,
  Traffic,
  Upcalls,
} from "../../src/contract/protocol_server.ts";
import type { ServerMessage } from "../../src/contract/federation_pb.ts";

type MessageArrival = Extract<Arrival, { kind: "message" }>;

/**
 * What to do with a message: let it pass, answer it in the coordinator's place, cut its route, or
 * let it pass and cut its route before the answer.
 */
export type Meddling = "pass" | "cut" | "unheard" | Answer;

export class MeddlingLink implements Link {
  readonly #link: Link;
  readonly #meddle: (arrival: MessageArrival) => Meddling;
  /** By route of a client that holds no model yet: resolves when its download was begun. */
  readonly #downloads = new Map<number, PromiseWithResolvers<void>>();

  constructor(link: Link, meddle: (arrival: MessageArrival) => Meddling) {
    this.#link = link;
    this.#meddle = meddle;
  }

  get closed(): Promise<void> {
    return this.#link.closed;
  }

  listen(upcalls: Upcalls): Promise<readonly Address[]> {
    return this.#link.listen({
      observe: (event) => upcalls.observe(event),
      deliver: (arrival) => this.#deliver(arrival, upcalls),
    });
  }

  async #deliver(arrival: Arrival, upcalls: Upcalls): Promise<Answer | undefined> {
    if (arrival.kind !== "message") return await upcalls.deliver(arrival);
    const { body } = arrival.message;
    if (body.case === "hello" && body.value.session.length === 0) {
      this.#downloads.set(arrival.route.id, Promise.withResolvers<void>());
    }
    const meddling = this.#meddle(arrival);
    if (meddling === "pass") return await upcalls.deliver(arrival);
    if (meddling === "unheard") await upcalls.deliver(arrival);
    else if (meddling !== "cut") return meddling;
    const { route } = arrival;
    const reason = "the test cuts the connection";
    this.#link.drop(route, reason);
    return await upcalls.deliver({ kind: "detached", route, reason });
  }

  async send(
    route: Route,
    message: ServerMessage,
    options: { signal: AbortSignal },
  ): Promise<SendOutcome> {
    if (message.body.case === "welcome") await this.#downloads.get(route.id)?.promise;
    return await this.#link.send(route, message, options);
  }

  drop(route: Route, reason: string): void {
    this.#link.drop(route, reason);
  }

  traffic(): Promise<Traffic> {
    return this.#link.traffic();
  }

  hold(model: HeldModel): Promise<void> {
    return this.#link.hold(model);
  }

  release(round: number): void {
    this.#link.release(round);
  }

  download(
    route: Route,
    from: ModelOffset,
    options: { signal: AbortSignal },
  ): Promise<SendOutcome> {
    const outcome = this.#link.download(route, from, options);
    this.#downloads.get(route.id)?.resolve();
    return outcome;
  }

  acknowledge(route: Route, held: ModelOffset): void {
    this.#link.acknowledge(route, held);
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#link[Symbol.asyncDispose]();
  }
}
