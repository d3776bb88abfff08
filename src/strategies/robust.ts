/** The aggregation of strategies that look at all updates of a coordinate together. */

import { Admission, type Averaged, type RoundSamples } from "../weights/admission.ts";
import { carry, outranks } from "../weights/carried.ts";
import { BLOCK_VALUES, narrow } from "../weights/convert.ts";
import type { Tensor } from "../weights/tensors.ts";
import { type Update, WeightReader } from "../weights/update.ts";
import type { Aggregation, GlobalModel } from "./strategy.ts";

export interface RobustRound extends RoundSamples {
  readonly round: number;
  /** One weight from a coordinate's weights in ascending order, one for each client, never empty. */
  readonly reduce: (column: Float64Array) => number;
}

/**
 * Memory: every update of the round as it came, until `finish`. Each client is one voice: samples do
 * not weigh, as a client that claims many would outvote the honest. Integer and bool tensors are
 * carried from the update with most samples, as everywhere. Updates are sorted by client id and
 * columns by value, so the order of arrival is gone before anything is computed.
 */
export function robustAggregation(global: GlobalModel, options: RobustRound): Aggregation {
  const { round, totalSamples, reduce } = options;
  const admission = new Admission(global.tensors, { totalSamples });
  const updates = new Map<string, Update>();
  return {
    check: (update) => admission.check(update),
    add(update) {
      admission.expect([update.client], update.samples);
      const mistake = admission.check(update);
      if (mistake !== undefined) return mistake;
      admission.count([update.client], update.samples);
      updates.set(update.client, update);
      return undefined;
    },
    finish() {
      const sorted = [...updates.values()].sort((a, b) => a.client < b.client ? -1 : 1);
      const [first] = sorted;
      if (first === undefined) return { round, tensors: global.tensors };
      const tensors = new Map<string, Tensor>(global.tensors);
      const winner = sorted.reduce((best, update) => outranks(update, best) ? update : best, first);
      for (const [name, tensor] of carry(global.tensors, winner).tensors) tensors.set(name, tensor);
      for (const averaged of admission.averaged) {
        const { tensor } = averaged;
        const bytes = narrow(tensor.dtype, reduceColumns(averaged, sorted, reduce));
        tensors.set(tensor.name, { ...tensor, bytes });
      }
      return { round, tensors };
    },
  };
}

function reduceColumns(
  { tensor, length }: Averaged,
  updates: readonly Update[],
  reduce: (column: Float64Array) => number,
): Float64Array {
  const readers = updates.map((update) => new WeightReader(update, tensor));
  const rows = updates.map(() => new Float64Array(BLOCK_VALUES));
  const column = new Float64Array(updates.length);
  const reduced = new Float64Array(length);
  for (let at = 0; at < length; at += BLOCK_VALUES) {
    const count = Math.min(BLOCK_VALUES, length - at);
    for (const [index, reader] of readers.entries()) {
      reader.read(at, rows[index]?.subarray(0, count) ?? new Float64Array());
    }
    for (let i = 0; i < count; i++) {
      for (let row = 0; row < rows.length; row++) column[row] = rows[row]?.[i] as number;
      sortColumn(column);
      reduced[at + i] = reduce(column);
    }
  }
  return reduced;
}

/** Ascending. Insertion sort takes half the time of the built-in one up to some 60 clients. */
function sortColumn(column: Float64Array): void {
  if (column.length > 60) {
    column.sort();
    return;
  }
  for (let i = 1; i < column.length; i++) {
    const value = column[i] as number;
    let at = i;
    for (; at > 0 && (column[at - 1] as number) > value; at--) {
      column[at] = column[at - 1] as number;
    }
    column[at] = value;
  }
}
