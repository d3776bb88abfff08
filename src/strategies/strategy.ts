/** How a round's updates become the next model: pure maths, no wire, no disk, no clock. */

import type { RoundSamples } from "../weights/admission.ts";
import type { NamedTensors, Rejection } from "../weights/tensors.ts";
import type { Update } from "../weights/update.ts";

export interface GlobalModel {
  /** The round that made it; 0 for the model a run begins with. */
  readonly round: number;
  readonly tensors: NamedTensors;
}

/** Numbers by name, given to every trainer with its task. */
export type Settings = Readonly<Record<string, number>>;

/** One round's aggregation: add every update as it is completed, then finish once. */
export interface Aggregation {
  /** Judges an update without counting it. */
  check(update: Update): Rejection | undefined;
  /**
   * Counts an update, or says why not and is as it was before: `check` beforehand is not needed.
   * The order of updates does not change a bit of the model. The update's bytes must not be written
   * to until `finish`.
   * @throws {RangeError} when samples are no positive integer or exceed the round's in sum.
   * @throws {TypeError} when the client has counted already.
   */
  add(update: Update): Rejection | undefined;
  /** The model of the round; the tensors of the global model, to the bit, when nothing was added. */
  finish(): GlobalModel;
}

export interface Strategy {
  readonly name: string;
  /** @throws {RangeError} when the model is not finite, or restored state is of another model. */
  aggregate(global: GlobalModel, round: number, samples: RoundSamples): Aggregation;
  /** What trainers are told, where the strategy has a say in local training. */
  settings?(round: number, client: string): Settings;
  /**
   * What the strategy knows beside the model after the last `finish`, to be saved with that model.
   * The tensors are never written to again.
   */
  state?(): NamedTensors;
  /**
   * Goes on from saved state, before the first round.
   * @throws {TypeError} when another strategy saved it.
   */
  restore?(state: NamedTensors): void;
}
