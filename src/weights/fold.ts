/** The weighted mean of updates as they arrive: one accumulator, no update kept, any order, the same bits. */

import { Admission, type Averaged, explain, type RoundSamples } from "./admission.ts";
import { type Carried, carry, outranks } from "./carried.ts";
import { BLOCK_VALUES, LARGEST_FINITE, narrow } from "./convert.ts";
import { accumulate } from "./grid.ts";
import {
  dtypeBytes,
  type FloatDtype,
  type FloatTensor,
  type NamedTensors,
  quoteName,
  type Rejection,
  type Tensor,
} from "./tensors.ts";
import { type Update, WeightReader } from "./update.ts";

/** What a fold has added up, to be merged into another fold of the same round. Can cross a Worker. */
export interface FoldPartial {
  readonly totalSamples: number;
  readonly samples: number;
  readonly clients: readonly string[];
  /** By tensor name: the sum of samples × weight, a whole number of the grid's steps each. */
  readonly sums: ReadonlyMap<string, PartialSum>;
  readonly carried: Carried | undefined;
}

export interface PartialSum {
  readonly step: number;
  readonly values: Float64Array<ArrayBuffer>;
}

/** Turns the mean of a float tensor into its next weights; may write into `mean` and return it. */
export type Move = (global: FloatTensor, mean: Float64Array) => Float64Array;

/**
 * One round's FedAvg. Float tensors become the mean of the updates weighted by samples (grid.ts says
 * why the order cannot matter), the others are carried from the update with most samples. Holds one
 * float64 for each float of the model from the first update on.
 */
export class Fold {
  readonly #admission: Admission;
  readonly #sums: readonly Float64Array<ArrayBuffer>[];
  #carried: Carried | undefined;

  /** @throws {RangeError} when `totalSamples` is no positive integer or the model is not finite. */
  constructor(global: NamedTensors, round: RoundSamples) {
    this.#admission = new Admission(global, round);
    // Written now: fetching their pages would take the round's first update longer than its addition.
    this.#sums = this.#admission.averaged.map(({ length }) => new Float64Array(length).fill(0));
  }

  /** Samples counted so far. */
  get samples(): number {
    return this.#admission.samples;
  }

  /** Clients counted so far. */
  get clients(): readonly string[] {
    return this.#admission.clients;
  }

  /** Judges an update without counting it. */
  check(update: Update): Rejection | undefined {
    return this.#admission.check(update);
  }

  /**
   * Counts an update, or says why not and is as it was before. Checks while it adds, in one pass:
   * `check` beforehand is not needed. Keeps no reference to the update.
   * @throws {RangeError} when samples are no positive integer or exceed `totalSamples` in sum.
   * @throws {TypeError} when the client has counted already.
   */
  add(update: Update): Rejection | undefined {
    const { client, samples } = update;
    this.#admission.expect([client], samples);
    const mistake = this.#admission.checkForm(update);
    if (mistake !== undefined) return mistake;
    for (const [index, averaged] of this.#admission.averaged.entries()) {
      const added = this.#accumulate(index, update, { samples, count: averaged.length });
      if (added === averaged.length) continue;
      // Sums are exact, so taking the same terms away restores every bit.
      this.#accumulate(index, update, { samples: -samples, count: added });
      for (const [before, { length }] of this.#admission.averaged.slice(0, index).entries()) {
        this.#accumulate(before, update, { samples: -samples, count: length });
      }
      return explain(update, averaged, added);
    }
    this.#admission.count([client], samples);
    if (this.#carried === undefined || outranks(update, this.#carried)) {
      this.#carried = carry(this.#admission.global, update);
    }
    return undefined;
  }

