/** Carries out what the server asks for: trains and uploads, or evaluates. */

import { clientMessage } from "../contract/codec.ts";
import { ConnectionLost } from "../contract/connection.ts";
import {
  type Task,
  TaskKind,
  UpdateKind,
  type UpdatePart,
  Verdict,
  type Welcome,
} from "../contract/federation_pb.ts";
import type { Download } from "./download.ts";
import type { Exchange } from "./exchange.ts";
import type { Keeping } from "./kept.ts";
import type { SessionEvent } from "./session_event.ts";
import { type Trainer, TrainerLost } from "./trainer.ts";
import { type Update, upload } from "./upload.ts";

/** Where answers go, and what the server allows there. */
export interface Desk {
  readonly runId: string;
  readonly exchange: Exchange | undefined;
  readonly welcome: Welcome | undefined;
}

export interface WorkOptions {
  readonly trainer: Trainer;
  readonly observe: (event: SessionEvent) => void;
  readonly keeping: Keeping | undefined;
  /** Asked anew for each answer: connections come and go while a task is carried out. */
  readonly desk: () => Desk;
  /** No task can be carried out any more. */
  readonly failed: (error: TrainerLost) => void;
}

export class Work {
  readonly #options: WorkOptions;
  /** The newest one, until it is judged: another connection goes on with it. */
  #update: Update | undefined;

  /** @param update Of an earlier process. */
  constructor(options: WorkOptions, update: Update | undefined) {
    this.#options = options;
    // With less data than it was trained on, the server refuses it.
    if (update !== undefined && update.samples <= options.trainer.samples) this.#update = update;
  }

  /** Forgets the update: it is of another run. */
  forget(): void {
    if (this.#update === undefined) return;
    this.#update = undefined;
    void this.#options.keeping?.update(this.#options.desk().runId, undefined);
  }

  /** Forgets an update of a model that is not the run's any more, as those of this round on are not. */
  forgetSince(modelRound: number): void {
    if (this.#update !== undefined && this.#update.modelRound >= modelRound) this.forget();
  }

  /** Gives back whether the task is done with; if not, it is taken up again. */
  async carryOut(task: Task, model: Download, signal: AbortSignal): Promise<boolean> {
    try {
      if (task.kind === TaskKind.TRAIN) await this.#train(task, model, signal);
      else if (task.kind === TaskKind.EVALUATE) await this.#evaluate(task, model, signal);
    } catch (error) {
      if (signal.aborted || error instanceof ConnectionLost) return false;
      if (error instanceof TrainerLost) this.#options.failed(error);
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.observe({ kind: "taskFailed", round: task.round, reason });
    }
    return true;
  }

  async #train(task: Task, model: Download, signal: AbortSignal): Promise<void> {
    const { observe, desk, keeping } = this.#options;
    const { round } = task;
    const update = this.#of(task) ?? await this.#learn(task, model, signal);
    const { exchange, welcome, runId } = desk();
    if (exchange === undefined) throw new ConnectionLost("between connections");
    const { verdict, detail } = await upload(exchange, update, {
      partBytes: welcome?.largestPartBytes ?? 1,
      windowBytes: welcome?.windowBytes ?? 1,
      signal,
    });
    // The update was not judged, and is good for the next session.
    if (SESSIONLESS.has(verdict)) throw new ConnectionLost("the session is over");
    observe({ kind: "uploaded", round, verdict, detail });
    void keeping?.update(runId, undefined);
    // A refused one is not trained again in vain should its task be told again.
    if (OVER.has(verdict) && this.#update === update) this.#update = undefined;
  }

  #of({ taskId, modelRound }: Pick<UpdatePart, "taskId" | "modelRound">): Update | undefined {
    const update = this.#update;
    return update?.taskId === taskId && update.modelRound === modelRound ? update : undefined;
  }

  async #learn(task: Task, model: Download, signal: AbortSignal): Promise<Update> {
    const { trainer, observe, desk, keeping } = this.#options;
    const { taskId, round, modelRound, settings } = task;
    this.#update = undefined; // what the round before left takes up room
    const { weights, samples, metrics } = await trainer.train(
      model.bytes,
      { taskId, round, settings },
      { signal, progress: (progress) => observe({ kind: "training", round, progress }) },
    );
    observe({ kind: "trained", round, metrics });
    const update: Update = {
      taskId,
      modelRound,
      uploadId: crypto.getRandomValues(new Uint8Array(16)),
      kind: UpdateKind.WEIGHTS,
      samples,
      metrics,
      bytes: weights,
      heldBytes: 0,
    };
    this.#update = update;
    // Kept before its first part is sent: another process goes on with this very upload.
    await keeping?.update(desk().runId, update);
    return update;
  }

  async #evaluate(task: Task, model: Download, signal: AbortSignal): Promise<void> {
    const { trainer, observe, desk } = this.#options;
    const { taskId, round, settings } = task;
    const result = await trainer.evaluate(model.bytes, { taskId, round, settings }, { signal });
    const { samples, metrics } = result;
    observe({ kind: "evaluated", round, metrics });
    const { exchange } = desk();
    if (exchange === undefined) throw new ConnectionLost("between connections");
    await exchange.ask(
      clientMessage({
        body: { case: "evaluation", value: { taskId, samples, metrics: { ...metrics } } },
      }).body,
    );
  }
}

/** Of the session. */
const SESSIONLESS: ReadonlySet<Verdict> = new Set([Verdict.NO_SESSION, Verdict.OTHER_RUN]);
/** The server asks for no more of an update with one of these verdicts. */
const OVER: ReadonlySet<Verdict> = new Set([Verdict.ACCEPTED, Verdict.DUPLICATE, Verdict.STALE]);
