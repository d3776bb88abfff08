/** What the server asks for: the newest task of each kind, waiting for its model or under way. */

import { type Task, TaskKind } from "../contract/federation_pb.ts";

/** Resolves with whether the task is done with; if not, it is started again. Never rejects. */
export type CarryOut = (task: Task, signal: AbortSignal) => Promise<boolean>;

interface Work {
  readonly taskId: number;
  readonly abort: AbortController;
}

export class Tasks implements Disposable {
  readonly #newest = new Map<TaskKind, Task>();
  readonly #work = new Map<TaskKind, Work>();

  take(task: Task): void {
    this.#newest.set(task.kind, task);
  }

  /** Starts each task that waits for the model of `modelRound`. */
  start(modelRound: number, carryOut: CarryOut): void {
    for (const task of this.#newest.values()) {
      const running = this.#work.get(task.kind);
      if (running?.taskId === task.taskId || task.modelRound !== modelRound) continue;
      running?.abort.abort();
      void this.#run(task, carryOut);
    }
  }

  async #run(task: Task, carryOut: CarryOut): Promise<void> {
    const { kind, taskId } = task;
    const work: Work = { taskId, abort: new AbortController() };
    this.#work.set(kind, work);
    const done = await carryOut(task, work.abort.signal);
    if (this.#work.get(kind) !== work) return; // it was given up; another task may have its id
    this.#work.delete(kind);
    if (done && this.#newest.get(kind)?.taskId === taskId) this.#newest.delete(kind);
  }

  /** Work for a round that has closed is in vain. */
  dropStale(closedRound: number): void {
    const task = this.#newest.get(TaskKind.TRAIN);
    if (task === undefined || task.round > closedRound) return;
    this.#newest.delete(TaskKind.TRAIN);
    const running = this.#work.get(TaskKind.TRAIN);
    if (running?.taskId === task.taskId) running.abort.abort();
  }

  /** Ends what is under way; `start` begins it again. */
  abort(reason?: unknown): void {
    for (const { abort } of this.#work.values()) abort.abort(reason);
    this.#work.clear(); // what is still winding down must not pass for work on the same task id
  }

  [Symbol.dispose](): void {
    this.abort();
  }

  /** Forgets everything. */
  clear(): void {
    this.#newest.clear();
    this.abort();
  }
}
