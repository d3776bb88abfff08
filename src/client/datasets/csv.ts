/** Comma-separated values (RFC 4180, but no line break within a field): a row is a sample. */

import { DatasetError, highest, isClassId, type Table } from "./dataset.ts";

export interface CsvOptions {
  /** The file's name, for messages. */
  readonly path: string;
  /**
   * The column of the labels, by its name in the header or its number from 1. Left out, it is the
   * one named `label`, else the last.
   */
  readonly label?: string;
  /** Whether the first line names the columns; left out, it does when no field of it is a number. */
  readonly header?: boolean;
  /** The classes' names in the order of their ids; left out, labels are the ids themselves. */
  readonly classes?: readonly string[];
}

interface Line {
  readonly number: number;
  readonly fields: readonly string[];
}

/**
 * Reads numeric features and one label column.
 *
 * @throws DatasetError that names line and column of the first field that does not fit.
 */
export function decodeCsv(bytes: Uint8Array, options: CsvOptions): Table {
  const { path } = options;
  const lines = readLines(decodeText(bytes, path), path);
  const first = lines.next().value;
  if (first === undefined) throw new DatasetError(`${path} is empty`);
  const hasHeader = options.header ?? first.fields.every((field) => !isNumber(field));
  const names = hasHeader ? first.fields.map((field) => field.trim()) : undefined;
  const columns = first.fields.length;
  if (columns < 2) {
    throw new DatasetError(`${path} needs at least one feature and a label column, with commas`);
  }
  const labelColumn = findLabel(options, names, columns);

  const width = columns - 1;
  const features: Float32Array[] = [];
  const labels: number[] = [];
  const take = ({ number, fields }: Line) => {
    if (fields.length !== columns) {
      throw new DatasetError(
        `${path}, line ${number}: ${fields.length} fields instead of ${columns}`,
      );
    }
    const place = (column: number) =>
      `${path}, line ${number}, column ${column + 1}` + (names ? ` (${names[column]})` : "");
    const row = new Float32Array(width);
    let next = 0;
    for (const [column, field] of fields.entries()) {
      if (column === labelColumn) labels.push(readLabel(field, { options, place: place(column) }));
      else row[next++] = readNumber(field, () => place(column));
    }
    features.push(row);
  };
  if (!hasHeader) take(first);
  for (const line of lines) take(line);
  if (labels.length === 0) throw new DatasetError(`${path} holds no samples`);

  const values = new Float32Array(features.length * width);
  for (const [i, row] of features.entries()) values.set(row, i * width);
  const ids = Int32Array.from(labels);
  return {
    features: { values, shape: [features.length, width] },
    labels: ids,
    classes: options.classes?.length ?? highest(ids) + 1,
  };
}

function decodeText(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new DatasetError(`${path} is not text in UTF-8`);
  }
}

/** The lines with anything in them, split into fields. */
function* readLines(text: string, path: string): Generator<Line, undefined> {
  let number = 0;
  for (let start = 0; start < text.length;) {
    const end = text.indexOf("\n", start);
    const line = text.slice(start, end < 0 ? text.length : end).replace(/\r$/, "");
    start = end < 0 ? text.length : end + 1;
    number++;
    if (line.trim() === "") continue;
    yield {
      number,
      fields: line.includes('"') ? splitQuoted(line, path, number) : line.split(","),
    };
  }
}

function splitQuoted(line: string, path: string, number: number): string[] {
  const fields: string[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y;
  for (;;) {
    const match = field.exec(line);
    if (match === null) {
      throw new DatasetError(`${path}, line ${number}, field ${fields.length + 1}: stray quote`);
    }
    fields.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? "");
    if (match[3] === "") return fields;
  }
}

function findLabel(
  { path, label }: CsvOptions,
  names: readonly string[] | undefined,
  columns: number,
): number {
  const named = names?.indexOf(label ?? "label") ?? -1;
  if (named >= 0) return named;
  if (label === undefined) return columns - 1;
  const number = Number(label);
  if (Number.isInteger(number) && number >= 1 && number <= columns) return number - 1;
  throw new DatasetError(
    names === undefined
      ? `${path} has no header line, so label=${label} must be a column number of 1 to ${columns}`
      : `${path} has no column ${label}; its columns are ${names.join(", ")}`,
  );
}

function isNumber(field: string): boolean {
  return field.trim() !== "" && !Number.isNaN(Number(field));
}

function readNumber(field: string, place: () => string): number {
  const value = Math.fround(Number(field));
  if (field.trim() === "") throw new DatasetError(`${place()} is empty`);
  if (!Number.isFinite(value)) {
    throw new DatasetError(`${place()}: ${JSON.stringify(field)} is not a finite number`);
  }
  return value;
}

function readLabel(
  field: string,
  { options: { classes }, place }: { options: CsvOptions; place: string },
): number {
  const text = field.trim();
  const id = classes === undefined ? Number(text) : classes.indexOf(text);
  if (text !== "" && isClassId(id)) return id;
  throw new DatasetError(
    classes === undefined
      ? `${place}: label ${JSON.stringify(text)} is not a class id 0, 1, 2, ...; ` +
        `if labels are names, list them in order with classes=NAME|NAME`
      : `${place}: label ${JSON.stringify(text)} is not one of ${classes.join(", ")}`,
  );
}
