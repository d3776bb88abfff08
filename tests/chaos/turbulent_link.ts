/** A wire whose messages come twice, in another order, too late or too early, and whose routes break. */

import type { Random } from "../../src/client/random.ts";
import { Verdict } from "../../src/contract/federation_pb.ts";
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

type Message = Extract<Arrival, { kind: "message" }>;

/** What may happen to a message, each once in so many. */
const EVERY = { twice: 20, swapped: 20, late: 40, early: 40, cut: 2000 } as const;
export type Turbulence = keyof typeof EVERY;

/** A swapped message goes on alone when nothing comes that it could be swapped with. */
const SWAP_WITHIN_MS = 50;
/** Parts remembered, to be brought again when they are late. */
const REMEMBERED = 64;

export interface TurbulentLinkOptions {
  readonly random: Random;
  readonly happened: (turbulence: Turbulence) => void;
  /** Something counted that must not. */
  readonly wrong: (sentence: string) => void;
}

export class TurbulentLink implements Link {
  readonly #link: Link;
  readonly #options: TurbulentLinkOptions;
  readonly #remembered: Message[] = [];
  /** By route: lets go of the message that waits for the next one. */
  readonly #swapped = new Map<number, () => void>();

  constructor(link: Link, options: TurbulentLinkOptions) {
    this.#link = link;
    this.#options = options;
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
    const { route } = arrival;
    if (arrival.kind !== "message") {
      this.#swapped.get(route.id)?.(); // nothing comes behind it
      return await upcalls.deliver(arrival);
    }
    if (this.#happens("cut")) {
      const reason = "the trial breaks the route";
      this.#swapped.get(route.id)?.();
      this.#link.drop(route, reason);
      return await upcalls.deliver({ kind: "detached", route, reason });
    }
    const copy = copyOf(arrival);
    const isPart = arrival.message.body.case === "updatePart";
    if (isPart && this.#happens("swapped")) await this.#next(route);
    const answer = upcalls.deliver(arrival);
    this.#swapped.get(route.id)?.(); // this one has overtaken it
    if (this.#happens("twice")) void upcalls.deliver(copyOf(copy));
    if (isPart) await this.#disturb(copy, upcalls);
    return await answer;
  }

  /** Resolves when another message of the route was delivered, or none came. */
  async #next(route: Route): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, SWAP_WITHIN_MS);
    this.#swapped.get(route.id)?.();
    this.#swapped.set(route.id, resolve);
    await promise;
    clearTimeout(timer);
    if (this.#swapped.get(route.id) === resolve) this.#swapped.delete(route.id);
  }

  /** Brings an old part again, and one for a task that is not there yet. */
  async #disturb(part: Message, upcalls: Upcalls): Promise<void> {
    const { random } = this.#options;
    this.#remembered[random.next() % REMEMBERED] = part;
    const old = this.#remembered[random.next() % REMEMBERED];
    if (old !== undefined && this.#happens("late")) {
      // On the route it came on, which may be over: then its session is heard elsewhere.
      void upcalls.deliver(copyOf(old));
    }
    if (!this.#happens("early")) return;
    const early = copyOf(part);
    if (early.message.body.case !== "updatePart") return;
    early.message.body.value.taskId += 1_000_000;
    const answer = await upcalls.deliver(early);
    if (answer?.body.value.verdict === Verdict.ACCEPTED) {
      this.#options.wrong(`a part of ${early.message.clientId} for no task was accepted`);
    }
  }

  #happens(turbulence: Turbulence): boolean {
    const { random, happened } = this.#options;
    if (random.next() % EVERY[turbulence] !== 0) return false;
    happened(turbulence);
    return true;
  }

  send(
    route: Route,
    message: ServerMessage,
    options: { signal: AbortSignal },
  ): Promise<SendOutcome> {
    return this.#link.send(route, message, options);
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
    return this.#link.download(route, from, options);
  }

  acknowledge(route: Route, held: ModelOffset): void {
    this.#link.acknowledge(route, held);
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#link[Symbol.asyncDispose]();
  }
}

/** With bytes of its own: those of a part that was delivered are gone to the vault. */
function copyOf(message: Message): Message {
  return structuredClone(message);
}
