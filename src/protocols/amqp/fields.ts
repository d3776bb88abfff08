/**
 * Field tables: §4.2.1 and §4.2.5.5 of AMQP 0-9-1, with the type letters that brokers and clients
 * really use (the "errata" of RabbitMQ and Qpid), where §4.2.1 disagrees with them.
 */

import type { OctetReader, OctetWriter } from "./octets.ts";

/** A value with its type letter, so that what was read is written again unchanged. */
export type FieldValue =
  | { readonly type: "t"; readonly value: boolean }
  /** int8, uint8, int16 (`U` in §4.2.1, `s` in use), uint16, int32, uint32, float, double. */
  | {
    readonly type: "b" | "B" | "U" | "s" | "u" | "I" | "i" | "f" | "d";
    readonly value: number;
  }
  /** int64 (`L` in §4.2.1, `l` in use) and timestamp, seconds since 1970. */
  | { readonly type: "L" | "l" | "T"; readonly value: bigint }
  /** Decimal: value / 10^scale. */
  | { readonly type: "D"; readonly scale: number; readonly value: number }
  /** Long string and byte array: any octets. */
  | { readonly type: "S" | "x"; readonly value: Uint8Array }
  | { readonly type: "A"; readonly value: readonly FieldValue[] }
  | { readonly type: "F"; readonly value: Table }
  /** No value. */
  | { readonly type: "V" };

export type Table = ReadonlyMap<string, FieldValue>;

export const EMPTY_TABLE: Table = new Map();

/** Tables and arrays may be nested this deep; deeper ones would cost stack, and nobody sends them. */
const DEEPEST = 32;

/**
 * Reads a table with its length.
 * @throws {RangeError} when the octets end too early.
 * @throws {SyntaxError} for an unknown type letter or one table too many in another.
 * @throws {TypeError} for a name that is not UTF-8.
 */
export function readTable(reader: OctetReader, depth = 0): Table {
  if (depth > DEEPEST) throw new SyntaxError(`A table is nested more than ${DEEPEST} deep`);
  const end = tableEnd(reader);
  const table = new Map<string, FieldValue>();
  while (reader.left > end) {
    const name = reader.shortstr();
    table.set(name, readValue(reader, depth + 1));
  }
  if (reader.left < end) throw new SyntaxError("A table's last value reaches beyond the table");
  return table;
}

/** Where a table or array ends, as octets left. */
function tableEnd(reader: OctetReader): number {
  const octets = reader.uint32();
  if (octets > reader.left) {
    throw new RangeError(`Cannot read a table of ${octets} octets: ${reader.left} are left`);
  }
  return reader.left - octets;
}

function readArray(reader: OctetReader, depth: number): FieldValue[] {
  if (depth > DEEPEST) throw new SyntaxError(`An array is nested more than ${DEEPEST} deep`);
  const end = tableEnd(reader);
  const values: FieldValue[] = [];
  while (reader.left > end) values.push(readValue(reader, depth + 1));
  if (reader.left < end) throw new SyntaxError("An array's last value reaches beyond the array");
  return values;
}

function readValue(reader: OctetReader, depth: number): FieldValue {
  const type = String.fromCharCode(reader.uint8());
  switch (type) {
    case "t":
      return { type, value: reader.uint8() !== 0 };
    case "b":
      return { type, value: reader.int8() };
    case "B":
      return { type, value: reader.uint8() };
    case "U":
    case "s":
      return { type, value: reader.int16() };
    case "u":
      return { type, value: reader.uint16() };
    case "I":
      return { type, value: reader.int32() };
    case "i":
      return { type, value: reader.uint32() };
    case "L":
    case "l":
      return { type, value: reader.int64() };
    case "f":
      return { type, value: reader.float32() };
    case "d":
      return { type, value: reader.float64() };
    case "D":
      return { type, scale: reader.uint8(), value: reader.int32() };
    case "S":
    case "x":
      return { type, value: reader.longstr() };
    case "A":
      return { type, value: readArray(reader, depth) };
    case "T":
      return { type, value: reader.uint64() };
    case "F":
      return { type, value: readTable(reader, depth) };
    case "V":
      return { type };
    default:
      throw new SyntaxError(`Unknown field type ${JSON.stringify(type)}`);
  }
}

/** @throws {RangeError} for a name longer than 255 octets. */
export function writeTable(writer: OctetWriter, table: Table): void {
  const at = writer.length;
  writer.uint32(0);
  for (const [name, value] of table) {
    writer.shortstr(name);
    writeValue(writer, value);
  }
  writer.patchUint32(at, writer.length - at - 4);
}

function writeValue(writer: OctetWriter, field: FieldValue): void {
  writer.uint8(field.type.charCodeAt(0));
  switch (field.type) {
    case "t":
      return writer.uint8(field.value ? 1 : 0);
    case "b":
      return writer.int8(field.value);
    case "B":
      return writer.uint8(field.value);
    case "U":
    case "s":
      return writer.int16(field.value);
    case "u":
      return writer.uint16(field.value);
    case "I":
      return writer.int32(field.value);
    case "i":
      return writer.uint32(field.value);
    case "L":
    case "l":
      return writer.int64(field.value);
    case "f":
      return writer.float32(field.value);
    case "d":
      return writer.float64(field.value);
    case "D":
      writer.uint8(field.scale);
      return writer.int32(field.value);
    case "S":
    case "x":
      return writer.longstr(field.value);
    case "A": {
      const at = writer.length;
      writer.uint32(0);
      for (const value of field.value) writeValue(writer, value);
      return writer.patchUint32(at, writer.length - at - 4);
    }
    case "T":
      return writer.uint64(field.value);
    case "F":
      return writeTable(writer, field.value);
    case "V":
      return;
    default:
      field satisfies never;
  }
}

/** A long string from a text. */
export function text(value: string): FieldValue {
  return { type: "S", value: new TextEncoder().encode(value) };
}

/** Whether two tables hold the same names with the same values, whatever their order. */
export function sameTable(left: Table, right: Table): boolean {
  if (left.size !== right.size) return false;
  for (const [name, value] of left) {
    const other = right.get(name);
    if (other === undefined || !sameValue(value, other)) return false;
  }
  return true;
}

/** Numbers are compared by value, as one client's `I` is another's `l`. */
export function sameValue(left: FieldValue, right: FieldValue): boolean {
  switch (left.type) {
    case "V":
      return right.type === "V";
    case "F":
      return right.type === "F" && sameTable(left.value, right.value);
    case "A":
      return right.type === "A" && left.value.length === right.value.length &&
        left.value.every((value, at) => sameValue(value, right.value[at] as FieldValue));
    case "S":
    case "x":
      return (right.type === "S" || right.type === "x") &&
        left.value.length === right.value.length &&
        left.value.every((octet, at) => octet === right.value[at]);
    case "D":
      return right.type === "D" && left.scale === right.scale && left.value === right.value;
    case "t":
      return right.type === "t" && left.value === right.value;
    default:
      return numberOf(right) !== undefined && numberOf(left) === numberOf(right);
  }
}

/** An integer as a bigint, whatever its width; a fraction as a number. */
function numberOf(field: FieldValue): bigint | number | undefined {
  if (field.type === "V" || field.type === "D") return undefined;
  const { value } = field;
  if (typeof value === "bigint") return value;
  if (typeof value !== "number") return undefined;
  return Number.isInteger(value) ? BigInt(value) : value;
}
