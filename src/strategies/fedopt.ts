/** FedOpt, an optimizer at the server: https://arxiv.org/abs/2003.00295 (algorithm 1, SERVEROPT). */

import { narrow, widen } from "../weights/convert.ts";
import { type FloatTensor, isFloatTensor, quoteName, type Tensor } from "../weights/tensors.ts";
import { dtypeBytes, elementCount, type NamedTensors } from "../weights/tensors.ts";
import { meanAggregation } from "./mean.ts";
import type { Strategy } from "./strategy.ts";

/** A server optimizer, coordinate by coordinate. It writes into the arrays it is given. */
export interface ServerOptimizer {
  readonly name: string;
  /** What it remembers for each coordinate, with the value it begins at. */
  readonly moments: Readonly<Record<string, number>>;
  /**
   * Moves `weights` by the pseudo-gradient `delta`, the mean of the updates minus the weights; all
   * arrays float64 and of one length, the moments in the order of their names above. Finite input
   * must leave finite moments and no NaN: only an F64 model's squares can leave float64's range.
   */
  step(weights: Float64Array, delta: Float64Array, moments: readonly Float64Array[]): void;
}

/**
 * The pseudo-gradient comes from the fold's float64 mean, before any rounding to the model's dtype.
 * Moments are float64, new arrays each round: those of the last finished round stay valid while they
 * are being saved. A round without updates is no step: it leaves model and moments as they are.
 */
export function serverOptimizer(optimizer: ServerOptimizer): Strategy {
  const { name } = optimizer;
  const momentNames = Object.keys(optimizer.moments);
  let state: NamedTensors = new Map();

  function momentOf(moment: string, tensor: FloatTensor): Float64Array {
    const saved = state.get(stateKey(moment, tensor));
    if (saved !== undefined) return widen({ ...saved, dtype: "F64" });
    return new Float64Array(elementCount(tensor.shape)).fill(optimizer.moments[moment] ?? 0);
  }

  function checkState(global: NamedTensors): void {
    for (const tensor of global.values()) {
      const dueBytes = elementCount(tensor.shape) * dtypeBytes("F64");
      for (const moment of momentNames) {
        const savedBytes = state.get(stateKey(moment, tensor))?.bytes.length ?? dueBytes;
        if (isFloatTensor(tensor) && savedBytes !== dueBytes) {
          throw new RangeError(
            `Cannot go on with ${name}: its saved state is of another model, in which tensor ` +
              `${quoteName(tensor.name)} has another shape`,
          );
        }
      }
    }
  }

  return {
    name,
    aggregate(global, round, { totalSamples }) {
      checkState(global.tensors);
      const moved = new Map<string, Tensor>();
      let finished = false;
      const aggregation = meanAggregation(global, {
        round,
        totalSamples,
        move(tensor, mean) {
          const weights = widen(tensor);
          subtract(mean, weights);
          const moments = momentNames.map((moment) => momentOf(moment, tensor));
          optimizer.step(weights, mean, moments);
          for (const [index, values] of moments.entries()) {
            const key = stateKey(momentNames[index] ?? "", tensor);
            const bytes = narrow("F64", values);
            moved.set(key, { name: key, dtype: "F64", shape: tensor.shape, bytes });
          }
          return weights;
        },
      });
      return {
        ...aggregation,
        finish() {
          // A second step from the same updates would count them twice in the moments.
          if (finished) throw new TypeError(`Cannot finish round ${round}: it is finished`);
          const model = aggregation.finish();
          finished = true;
          state = new Map([...state, ...moved]);
          return model;
        },
      };
    },
    state: () => state,
    restore(saved) {
      for (const [key, { dtype }] of saved) {
        if (dtype !== "F64" || !momentNames.some((moment) => key.startsWith(`${moment}/`))) {
          throw new TypeError(`Cannot restore ${name}: ${quoteName(key)} is not of its state`);
        }
      }
      state = saved;
    },
  };
}

function stateKey(moment: string, tensor: Tensor): string {
  return `${moment}/${tensor.name}`;
}

function subtract(from: Float64Array, values: Float64Array): void {
  for (let i = 0; i < from.length; i++) from[i] = (from[i] as number) - (values[i] as number);
}
