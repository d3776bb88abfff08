/**
 * Trains with a program of the user's, started anew for each task: files in, files out, progress on
 * its standard output. examples/trainers/README.md is the program's side of it.
 */

import { decodeSafetensors } from "../weights/safetensors.ts";
import { compareSpecs, isRejection } from "../weights/tensors.ts";
import { runGroup } from "./process_group.ts";
import { ProgramLines } from "./program_lines.ts";
import { readCount, readResult } from "./program_result.ts";
import { type FolderContent, TaskFolder } from "./task_folder.ts";
import {
  type EvaluateResult,
  type Topology,
  type Trainer,
  TrainerError,
  type TrainOptions,
  type TrainResult,
  type TrainTask,
} from "./trainer.ts";

export interface ExecOptions {
  /** For the POSIX shell, in the current directory. */
  readonly command: string;
  /** Where the samples are, in whatever form the program understands. */
  readonly data?: string | undefined;
  /** Training samples held; the program is asked when it is left out. */
  readonly samples?: number | undefined;
  /** Gets what the program writes beside its progress, line by line. */
  readonly said?: (line: string) => void;
  /** Ends the opening; later there is disposal. */
  readonly signal?: AbortSignal;
  /** How long a program that is to end may take before it is killed. */
  readonly graceMs?: number;
}

const GRACE_MS = 5000;
/** Weights are as long as the model, but for their header; a wrong dtype is still to be named. */
const MARGIN_BYTES = 1024 * 1024;

type Kind = "train" | "evaluate" | "count";

export class ExecTrainer implements Trainer {
  readonly #options: ExecOptions;
  readonly #closing = new AbortController();
  /** The newest program of each kind. Evaluation goes on beside training, as it does in a round. */
  readonly #newest = new Map<Kind, Promise<unknown>>();
  #topology: Topology = { type: "", bytes: new Uint8Array() };
  #samples = 0;

  private constructor(options: ExecOptions) {
    this.#options = options;
  }

  /**
   * @throws {TrainerError} when the program is asked for its samples and does not say.
   * @throws {Deno.errors.NotCapable} without the permission to run programs.
   */
  static async open(options: ExecOptions): Promise<ExecTrainer> {
    const trainer = new ExecTrainer(options);
    const { samples, signal = new AbortController().signal } = options;
    trainer.#samples = samples ?? await trainer.#run({ task: { kind: "count" } }, {
      signal,
      read: async (folder) => readCount(await folder.result()),
    });
    return trainer;
  }

  get samples(): number {
    return this.#samples;
  }

  prepare(topology: Topology): Promise<void> {
    this.#topology = topology;
    return Promise.resolve();
  }

  async train(
    model: Uint8Array,
    task: TrainTask,
    { signal, progress }: TrainOptions,
  ): Promise<TrainResult> {
    return await this.#run(this.#content("train", model, task), {
      signal,
      progress,
      read: async (folder) => {
        const weights = await folder.weights(2 * model.length + MARGIN_BYTES);
        checkWeights(weights, model);
        return { ...readResult(await folder.result(), this.#samples), weights };
      },
    });
  }

  async evaluate(
    model: Uint8Array,
    task: TrainTask,
    { signal }: { signal: AbortSignal },
  ): Promise<EvaluateResult> {
    return await this.#run(this.#content("evaluate", model, task), {
      signal,
      read: async (folder) => {
        const result = await folder.result();
        if (result === undefined) {
          throw new TrainerError("The trainer wrote no result to TRIBUTARY_RESULT");
        }
        return readResult(result, this.#samples);
      },
    });
  }

  #content(
    kind: "train" | "evaluate",
    model: Uint8Array,
    { taskId, round, settings }: TrainTask,
  ): FolderContent {
    const topology = this.#topology;
    const task = {
      kind,
      task_id: taskId,
      round,
      settings,
      samples: this.#samples,
      topology_type: topology.type,
    };
    return { task, model, topology };
  }

  /** Runs the program once; a program of the same kind that is still ending is waited for. */
  #run<Answer>(
    content: FolderContent,
    options: {
      readonly signal: AbortSignal;
      readonly progress?: TrainOptions["progress"];
      readonly read: (folder: TaskFolder) => Promise<Answer>;
    },
  ): Promise<Answer> {
    const { kind } = content.task;
    const before = this.#newest.get(kind);
    const signal = AbortSignal.any([options.signal, this.#closing.signal]);
    const answer = (async () => {
      await before?.catch(() => {}); // its caller's
      signal.throwIfAborted();
      using folder = await TaskFolder.open(content);
      const lines = new ProgramLines({ progress: options.progress, said: this.#options.said });
      const { command, data, graceMs = GRACE_MS } = this.#options;
      const { code, signal: ending } = await runGroup(command, {
        environment: {
          ...folder.environment,
          ...(data === undefined ? {} : { TRIBUTARY_DATA: data }),
        },
        hear: (line, output) => lines.hear(line, output),
        signal,
        graceMs,
      });
      try {
        if (ending !== null) throw new TrainerError(`The trainer was ended by ${ending}`);
        if (code !== 0) throw new TrainerError(`The trainer ended with exit code ${code}`);
        return await options.read(folder);
      } catch (error) {
        if (!(error instanceof TrainerError)) throw error;
        throw new TrainerError(error.message + lines.lastWords, { cause: error });
      }
    })();
    this.#newest.set(kind, answer);
    return answer;
  }

  /** Ends whatever runs, and waits until it has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error("The trainer is closed"));
    await Promise.allSettled(this.#newest.values());
  }
}

/** What the server would refuse is the program's mistake, and is said before it is sent. */
function checkWeights(weights: Uint8Array, model: Uint8Array): void {
  const [expected, got] = [decodeSafetensors(model), decodeSafetensors(weights)];
  if (isRejection(got)) throw new TrainerError(`The trainer's weights are ${got.detail}`);
  if (isRejection(expected)) throw new TrainerError(`The model is ${expected.detail}`);
  const mismatch = compareSpecs(expected, got);
  if (mismatch === undefined) return;
  throw new TrainerError(`The trainer's weights do not fit the model: ${mismatch.detail}`);
}
