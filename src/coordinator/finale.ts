/** The end of a run: the final model is saved, told and confirmed, and nobody waits for ever. */

import { serverMessage } from "../contract/codec.ts";
import type { Timer } from "./clock.ts";
import type { CoordinatorOptions, Outcome } from "./options.ts";
import type { Outbox } from "./outbox.ts";
import type { Client, Roster } from "./roster.ts";
import type { Stop } from "./round.ts";

interface Final {
  readonly reason: Stop;
  readonly round: number;
  readonly sha256: string;
  readonly modelPath: string | undefined;
}

export interface FinaleParts {
  readonly options: CoordinatorOptions;
  readonly roster: Roster;
  readonly outbox: Outbox;
  /** Of the final model, once known. */
  readonly metrics: () => Readonly<Record<string, number>>;
  /** Whether a client is here that has not confirmed. */
  readonly awaited: () => boolean;
  /** Called once: everybody confirmed or had its time. */
  readonly over: () => void;
}

export class Finale implements Disposable {
  readonly #parts: FinaleParts;
  readonly #outcome = Promise.withResolvers<Outcome>();
  readonly #confirmed: Set<string>;
  #final: Final | undefined;
  #timer: Timer | undefined;
  #disposed = false;

  constructor(parts: FinaleParts) {
    this.#parts = parts;
    this.#confirmed = new Set(parts.options.opened.confirmed);
    this.#outcome.promise.catch(() => {}); // whoever needs it awaits it
  }

  get outcome(): Promise<Outcome> {
    return this.#outcome.promise;
  }

  /** The final model, once it is saved. */
  get final(): Final | undefined {
    return this.#final;
  }

  /** Saves the final model, then tells everybody. */
  async begin(round: number, reason: Stop): Promise<void> {
    const { options: { vault, clock, finishTimeoutMs }, roster, over } = this.#parts;
    const { sha256, modelPath } = await vault.finish(round, reason);
    if (this.#disposed) return;
    this.#final = { reason, round, sha256, modelPath };
    for (const client of roster.all()) this.tell(client);
    this.#timer = clock.after(finishTimeoutMs, over);
    this.review();
  }

  tell(client: Client): void {
    if (this.#final === undefined) return;
    const { outbox, metrics } = this.#parts;
    const { reason, round, sha256 } = this.#final;
    outbox.supply(client, round);
    outbox.tell(
      client,
      serverMessage({
        body: {
          case: "finish",
          value: {
            reason: reason.sentence,
            round,
            modelSha256: Uint8Array.fromHex(sha256),
            metrics: { ...metrics() },
          },
        },
      }).body,
    );
  }

  /**
   * A client says which model it holds. Undefined where it is not the final one; else whether the
   * confirmation is remembered, as clients under ever new names could confirm for ever.
   */
  confirm(client: string, sha256: Uint8Array): { remembered: boolean } | undefined {
    if (this.#final?.sha256 !== sha256.toHex()) return undefined;
    const { maxClients } = this.#parts.options.limits;
    if (this.#confirmed.size < maxClients) this.#confirmed.add(client);
    return { remembered: this.#confirmed.has(client) };
  }

  /** Ends the run when nobody is left to wait for. */
  review(): void {
    const { awaited, over } = this.#parts;
    if (this.#final !== undefined && !awaited()) over();
  }

  /** Nobody is waited for any more: a server that starts on this state again says that it is over. */
  async end(): Promise<void> {
    this.#timer?.cancel();
    if (this.#final === undefined) return;
    const { reason, round, sha256, modelPath } = this.#final;
    const { events, vault } = this.#parts.options;
    await vault.end();
    events.runStopped({ reason: reason.code, round, detail: reason.sentence });
    const confirmed = [...this.#confirmed].sort();
    this.#outcome.resolve({
      reason: reason.sentence,
      rounds: round,
      sha256,
      modelPath,
      confirmed,
    });
  }

  /** The run cannot go on. */
  fail(error: Error): void {
    this.#outcome.reject(error);
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#timer?.cancel();
  }
}
