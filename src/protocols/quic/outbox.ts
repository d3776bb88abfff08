/** What waits to be written to one route: one message at a time, answers before all others. */

import type { SendOutcome } from "../../contract/protocol_server.ts";

/** Writes one message; resolves once the wire's flow control has taken it. Never rejects. */
export type Write = () => Promise<SendOutcome>;

interface Entry {
  readonly write: Write;
  readonly settle: (outcome: SendOutcome) => void;
}

export class Outbox {
  readonly #answers = new Set<Entry>();
  readonly #sends = new Set<Entry>();
  #writing: Promise<void> | undefined;
  #refusing = false;
  #over = false;

  /** In order. Aborted before its turn it is never written; while it is being written, it may finish. */
  send(write: Write, signal: AbortSignal): Promise<SendOutcome> {
    if (signal.aborted) return Promise.resolve("stalled");
    if (this.#refusing) return Promise.resolve("gone");
    const { promise, resolve } = Promise.withResolvers<SendOutcome>();
    const entry: Entry = {
      write,
      settle: (outcome) => {
        signal.removeEventListener("abort", stall);
        resolve(outcome);
      },
    };
    const stall = () => {
      this.#sends.delete(entry);
      entry.settle("stalled");
    };
    signal.addEventListener("abort", stall);
    this.#sends.add(entry);
    this.#write();
    return promise;
  }

  /** Goes before everything that was sent and is not yet being written. */
  answer(write: Write): Promise<SendOutcome> {
    if (this.#over) return Promise.resolve("gone");
    const { promise, resolve } = Promise.withResolvers<SendOutcome>();
    this.#answers.add({ write, settle: resolve });
    this.#write();
    return promise;
  }

  /** What was sent and waits is gone, and so is all that is sent later; answers go on. */
  refuse(): void {
    this.#refusing = true;
    for (const entry of this.#sends) entry.settle("gone");
    this.#sends.clear();
  }

  /** Nothing is begun any more: all that waits is gone. Resolves when what was begun is written. */
  async end(): Promise<void> {
    this.refuse();
    this.#over = true;
    for (const entry of this.#answers) entry.settle("gone");
    this.#answers.clear();
    await this.#writing;
  }

  #write(): void {
    this.#writing ??= this.#writeAll();
  }

  async #writeAll(): Promise<void> {
    for (;;) {
      const queue = this.#answers.size > 0 ? this.#answers : this.#sends;
      const [entry] = queue;
      if (entry === undefined) {
        this.#writing = undefined;
        return;
      }
      queue.delete(entry);
      entry.settle(await entry.write());
    }
  }
}