  /** What was added so far: sums as copies, carried tensors shared and never written to again. */
  partial(): FoldPartial {
    const sums = new Map<string, PartialSum>();
    for (const [index, { tensor, grid }] of this.#admission.averaged.entries()) {
      const values = this.#sums[index]?.slice();
      if (values !== undefined) sums.set(tensor.name, { step: grid.step, values });
    }
    const { totalSamples, samples, clients } = this.#admission;
    return { totalSamples, samples, clients, sums, carried: this.#carried };
  }

  /**
   * Adds what another fold of the same round has added: the same bits as adding its updates here.
   * @throws {RangeError} when samples exceed `totalSamples` in sum.
   * @throws {TypeError} when a client has counted in both, or the folds are of different rounds.
   */
  merge(partial: FoldPartial): void {
    if (partial.samples === 0) return;
    this.#admission.expect(partial.clients, partial.samples);
    const averaged = this.#admission.averaged;
    const addends = averaged.map((own) => this.#addend(partial, own));
    if (partial.totalSamples !== this.#admission.totalSamples || partial.carried === undefined) {
      throw new TypeError("Cannot merge: the partial fold is of another round");
    }
    for (const [index, values] of addends.entries()) {
      const sums = this.#sums[index];
      if (sums !== undefined) addTo(sums, values);
    }
    this.#admission.count(partial.clients, partial.samples);
    if (this.#carried === undefined || outranks(partial.carried, this.#carried)) {
      this.#carried = partial.carried;
    }
  }

  /**
   * The round's model, in the order and the dtypes of the global model; the global model itself when
   * nothing was added. `move` takes each float tensor from its mean to its next weights.
   */
  finish(move?: Move): NamedTensors {
    const { global, averaged, samples } = this.#admission;
    if (samples === 0) return global;
    const tensors = new Map<string, Tensor>(global);
    for (const [name, tensor] of this.#carried?.tensors ?? []) tensors.set(name, tensor);
    for (const [index, { tensor, grid, length }] of averaged.entries()) {
      const sums = this.#sums[index] ?? new Float64Array(length);
      const divisor = { samples, bound: grid.bound };
      const bytes = move === undefined
        ? meanBytes(tensor.dtype, sums, divisor)
        : movedBytes(tensor, meanOf(sums, divisor), move);
      tensors.set(tensor.name, { ...tensor, bytes });
    }
    return tensors;
  }

  /** Adds the first `count` terms of one tensor; returns how many were within the bound. */
  #accumulate(
    index: number,
    update: Update,
    { samples, count }: { samples: number; count: number },
  ): number {
    const averaged = this.#admission.averaged[index];
    const sums = this.#sums[index];
    if (averaged === undefined || sums === undefined) {
      throw new TypeError(`Cannot add to tensor ${index}: the fold has no such sum`);
    }
    const reader = new WeightReader(update, averaged.tensor);
    const block = new Float64Array(BLOCK_VALUES);
    for (let at = 0; at < count; at += BLOCK_VALUES) {
      const end = Math.min(at + BLOCK_VALUES, count);
      const weights = block.subarray(0, end - at);
      reader.read(at, weights);
      const added = accumulate(sums.subarray(at, end), weights, { samples, grid: averaged.grid });
      if (added < weights.length) return at + added;
    }
    return count;
  }

  #addend(partial: FoldPartial, { tensor, grid, length }: Averaged): Float64Array {
    const sum = partial.sums.get(tensor.name);
    if (sum === undefined || sum.step !== grid.step || sum.values.length !== length) {
      throw new TypeError(
        `Cannot merge tensor ${quoteName(tensor.name)}: the partial fold is of another round`,
      );
    }
    return sum.values;
  }
}

function addTo(sums: Float64Array, values: Float64Array): void {
  for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] as number) + (values[i] as number);
}

/** The exact mean is within the bound; what rounding put beyond it comes back. */
function meanOf(
  sums: Float64Array,
  { samples, bound }: { samples: number; bound: number },
): Float64Array<ArrayBuffer> {
  const mean = new Float64Array(sums.length);
  for (let i = 0; i < mean.length; i++) mean[i] = (sums[i] as number) / samples;
  clamp(mean, bound);
  return mean;
}

/** Block by block: the mean of a large tensor is never in memory as float64. */
function meanBytes(
  dtype: FloatDtype,
  sums: Float64Array,
  divisor: { samples: number; bound: number },
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(sums.length * dtypeBytes(dtype));
  for (let at = 0; at < sums.length; at += BLOCK_VALUES) {
    const mean = meanOf(sums.subarray(at, at + BLOCK_VALUES), divisor);
    bytes.set(narrow(dtype, mean), at * dtypeBytes(dtype));
  }
  return bytes;
}

function movedBytes(global: FloatTensor, mean: Float64Array, move: Move): Uint8Array<ArrayBuffer> {
  const weights = move(global, mean);
  clamp(weights, LARGEST_FINITE[global.dtype]);
  return narrow(global.dtype, weights);
}

function clamp(values: Float64Array, limit: number): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (value > limit) values[i] = limit;
    else if (value < -limit) values[i] = -limit;
  }
}
