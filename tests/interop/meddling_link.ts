/**
 * A link to a real protocol server that lets a test answer for the coordinator or cut connections,
 * and that brings each Welcome behind the model, as independent streams of a wire may.
 */

import type { Answer, Arrival, Link, Upcalls } from "../../src/contract/protocol_server.ts";
import { altered } from "../support/altered_link.ts";

type MessageArrival = Extract<Arrival, { kind: "message" }>;

/**
 * What to do with a message: let it pass, answer it in the coordinator's place, cut its route, or
 * let it pass and cut its route before the answer.
 */
export type Meddling = "pass" | "cut" | "unheard" | Answer;

/** A link to the same server, with which a test meddles. */
export function meddling(link: Link, meddle: (arrival: MessageArrival) => Meddling): Link {
  const meddler = new Meddler(link, meddle);
  return altered(link, {
    listen: (upcalls) =>
      link.listen({
        observe: (event) => upcalls.observe(event),
        deliver: (arrival) => meddler.deliver(arrival, upcalls),
      }),
    send: async (route, message, options) => {
      if (message.body.case === "welcome") await meddler.downloading(route.id);
      return await link.send(route, message, options);
    },
    download: (route, from, options) => {
      const outcome = link.download(route, from, options);
      meddler.begun(route.id);
      return outcome;
    },
  });
}

class Meddler {
  readonly #link: Link;
  readonly #meddle: (arrival: MessageArrival) => Meddling;
  /** By route of a client that holds no model yet: resolves when its download was begun. */
  readonly #downloads = new Map<number, PromiseWithResolvers<void>>();

  constructor(link: Link, meddle: (arrival: MessageArrival) => Meddling) {
    this.#link = link;
    this.#meddle = meddle;
  }

  async downloading(route: number): Promise<void> {
    await this.#downloads.get(route)?.promise;
  }

  begun(route: number): void {
    this.#downloads.get(route)?.resolve();
  }

  async deliver(arrival: Arrival, upcalls: Upcalls): Promise<Answer | undefined> {
    if (arrival.kind !== "message") return await upcalls.deliver(arrival);
    const { body } = arrival.message;
    if (body.case === "hello" && body.value.session.length === 0) {
      this.#downloads.set(arrival.route.id, Promise.withResolvers<void>());
    }
    const choice = this.#meddle(arrival);
    if (choice === "pass") return await upcalls.deliver(arrival);
    if (choice === "unheard") await upcalls.deliver(arrival);
    else if (choice !== "cut") return choice;
    const { route } = arrival;
    const reason = "the test cuts the connection";
    this.#link.drop(route, reason);
    return await upcalls.deliver({ kind: "detached", route, reason });
  }
}
