/** What waits to be written on one stream: receipts in arrival order, everything else behind them. */

import type { ServerMessage } from "../../contract/federation_pb.ts";
import type { Answer, SendOutcome } from "../../contract/protocol_server.ts";

interface Letter {
  readonly message: ServerMessage;
  readonly outcome: PromiseWithResolvers<SendOutcome>;
}

/**
 * Hands over one message at a time, so that a receipt never waits for more than the one that is
 * being written, and a message not yet begun can still be withdrawn.
 */
export class Outbox {
  readonly #write: (message: ServerMessage) => Promise<boolean>;
  readonly #answers = new Set<Letter>();
  readonly #sends = new Set<Letter>();
  /** Resolves when the last answer so far has its place among the answers. */
  #placed: Promise<void> = Promise.resolve();
  #writing: Promise<void> | undefined;
  #closed = false;

  /** @param write Resolves with true when the wire took the message, with false when it is over. */
  constructor(write: (message: ServerMessage) => Promise<boolean>) {
    this.#write = write;
  }

  /** Writes an answer once it is judged and every earlier one is. Resolves when the wire took it. */
  async answer(judged: Promise<Answer | undefined>): Promise<void> {
    const earlier = this.#placed;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#placed = promise;
    const answer = await judged;
    await earlier;
    const written = answer === undefined ? undefined : this.#put(this.#answers, answer);
    resolve();
    await written?.outcome.promise;
  }

  async send(message: ServerMessage, signal: AbortSignal): Promise<SendOutcome> {
    if (signal.aborted) return "stalled";
    const letter = this.#put(this.#sends, message);
    const withdraw = () => {
      this.#sends.delete(letter); // the one being written is no longer there, and finishes
      letter.outcome.resolve("stalled");
    };
    signal.addEventListener("abort", withdraw);
    const outcome = await letter.outcome.promise;
    signal.removeEventListener("abort", withdraw);
    return outcome;
  }

  /** Resolves once every arrival so far is answered and nothing waits. */
  async drained(): Promise<void> {
    await this.#placed;
    await this.#writing;
  }

  /** Gives up what waits and takes nothing more; resolves once the message being written is. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const letter of [...this.#answers, ...this.#sends]) letter.outcome.resolve("gone");
    this.#answers.clear();
    this.#sends.clear();
    await this.#writing;
  }

  #put(letters: Set<Letter>, message: ServerMessage): Letter {
    const letter = { message, outcome: Promise.withResolvers<SendOutcome>() };
    if (this.#closed) {
      letter.outcome.resolve("gone");
    } else {
      letters.add(letter);
      this.#writing ??= this.#writeAll();
    }
    return letter;
  }

  async #writeAll(): Promise<void> {
    for (let letter = this.#next(); letter !== undefined; letter = this.#next()) {
      letter.outcome.resolve(await this.#write(letter.message) ? "taken" : "gone");
    }
    this.#writing = undefined;
  }

  #next(): Letter | undefined {
    for (const letters of [this.#answers, this.#sends]) {
      for (const letter of letters) {
        letters.delete(letter);
        return letter;
      }
    }
    return undefined;
  }
}
