import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type FieldValue,
  readTable,
  sameTable,
  sameValue,
  type Table,
  text,
  writeTable,
} from "../../../src/protocols/amqp/fields.ts";
import { OctetReader, OctetWriter } from "../../../src/protocols/amqp/octets.ts";
import { table } from "./arbitraries.ts";

function encode(value: Table): Uint8Array {
  const writer = new OctetWriter();
  writeTable(writer, value);
  return writer.written();
}

function decode(hex: string): Table {
  return readTable(new OctetReader(Uint8Array.fromHex(hex)));
}

Deno.test("readTable gives back what writeTable wrote, type letters included", () => {
  fc.assert(fc.property(table, (value) => {
    const reader = new OctetReader(encode(value));
    assert.deepEqual(readTable(reader), value);
    assert.equal(reader.left, 0);
  }));
});

Deno.test("readTable reads every type letter in use", () => {
  // Each value as RabbitMQ's errata to §4.2.1 gives it.
  const fields: Record<string, [hex: string, value: FieldValue]> = {
    boolean: ["7401", { type: "t", value: true }],
    int8: ["62ff", { type: "b", value: -1 }],
    uint8: ["42ff", { type: "B", value: 255 }],
    int16: ["73fffe", { type: "s", value: -2 }],
    int16OfTheSpecification: ["55fffe", { type: "U", value: -2 }],
    uint16: ["75fffe", { type: "u", value: 65534 }],
    int32: ["49fffffffd", { type: "I", value: -3 }],
    uint32: ["69fffffffd", { type: "i", value: 4294967293 }],
    int64: ["6cfffffffffffffffc", { type: "l", value: -4n }],
    int64OfTheSpecification: ["4cfffffffffffffffc", { type: "L", value: -4n }],
    float: ["663fc00000", { type: "f", value: 1.5 }],
    double: ["643ff8000000000000", { type: "d", value: 1.5 }],
    decimal: ["4402fffffff9", { type: "D", scale: 2, value: -7 }],
    longString: ["530000000161", text("a")],
    array: ["4100000003740056", {
      type: "A",
      value: [{ type: "t", value: false }, { type: "V" }],
    }],
    timestamp: ["54000000006553f100", { type: "T", value: 1700000000n }],
    table: ["4600000003016156", { type: "F", value: new Map([["a", { type: "V" }]]) }],
    nothing: ["56", { type: "V" }],
    octets: ["780000000200ff", { type: "x", value: Uint8Array.of(0, 255) }],
  };
  for (const [name, [hex, value]] of Object.entries(fields)) {
    const length = (2 + hex.length / 2).toString(16).padStart(8, "0");
    assert.deepEqual(decode(`${length}016b${hex}`), new Map([["k", value]]), name);
  }
});

Deno.test("readTable refuses what ends too early or reaches too far", () => {
  assert.throws(() => decode("00000010"), RangeError); // 16 octets of which none are there
  assert.throws(() => decode("00000003016b53"), RangeError); // a string without its length
  assert.throws(() => decode("ffffffff016b56"), RangeError); // no memory is taken for what is claimed
  assert.throws(() => decode("00000007016b53ffffffff"), RangeError);
  assert.throws(() => decode("00000003016b7401"), SyntaxError); // the value is outside of the table
  assert.throws(() => decode("00000003016b3f"), SyntaxError); // '?' is no type
  assert.throws(() => decode("0000000301ff56"), TypeError); // a name that is not UTF-8
});

Deno.test("readTable refuses tables nested without end", () => {
  let nested: Table = new Map();
  for (let depth = 0; depth < 40; depth++) nested = new Map([["", { type: "F", value: nested }]]);
  assert.throws(() => readTable(new OctetReader(encode(nested))), SyntaxError);
  let array: FieldValue = { type: "A", value: [] };
  for (let depth = 0; depth < 40; depth++) array = { type: "A", value: [array] };
  assert.throws(() => readTable(new OctetReader(encode(new Map([["", array]])))), SyntaxError);
});

Deno.test("sameTable holds a table equal to itself read back", () => {
  const hasNaN = (value: Table) => /"value":null/.test(JSON.stringify([...value], asText));
  fc.assert(fc.property(table.filter((value) => !hasNaN(value)), (value) => {
    assert.ok(sameTable(value, readTable(new OctetReader(encode(value)))));
  }));
});

function asText(_: string, value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  return value instanceof Map ? [...value] : value;
}

Deno.test("sameValue compares integers by value, not by width", () => {
  assert.ok(sameValue({ type: "b", value: 5 }, { type: "l", value: 5n }));
  assert.ok(!sameValue({ type: "l", value: 2n ** 60n }, { type: "l", value: 2n ** 60n + 1n }));
  assert.ok(!sameValue({ type: "b", value: 1 }, { type: "t", value: true }));
  assert.ok(!sameValue({ type: "D", scale: 0, value: 1 }, { type: "b", value: 1 }));
  assert.ok(!sameValue(text("a"), text("b")));
  assert.ok(!sameTable(new Map([["a", text("x")]]), new Map([["b", text("x")]])));
});
