/** One client's contribution to a round, and the weights it stands for. */

import { BLOCK_VALUES, FloatReader } from "./convert.ts";
import { type FloatTensor, isFloatTensor, type NamedTensors, quoteName } from "./tensors.ts";

export interface Update {
  /** Client id. */
  readonly client: string;
  /** A positive integer: how much the update weighs. */
  readonly samples: number;
  /** `delta`: float tensors are differences to the round's global model. Others are plain values. */
  readonly kind: "weights" | "delta";
  readonly tensors: NamedTensors;
}

/** Reads the weights an update stands for: its own, or global + delta, added in float64. */
export class WeightReader {
  readonly length: number;
  readonly #own: FloatReader;
  readonly #global: FloatReader | undefined;
  /** Room for a block of the global model; deltas only. */
  readonly #scratch: Float64Array | undefined;

  /** @throws {TypeError} when `compareSpecs` would not have let the update's tensor pass. */
  constructor(update: Update, global: FloatTensor) {
    const own = update.tensors.get(global.name);
    if (own === undefined || !isFloatTensor(own)) {
      throw new TypeError(
        `Cannot read weights: the update has no floats ${quoteName(global.name)}`,
      );
    }
    this.#own = new FloatReader(own);
    const base = new FloatReader(global);
    this.length = base.length;
    if (this.#own.length !== this.length) {
      throw new TypeError(
        `Cannot read weights: ${quoteName(global.name)} has ${this.#own.length} of ${this.length}`,
      );
    }
    if (update.kind === "delta") {
      this.#global = base;
      this.#scratch = new Float64Array(BLOCK_VALUES);
    }
  }

  /** Fills `into`, of at most BLOCK_VALUES, with the weights from `start`. */
  read(start: number, into: Float64Array): void {
    this.#own.read(start, into);
    if (this.#global === undefined || this.#scratch === undefined) return;
    const global = this.#scratch.subarray(0, into.length);
    this.#global.read(start, global);
    for (let i = 0; i < into.length; i++) {
      into[i] = (global[i] as number) + (into[i] as number);
    }
  }
}
