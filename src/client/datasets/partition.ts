/**
 * Splits one data set into unequal shares, as a federation's clients would hold it: for each class
 * its samples are dealt out in proportions drawn from a Dirichlet distribution (Hsu, Qi and Brown,
 * "Measuring the Effects of Non-Identical Data Distribution for Federated Visual Classification",
 * arXiv:1909.06335; class by class as in Yurochkin et al., arXiv:1905.12022).
 */

import { Random } from "../random.ts";
import { classCounts, DatasetError } from "./dataset.ts";

export interface PartitionOptions {
  /** How many shares; at most as many as there are samples. */
  readonly shares: number;
  /** Concentration: 100 deals nearly equal shares, 0.1 leaves most shares few classes. */
  readonly alpha: number;
  readonly seed: number;
}

export interface Partition {
  /** Row numbers of each share, ascending: disjoint, none empty, together all rows. */
  readonly rows: readonly Uint32Array<ArrayBuffer>[];
  /** Samples of each class, share by share. */
  readonly classCounts: readonly (readonly number[])[];
}

/**
 * The same labels, shares, alpha and seed give the same partition everywhere.
 *
 * @param labels Class ids of 0 to `classes` - 1.
 * @throws DatasetError when there are fewer samples than shares.
 */
export function partitionByLabel(
  labels: Int32Array,
  classes: number,
  { shares, alpha, seed }: PartitionOptions,
): Partition {
  if (shares > labels.length) {
    throw new DatasetError(
      `${labels.length} samples cannot be split into ${shares} shares: ask for fewer`,
    );
  }
  const random = Random.seeded(seed);
  const dealt: number[][] = Array.from({ length: shares }, () => []);
  for (const rows of rowsByClass(labels, classes)) {
    random.shuffle(rows);
    let sum = 0;
    let start = 0;
    for (const [share, proportion] of random.dirichlet(alpha, shares).entries()) {
      sum += proportion;
      const end = share === shares - 1 ? rows.length : Math.min(rows.length, floor(sum, rows));
      for (let i = start; i < end; i++) dealt[share]?.push(rows[i] as number);
      start = Math.max(start, end);
    }
  }
  fillEmpty(dealt);
  const rows = dealt.map((share) => Uint32Array.from(share).sort());
  return {
    rows,
    classCounts: rows.map((share) => classCounts(Int32Array.from(share, at(labels)), classes)),
  };
}

function floor(proportion: number, rows: Uint32Array): number {
  return Math.floor(proportion * rows.length);
}

function at(labels: Int32Array): (row: number) => number {
  return (row) => labels[row] as number;
}

function rowsByClass(labels: Int32Array, classes: number): Uint32Array[] {
  const rows = classCounts(labels, classes).map((count) => new Uint32Array(count));
  const filled = new Array<number>(classes).fill(0);
  for (const [row, label] of labels.entries()) {
    const next = filled[label] ?? 0;
    (rows[label] as Uint32Array)[next] = row;
    filled[label] = next + 1;
  }
  return rows;
}

/** A client without samples could not take part: each empty share gets a row of the largest. */
function fillEmpty(dealt: number[][]): void {
  for (const share of dealt) {
    if (share.length > 0) continue;
    const largest = dealt.reduce((most, other) => other.length > most.length ? other : most);
    share.push(largest.pop() as number);
  }
}
