/** Asks clients to evaluate each model on their own data, beside the next round. */

import { serverMessage } from "../contract/codec.ts";
import { TaskKind } from "../contract/federation_pb.ts";
import type { Clock, Timer } from "./clock.ts";
import { Evaluation, type EvaluationAnswer } from "./evaluation.ts";
import type { Outbox } from "./outbox.ts";
import type { Client, Roster } from "./roster.ts";
import { select } from "./selection.ts";

export interface EvaluationsOptions {
  /** Of the clients present, 0 to 1. */
  readonly fraction: number;
  readonly timeoutMs: number;
  readonly seed: number;
  readonly roster: Roster;
  readonly outbox: Outbox;
  readonly clock: Clock;
  /** Gets what at least one client answered. */
  readonly evaluated: (round: number, mean: EvaluationAnswer, clients: number) => void;
}

export class Evaluations implements Disposable {
  readonly #options: EvaluationsOptions;
  #current: Evaluation | undefined;
  #timer: Timer | undefined;
  #settled = Promise.withResolvers<void>();

  constructor(options: EvaluationsOptions) {
    this.#options = options;
    this.#settled.resolve();
  }

  /** Resolves when no evaluation is under way. */
  get settled(): Promise<void> {
    return this.#settled.promise;
  }

  /** Begins with the model of `round`; an older evaluation ends with the answers it has. */
  start(round: number, present: readonly string[]): void {
    if (this.#current !== undefined) this.#end(this.#current);
    const { fraction, timeoutMs, seed, roster, clock } = this.#options;
    if (fraction === 0 || present.length === 0) return;
    // Another stream of choices than that of the train tasks.
    const plan = { clientsPerRound: { fraction }, seed: seed ^ 0x5eed };
    const evaluation = new Evaluation(round, select(present, plan, round));
    this.#current = evaluation;
    this.#settled = Promise.withResolvers<void>();
    this.#timer = clock.after(timeoutMs, () => this.#end(evaluation));
    for (const id of evaluation.awaited) {
      const client = roster.get(id);
      if (client !== undefined) this.tell(client);
    }
  }

  /** Tells a client, perhaps again, what it is asked. */
  tell(client: Client): void {
    const evaluation = this.#current;
    if (evaluation === undefined || !evaluation.awaited.has(client.id)) return;
    const { outbox, timeoutMs } = this.#options;
    const { taskId, round } = evaluation;
    const task = {
      taskId,
      kind: TaskKind.EVALUATE,
      round,
      modelRound: round,
      deadlineMs: timeoutMs,
    };
    outbox.tell(client, serverMessage({ body: { case: "task", value: task } }).body);
    outbox.supply(client, round);
  }

  answer(
    client: string,
    taskId: number,
    answer: EvaluationAnswer,
  ): "taken" | "duplicate" | "stranger" | "none" {
    const evaluation = this.#current;
    if (evaluation?.taskId !== taskId) return "none";
    const taken = evaluation.answer(client, answer);
    if (evaluation.complete) this.#end(evaluation);
    return taken;
  }

  /** The client left: nobody waits for it. */
  lose(client: string): void {
    this.#current?.lose(client);
    if (this.#current?.complete) this.#end(this.#current);
  }

  #end(evaluation: Evaluation): void {
    if (this.#current !== evaluation) return;
    this.#current = undefined;
    this.#timer?.cancel();
    const mean = evaluation.mean();
    // No answer is no value.
    if (mean.samples > 0) this.#options.evaluated(evaluation.round, mean, evaluation.answers);
    this.#settled.resolve();
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
    this.#current = undefined;
    this.#settled.resolve();
  }
}
