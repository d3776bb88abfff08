/** Questions to the main thread: shared by all who wait for the same answer, and bounded in time. */

import type { Topic } from "./pipe.ts";
import type { Ask } from "./routes.ts";

/** After so long the main thread is busy or gone, and whoever asked is told so. */
const ANSWER_TIMEOUT_MS = 5000;

/** At most one question of each topic is under way. */
export class Questions {
  readonly #ask: Ask;
  readonly #timeoutMs: number;
  readonly #underWay = new Map<Topic, Promise<string>>();

  constructor(ask: Ask, { timeoutMs = ANSWER_TIMEOUT_MS }: { timeoutMs?: number } = {}) {
    this.#ask = ask;
    this.#timeoutMs = timeoutMs;
  }

  ask(topic: Topic): Promise<string> {
    const before = this.#underWay.get(topic);
    if (before !== undefined) return before;
    const question = this.#inTime(this.#ask(topic)).finally(() => this.#underWay.delete(topic));
    this.#underWay.set(topic, question);
    return question;
  }

  async #inTime(answer: Promise<string>): Promise<string> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new Error(`The server did not answer within ${this.#timeoutMs} ms`)),
      this.#timeoutMs,
    );
    try {
      return await Promise.race([answer, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }
}
