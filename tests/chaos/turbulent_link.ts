/** A wire whose messages come twice, in another order, too late or too early, and whose routes break. */

import type { Random } from "../../src/client/random.ts";
import { Verdict } from "../../src/contract/federation_pb.ts";
import type { Answer, Arrival, Link, Route, Upcalls } from "../../src/contract/protocol_server.ts";
import { altered } from "../support/altered_link.ts";

type Message = Extract<Arrival, { kind: "message" }>;

/** What may happen to a message, each once in so many. */
const EVERY = { twice: 20, swapped: 20, late: 40, early: 40, cut: 2000 } as const;
type Disturbance = keyof typeof EVERY;

/** A swapped message goes on alone when nothing comes that it could be swapped with. */
const SWAP_WITHIN_MS = 50;
/** Parts remembered, to be brought again when they are late. */
const REMEMBERED = 64;

export interface TurbulenceOptions {
  readonly random: Random;
  readonly happened: (disturbance: Disturbance) => void;
  /** Something counted that must not. */
  readonly wrong: (sentence: string) => void;
}

/** A link to the same server, in turbulence. */
export function inTurbulence(link: Link, options: TurbulenceOptions): Link {
  const turbulence = new Turbulence(link, options);
  return altered(link, {
    listen: (upcalls) =>
      link.listen({
        observe: (event) => upcalls.observe(event),
        deliver: (arrival) => turbulence.deliver(arrival, upcalls),
      }),
  });
}

class Turbulence {
  readonly #link: Link;
  readonly #options: TurbulenceOptions;
  readonly #remembered: Message[] = [];
  /** By route: lets go of the message that waits for the next one. */
  readonly #swapped = new Map<number, () => void>();

  constructor(link: Link, options: TurbulenceOptions) {
    this.#link = link;
    this.#options = options;
  }

  async deliver(arrival: Arrival, upcalls: Upcalls): Promise<Answer | undefined> {
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

  #happens(disturbance: Disturbance): boolean {
    const { random, happened } = this.#options;
    if (random.next() % EVERY[disturbance] !== 0) return false;
    happened(disturbance);
    return true;
  }
}

/** With bytes of its own: those of a part that was delivered are gone to the vault. */
function copyOf(message: Message): Message {
  return structuredClone(message);
}
