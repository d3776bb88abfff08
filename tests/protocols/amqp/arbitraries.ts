/** Arbitrary field values, tables and method fields, by the codec's own types. */

import fc from "fast-check";
import type { FieldValue, Table } from "../../../src/protocols/amqp/fields.ts";
import type { FieldTypes, MethodName } from "../../../src/protocols/amqp/methods.ts";
import { METHODS } from "../../../src/protocols/amqp/methods.ts";

/** At most 255 octets of UTF-8: 63 characters of up to 4. */
export const shortstr = fc.string({ unit: "binary", maxLength: 63 }).filter((text) =>
  text.isWellFormed()
);

const octets = fc.uint8Array({ maxLength: 40 });
const int64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n };
const uint64 = { min: 0n, max: 2n ** 64n - 1n };

function integers(type: "b" | "B" | "U" | "s" | "u" | "I" | "i", min: number, max: number) {
  return fc.integer({ min, max }).map((value) => ({ type, value }));
}

export const { table, fieldValue } = fc.letrec<{ table: Table; fieldValue: FieldValue }>((tie) => ({
  table: fc.array(fc.tuple(shortstr, tie("fieldValue")), { maxLength: 4 })
    .map((entries) => new Map(entries)),
  fieldValue: fc.oneof(
    { maxDepth: 4 },
    fc.constant({ type: "V" } as const),
    fc.boolean().map((value) => ({ type: "t", value }) as const),
    integers("b", -128, 127),
    integers("B", 0, 255),
    integers("U", -32768, 32767),
    integers("s", -32768, 32767),
    integers("u", 0, 65535),
    integers("I", -(2 ** 31), 2 ** 31 - 1),
    integers("i", 0, 2 ** 32 - 1),
    fc.bigInt(int64).map((value) => ({ type: "L", value }) as const),
    fc.bigInt(int64).map((value) => ({ type: "l", value }) as const),
    fc.bigInt(uint64).map((value) => ({ type: "T", value }) as const),
    fc.float().map((value) => ({ type: "f", value }) as const),
    fc.double().map((value) => ({ type: "d", value }) as const),
    fc.tuple(fc.nat(255), fc.integer()).map(([scale, value]) =>
      ({ type: "D", scale, value }) as const
    ),
    octets.map((value) => ({ type: "S", value }) as const),
    octets.map((value) => ({ type: "x", value }) as const),
    fc.array(tie("fieldValue"), { maxLength: 4 }).map((value) => ({ type: "A", value }) as const),
    tie("table").map((value) => ({ type: "F", value }) as const),
  ),
}));

const fieldTypes: { [T in keyof FieldTypes]: fc.Arbitrary<FieldTypes[T]> } = {
  bit: fc.boolean(),
  octet: fc.nat(255),
  short: fc.nat(65535),
  long: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  longlong: fc.bigInt(uint64),
  shortstr,
  longstr: octets,
  table,
};

/** Fields that fit one method of the table. */
export function fieldsOf(name: MethodName): fc.Arbitrary<Record<string, unknown>> {
  const types: Readonly<Record<string, keyof FieldTypes>> = METHODS[name].fields;
  return fc.record(
    Object.fromEntries(Object.entries(types).map(([field, type]) => [field, fieldTypes[type]])),
    { noNullPrototype: true },
  );
}
