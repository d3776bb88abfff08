/** An edge client of the product in a federation, whose training is an addition that tests can hold up. */

import type { EvaluateResult, Trainer, TrainResult } from "../../../src/client/trainer.ts";
import { type FinalModel, Session, type SessionEvent } from "../../../src/client/session.ts";
import { weights } from "../../support/federation.ts";
import { Awaitable } from "../../support/awaitable.ts";

/** The model's length in values, so long that an update takes many parts. */
export const VALUES = 16_384;
export const SAMPLES = 100;

/** 1 at `index` and 0 elsewhere: the average shows who is in it, and how often. */
class OneHot implements Trainer {
  readonly samples = SAMPLES;
  readonly #index: number;
  readonly #mayEnd: Promise<void>;

  constructor(index: number, mayEnd: Promise<void>) {
    this.#index = index;
    this.#mayEnd = mayEnd;
  }

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  async train(): Promise<TrainResult> {
    await this.#mayEnd;
    const values = new Array<number>(VALUES).fill(0);
    values[this.#index] = 1;
    return { weights: weights(values), samples: SAMPLES, metrics: {} };
  }

  evaluate(): Promise<EvaluateResult> {
    return Promise.resolve({ samples: SAMPLES, metrics: {} });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

export class MemberRun implements AsyncDisposable {
  readonly clientId: string;
  readonly events = new Awaitable<SessionEvent>();
  /** Resolves with the final model; rejects when the server wants no more of this client. */
  readonly final: Promise<FinalModel>;
  readonly #abort = new AbortController();
  readonly #mayEnd = Promise.withResolvers<void>();

  /** @param options.held Trains until `release`. */
  constructor(
    clientId: string,
    url: string,
    { index, held = false }: { index: number; held?: boolean },
  ) {
    this.clientId = clientId;
    if (!held) this.release();
    const session = new Session({
      clientId,
      urls: [new URL(url)],
      trainer: new OneHot(index, this.#mayEnd.promise),
      software: "test",
      signal: this.#abort.signal,
      observe: (event) => this.events.push(event),
      backoff: { firstMs: 50, mostMs: 1000 },
    });
    this.final = session.run();
    this.final.catch(() => {}); // whoever needs it awaits it
  }

  release(): void {
    this.#mayEnd.resolve();
  }

  /** The first event of a kind. */
  async sees(kind: SessionEvent["kind"]): Promise<SessionEvent> {
    return await this.events.find((event) => event.kind === kind);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    await this.final.catch(() => {});
  }
}
