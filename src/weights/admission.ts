/** What an update must be to count in a round, and which updates have counted. */

import { BLOCK_VALUES, FloatReader } from "./convert.ts";
import { countWithin, type Grid, gridOf } from "./grid.ts";
import {
  compareSpecs,
  type FloatTensor,
  isFloatTensor,
  type NamedTensors,
  quoteName,
  type Rejection,
} from "./tensors.ts";
import { type Update, WeightReader } from "./update.ts";

export interface RoundSamples {
  /** The sum of the samples that the selected clients declared: no round weighs more. */
  readonly totalSamples: number;
}

/** A float tensor of the global model and the grid its sums are kept on. */
export interface Averaged {
  readonly tensor: FloatTensor;
  readonly grid: Grid;
  /** Number of values. */
  readonly length: number;
}

/** The door of one round's aggregation. Reads the global model once, for the bounds. */
export class Admission {
  readonly global: NamedTensors;
  readonly totalSamples: number;
  /** The float tensors in the order of the model. */
  readonly averaged: readonly Averaged[];
  readonly #clients = new Set<string>();
  #samples = 0;

  /** @throws {RangeError} when `totalSamples` is no positive integer or the model is not finite. */
  constructor(global: NamedTensors, { totalSamples }: RoundSamples) {
    if (!Number.isSafeInteger(totalSamples) || totalSamples < 1) {
      throw new RangeError(
        `Cannot open a round: totalSamples must be a positive integer, received ${totalSamples}`,
      );
    }
    this.global = global;
    this.totalSamples = totalSamples;
    const averaged: Averaged[] = [];
    for (const tensor of global.values()) {
      if (!isFloatTensor(tensor)) continue;
      const { largest, length } = survey(tensor);
      const grid = gridOf(tensor.dtype, largest, totalSamples);
      if (largest > grid.bound) {
        // F64 alone: its largest values times the samples are beyond any float64.
        throw new RangeError(
          `Cannot open a round: tensor ${quoteName(tensor.name)} has ${largest}, too large to sum`,
        );
      }
      averaged.push({ tensor, length, grid });
    }
    this.averaged = averaged;
  }

  /** Samples counted so far. */
  get samples(): number {
    return this.#samples;
  }

  /** Clients counted so far, in the order of their arrival. */
  get clients(): readonly string[] {
    return [...this.#clients];
  }

  /** Judges an update without counting it: its form, then each value against its bound. */
  check(update: Update): Rejection | undefined {
    const mistake = this.checkForm(update);
    if (mistake !== undefined) return mistake;
    const block = new Float64Array(BLOCK_VALUES);
    for (const averaged of this.averaged) {
      const reader = new WeightReader(update, averaged.tensor);
      for (let at = 0; at < averaged.length; at += BLOCK_VALUES) {
        const weights = block.subarray(0, Math.min(BLOCK_VALUES, averaged.length - at));
        reader.read(at, weights);
        const within = countWithin(weights, averaged.grid.bound);
        if (within < weights.length) return explain(update, averaged, at + within);
      }
    }
    return undefined;
  }

  /** The part of `check` that does not look at weights: names, dtypes, shapes, bools. */
  checkForm(update: Update): Rejection | undefined {
    const mismatch = compareSpecs(this.global, update.tensors);
    if (mismatch !== undefined) return mismatch;
    for (const { name, dtype, bytes } of update.tensors.values()) {
      if (dtype !== "BOOL") continue;
      for (let i = 0; i < bytes.length; i++) {
        const value = bytes[i] as number;
        if (value > 1) {
          const detail = `tensor ${quoteName(name)} has ${value} for a bool at ${i}`;
          return { reason: "out_of_range", detail };
        }
      }
    }
    return undefined;
  }

  /**
   * Makes sure that counting is right at all; the caller's bookkeeping is wrong where it is not.
   * @throws {RangeError} on samples that are no positive integer or more than the round can hold.
   * @throws {TypeError} on a client that has counted already.
   */
  expect(clients: readonly string[], samples: number): void {
    if (!Number.isSafeInteger(samples) || samples < 1) {
      throw new RangeError(
        `Cannot count an update: samples must be a positive integer, received ${samples}`,
      );
    }
    if (samples > this.totalSamples - this.#samples) {
      throw new RangeError(
        `Cannot count ${samples} samples: ${this.#samples} of ${this.totalSamples} have counted`,
      );
    }
    const twice = clients.find((client) => this.#clients.has(client));
    if (twice !== undefined) {
      throw new TypeError(`Cannot count an update: ${quoteName(twice)} has counted already`);
    }
  }

  /** Records updates that were added. */
  count(clients: readonly string[], samples: number): void {
    for (const client of clients) this.#clients.add(client);
    this.#samples += samples;
  }
}

/** Says which value of an update's tensor is beyond the bound, and how. */
export function explain(update: Update, averaged: Averaged, index: number): Rejection {
  const { tensor, grid } = averaged;
  const where = `tensor ${quoteName(tensor.name)} has`;
  const value = new Float64Array(1);
  const own = update.tensors.get(tensor.name);
  if (own !== undefined && isFloatTensor(own)) new FloatReader(own).read(index, value);
  if (!Number.isFinite(value[0])) {
    return { reason: "non_finite", detail: `${where} ${value[0]} at ${index}` };
  }
  new WeightReader(update, tensor).read(index, value);
  const detail = `${where} the weight ${value[0]} at ${index}, beyond its bound ${grid.bound}`;
  return { reason: "out_of_range", detail };
}

/** @throws {RangeError} when a value is not finite: such a model can be neither bounded nor averaged. */
function survey(tensor: FloatTensor): { largest: number; length: number } {
  const reader = new FloatReader(tensor);
  const block = new Float64Array(BLOCK_VALUES);
  let largest = 0;
  for (let at = 0; at < reader.length; at += BLOCK_VALUES) {
    const values = block.subarray(0, Math.min(BLOCK_VALUES, reader.length - at));
    reader.read(at, values);
    for (let i = 0; i < values.length; i++) {
      const magnitude = Math.abs(values[i] as number);
      if (!(magnitude <= Number.MAX_VALUE)) {
        throw new RangeError(
          `Cannot open a round: tensor ${quoteName(tensor.name)} of the model has ${values[i]}`,
        );
      }
      if (magnitude > largest) largest = magnitude;
    }
  }
  return { largest, length: reader.length };
}
