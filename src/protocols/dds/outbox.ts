/** What waits to be written to one client: receipts in arrival order, everything else behind them. */

import { encodeServerMessage } from "../../contract/codec.ts";
import type { ServerMessage } from "../../contract/federation_pb.ts";
import type { Answer, SendOutcome } from "../../contract/protocol_server.ts";
import { breathe, type WriteOutcome } from "./writer.ts";

/** Where the letters go. */
export interface Slot {
  /** Resolves once somebody reads what is written. */
  readonly matched: Promise<void>;
  write(body: Uint8Array<ArrayBuffer>): WriteOutcome;
  room(): Promise<void>;
}

interface Letter {
  readonly message: ServerMessage;
  readonly outcome: PromiseWithResolvers<SendOutcome>;
  /** The message's bytes, from its first try on. */
  body: Uint8Array<ArrayBuffer> | undefined;
}

export class Outbox {
  readonly #slot: Slot;
  readonly #answers = new Set<Letter>();
  readonly #sends = new Set<Letter>();
  /** Resolves when the last answer so far has its place among the answers. */
  #placed: Promise<void> = Promise.resolve();
  #writing: Promise<void> | undefined;
  #closed = false;

  constructor(slot: Slot) {
    this.#slot = slot;
  }

  /** Writes an answer once it is judged and every earlier one is. Resolves when it was taken. */
  async answer(judged: Promise<Answer | undefined>): Promise<void> {
    const earlier = this.#placed;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#placed = promise;
    const answer = await judged;
    await earlier;
    const letter = answer === undefined ? undefined : this.#put(this.#answers, answer);
    resolve();
    await letter?.outcome.promise;
  }

  async send(message: ServerMessage, signal: AbortSignal): Promise<SendOutcome> {
    if (signal.aborted) return "stalled";
    const letter = this.#put(this.#sends, message);
    const withdraw = () => this.#settle(letter, "stalled");
    signal.addEventListener("abort", withdraw);
    const outcome = await letter.outcome.promise;
    signal.removeEventListener("abort", withdraw);
    return outcome;
  }

  /** The client is gone, or must go: nothing more is written. */
  close(): void {
    this.#closed = true;
    for (const letter of [...this.#answers, ...this.#sends]) this.#settle(letter, "gone");
  }

  /** Resolves when it is closed and at rest; `matched` must have been resolved. */
  async ended(): Promise<void> {
    this.close();
    await this.#writing;
  }

  #put(letters: Set<Letter>, message: ServerMessage): Letter {
    const outcome = Promise.withResolvers<SendOutcome>();
    const letter: Letter = { message, outcome, body: undefined };
    if (this.#closed) {
      outcome.resolve("gone");
      return letter;
    }
    letters.add(letter);
    this.#writing ??= this.#write();
    return letter;
  }

  async #write(): Promise<void> {
    await this.#slot.matched;
    for (let letter = this.#next(); letter !== undefined; letter = this.#next()) {
      letter.body ??= encodeServerMessage(letter.message);
      const outcome = this.#slot.write(letter.body);
      if (outcome === "full") {
        await this.#slot.room();
      } else {
        this.#settle(letter, outcome);
        await breathe(letter.body.length);
      }
    }
    this.#writing = undefined;
  }

  /** The oldest answer, or else the oldest send. */
  #next(): Letter | undefined {
    for (const letter of this.#answers) return letter;
    for (const letter of this.#sends) return letter;
    return undefined;
  }

  #settle(letter: Letter, outcome: SendOutcome): void {
    this.#answers.delete(letter);
    this.#sends.delete(letter);
    letter.outcome.resolve(outcome);
  }
}
