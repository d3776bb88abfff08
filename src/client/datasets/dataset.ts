/** Samples to learn from: what every file format is read into. */

/** Labelled samples in memory. */
export interface Dataset {
  /** float32, `length` rows of the product of `featureShape`, row after row. */
  readonly features: Float32Array<ArrayBuffer>;
  /** int32, one class id of 0 to `classes` - 1 for each sample. */
  readonly labels: Int32Array<ArrayBuffer>;
  /** Shape of one sample, e.g. [28, 28]. */
  readonly featureShape: readonly number[];
  readonly classes: number;
  readonly length: number;
}

/** Numbers as a file holds them: the first dimension of `shape` counts the samples. */
export interface NumberArray {
  readonly values: NumberValues;
  readonly shape: readonly number[];
}

export type NumberValues =
  | Uint8Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Float32Array
  | Float64Array;

/** A whole file or pair of files, before a share of its rows is taken. */
export interface Table {
  readonly features: NumberArray;
  readonly labels: Int32Array<ArrayBuffer>;
  readonly classes: number;
}

/** A data set cannot be had as asked for; the message is one sentence that says what to change. */
export class DatasetError extends Error {
  override readonly name = "DatasetError";
}

/** More classes than this is taken for a label column that is none. */
const MAX_CLASSES = 65_536;

/**
 * Joins features and labels that were read apart.
 *
 * @param paths The two files, for messages.
 * @throws DatasetError when their lengths differ or a label is no class id.
 */
export function joinTable(
  features: NumberArray,
  labels: NumberArray,
  paths: { features: string; labels: string },
): Table {
  const rows = features.shape[0] ?? 0;
  const count = labels.shape.reduce((product, size) => product * size, 1);
  if (rows === 0) throw new DatasetError(`${paths.features} holds no samples`);
  if (labels.shape[0] !== count) {
    throw new DatasetError(
      `${paths.labels} must hold one label for each sample, but its shape is ${labels.shape}`,
    );
  }
  if (rows !== count) {
    throw new DatasetError(
      `${paths.features} holds ${rows} samples but ${paths.labels} holds ${count} labels: ` +
        `name two files that belong together`,
    );
  }
  const ids = new Int32Array(rows);
  for (let i = 0; i < rows; i++) {
    const label = labels.values[i] as number;
    if (!isClassId(label)) {
      throw new DatasetError(
        `${paths.labels}: label ${i + 1} is ${label}, but labels are class ids 0, 1, 2, ...`,
      );
    }
    ids[i] = label;
  }
  return { features, labels: ids, classes: highest(ids) + 1 };
}

/** Whether a label can be taken for the number of a class. */
export function isClassId(label: number): boolean {
  return Number.isInteger(label) && label >= 0 && label < MAX_CLASSES;
}

/** The largest of some class ids; -1 without any. */
export function highest(ids: Int32Array): number {
  let largest = -1;
  for (const id of ids) if (id > largest) largest = id;
  return largest;
}

/**
 * The rows asked for as a data set.
 *
 * @param rows Row numbers, in the order wanted; all rows when left out.
 * @param divisor Each feature is divided by it.
 * @throws DatasetError when a feature is not finite.
 */
export function takeRows(
  table: Table,
  { rows, divisor, name }: { rows?: Uint32Array; divisor: number; name: string },
): Dataset {
  const featureShape = table.features.shape.slice(1);
  const width = featureShape.reduce((product, size) => product * size, 1);
  const length = rows?.length ?? table.labels.length;
  const features = new Float32Array(length * width);
  const labels = new Int32Array(length);
  const { values } = table.features;
  for (let i = 0; i < length; i++) {
    const row = rows === undefined ? i : rows[i] as number;
    labels[i] = table.labels[row] as number;
    const from = row * width;
    const to = i * width;
    for (let j = 0; j < width; j++) {
      const value = Math.fround((values[from + j] as number) / divisor);
      if (!Number.isFinite(value)) {
        throw new DatasetError(
          `${name}: feature ${j + 1} of sample ${row + 1} is not a finite float32 number`,
        );
      }
      features[to + j] = value;
    }
  }
  return { features, labels, featureShape, classes: table.classes, length };
}

/** How many samples of each class there are. */
export function classCounts(labels: Int32Array, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (const label of labels) counts[label] = (counts[label] ?? 0) + 1;
  return counts;
}
