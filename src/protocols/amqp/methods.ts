/**
 * Every method of AMQP 0-9-1 in one table, with RabbitMQ's confirm class, basic.nack,
 * connection.blocked and exchange.bind. Encoder and decoder are driven by it and by nothing else.
 * Sections are those of the reference: 1.4 connection to 1.9 tx.
 */

import { AmqpException } from "./exceptions.ts";
import { readTable, type Table, writeTable } from "./fields.ts";
import { OctetReader, OctetWriter } from "./octets.ts";

/** What a method's fields are made of (§4.2.1), and as what they are held. */
export interface FieldTypes {
  /** Consecutive bits share an octet, the first in its lowest bit (§4.2.5.2). */
  bit: boolean;
  octet: number;
  short: number;
  long: number;
  longlong: bigint;
  /** UTF-8, at most 255 octets. */
  shortstr: string;
  /** Any octets. */
  longstr: Uint8Array;
  table: Table;
}

type FieldMap = Readonly<Record<string, keyof FieldTypes>>;

function method<const F extends FieldMap>(classId: number, methodId: number, fields: F) {
  return { classId, methodId, fields };
}

const closing = {
  replyCode: "short",
  replyText: "shortstr",
  classId: "short",
  methodId: "short",
} as const;
const tuning = { channelMax: "short", frameMax: "long", heartbeat: "short" } as const;

export const METHODS = {
  // 1.4 connection
  "connection.start": method(10, 10, {
    versionMajor: "octet",
    versionMinor: "octet",
    serverProperties: "table",
    mechanisms: "longstr",
    locales: "longstr",
  }),
  "connection.start-ok": method(10, 11, {
    clientProperties: "table",
    mechanism: "shortstr",
    response: "longstr",
    locale: "shortstr",
  }),
  "connection.secure": method(10, 20, { challenge: "longstr" }),
  "connection.secure-ok": method(10, 21, { response: "longstr" }),
  "connection.tune": method(10, 30, tuning),
  "connection.tune-ok": method(10, 31, tuning),
  "connection.open": method(10, 40, {
    virtualHost: "shortstr",
    reserved1: "shortstr",
    reserved2: "bit",
  }),
  "connection.open-ok": method(10, 41, { reserved1: "shortstr" }),
  "connection.close": method(10, 50, closing),
  "connection.close-ok": method(10, 51, {}),
  "connection.blocked": method(10, 60, { reason: "shortstr" }),
  "connection.unblocked": method(10, 61, {}),
  "connection.update-secret": method(10, 70, { newSecret: "longstr", reason: "shortstr" }),
  "connection.update-secret-ok": method(10, 71, {}),
  // 1.5 channel
  "channel.open": method(20, 10, { reserved1: "shortstr" }),
  "channel.open-ok": method(20, 11, { reserved1: "longstr" }),
  "channel.flow": method(20, 20, { active: "bit" }),
  "channel.flow-ok": method(20, 21, { active: "bit" }),
  "channel.close": method(20, 40, closing),
  "channel.close-ok": method(20, 41, {}),
  // 1.6 exchange; auto-delete and internal are reserved bits in 0-9-1 and in use again
  "exchange.declare": method(40, 10, {
    reserved1: "short",
    exchange: "shortstr",
    type: "shortstr",
    passive: "bit",
    durable: "bit",
    autoDelete: "bit",
    internal: "bit",
    noWait: "bit",
    arguments: "table",
  }),
  "exchange.declare-ok": method(40, 11, {}),
  "exchange.delete": method(40, 20, {
    reserved1: "short",
    exchange: "shortstr",
    ifUnused: "bit",
    noWait: "bit",
  }),
  "exchange.delete-ok": method(40, 21, {}),
  "exchange.bind": method(40, 30, {
    reserved1: "short",
    destination: "shortstr",
    source: "shortstr",
    routingKey: "shortstr",
    noWait: "bit",
    arguments: "table",
  }),
  "exchange.bind-ok": method(40, 31, {}),
  "exchange.unbind": method(40, 40, {
    reserved1: "short",
    destination: "shortstr",
    source: "shortstr",
    routingKey: "shortstr",
    noWait: "bit",
    arguments: "table",
  }),
  "exchange.unbind-ok": method(40, 51, {}),
  // 1.7 queue
  "queue.declare": method(50, 10, {
    reserved1: "short",
    queue: "shortstr",
    passive: "bit",
    durable: "bit",
    exclusive: "bit",
    autoDelete: "bit",
    noWait: "bit",
    arguments: "table",
  }),
  "queue.declare-ok": method(50, 11, {
    queue: "shortstr",
    messageCount: "long",
    consumerCount: "long",
  }),
  "queue.bind": method(50, 20, {
    reserved1: "short",
    queue: "shortstr",
    exchange: "shortstr",
    routingKey: "shortstr",
    noWait: "bit",
    arguments: "table",
  }),
  "queue.bind-ok": method(50, 21, {}),
  "queue.purge": method(50, 30, { reserved1: "short", queue: "shortstr", noWait: "bit" }),
  "queue.purge-ok": method(50, 31, { messageCount: "long" }),
  "queue.delete": method(50, 40, {
    reserved1: "short",
    queue: "shortstr",
    ifUnused: "bit",
    ifEmpty: "bit",
    noWait: "bit",
  }),
  "queue.delete-ok": method(50, 41, { messageCount: "long" }),
  "queue.unbind": method(50, 50, {
    reserved1: "short",
    queue: "shortstr",
    exchange: "shortstr",
    routingKey: "shortstr",
    arguments: "table",
  }),
  "queue.unbind-ok": method(50, 51, {}),
  // 1.8 basic
  "basic.qos": method(60, 10, { prefetchSize: "long", prefetchCount: "short", global: "bit" }),
  "basic.qos-ok": method(60, 11, {}),
  "basic.consume": method(60, 20, {
    reserved1: "short",
    queue: "shortstr",
    consumerTag: "shortstr",
    noLocal: "bit",
    noAck: "bit",
    exclusive: "bit",
    noWait: "bit",
    arguments: "table",
  }),
  "basic.consume-ok": method(60, 21, { consumerTag: "shortstr" }),
  "basic.cancel": method(60, 30, { consumerTag: "shortstr", noWait: "bit" }),
  "basic.cancel-ok": method(60, 31, { consumerTag: "shortstr" }),
  "basic.publish": method(60, 40, {
    reserved1: "short",
    exchange: "shortstr",
    routingKey: "shortstr",
    mandatory: "bit",
    immediate: "bit",
  }),
  "basic.return": method(60, 50, {
    replyCode: "short",
    replyText: "shortstr",
    exchange: "shortstr",
    routingKey: "shortstr",
  }),
  "basic.deliver": method(60, 60, {
    consumerTag: "shortstr",
    deliveryTag: "longlong",
    redelivered: "bit",
    exchange: "shortstr",
    routingKey: "shortstr",
  }),
  "basic.get": method(60, 70, { reserved1: "short", queue: "shortstr", noAck: "bit" }),
  "basic.get-ok": method(60, 71, {
    deliveryTag: "longlong",
    redelivered: "bit",
    exchange: "shortstr",
    routingKey: "shortstr",
    messageCount: "long",
  }),
  "basic.get-empty": method(60, 72, { reserved1: "shortstr" }),
  "basic.ack": method(60, 80, { deliveryTag: "longlong", multiple: "bit" }),
  "basic.reject": method(60, 90, { deliveryTag: "longlong", requeue: "bit" }),
  "basic.recover-async": method(60, 100, { requeue: "bit" }),
  "basic.recover": method(60, 110, { requeue: "bit" }),
  "basic.recover-ok": method(60, 111, {}),
  "basic.nack": method(60, 120, { deliveryTag: "longlong", multiple: "bit", requeue: "bit" }),
  // RabbitMQ's publisher confirms
  "confirm.select": method(85, 10, { noWait: "bit" }),
  "confirm.select-ok": method(85, 11, {}),
  // 1.9 tx
  "tx.select": method(90, 10, {}),
  "tx.select-ok": method(90, 11, {}),
  "tx.commit": method(90, 20, {}),
  "tx.commit-ok": method(90, 21, {}),
  "tx.rollback": method(90, 30, {}),
  "tx.rollback-ok": method(90, 31, {}),
} as const;

export type MethodName = keyof typeof METHODS;

/** The fields of one method, each as what its type is held as. */
export type MethodFields<N extends MethodName> = {
  readonly [K in keyof typeof METHODS[N]["fields"]]:
    FieldTypes[Extract<typeof METHODS[N]["fields"][K], keyof FieldTypes>];
};

/** A method with its name and fields. */
export type Method<N extends MethodName = MethodName> = {
  [K in N]: { readonly name: K; readonly fields: MethodFields<K> };
}[N];

const namesById = new Map<number, MethodName>(
  Object.entries(METHODS).map(([name, entry]) => [
    entry.classId << 16 | entry.methodId,
    name as MethodName,
  ]),
);

/** Reads the payload of a method frame (§4.2.4): class, method, fields, and nothing after them. */
export function decodeMethod(payload: Uint8Array): Method | AmqpException {
  const reader = new OctetReader(payload);
  try {
    const [classId, methodId] = [reader.uint16(), reader.uint16()];
    const name = namesById.get(classId << 16 | methodId);
    if (name === undefined) {
      return new AmqpException("NOT_IMPLEMENTED", `no method ${methodId} in class ${classId}`);
    }
    const fields = readFields(reader, METHODS[name].fields);
    if (reader.left > 0) {
      return new AmqpException("FRAME_ERROR", `${reader.left} octets follow ${name}`);
    }
    // The table gave both the name and the fields.
    return { name, fields } as Method;
  } catch (error) {
    return malformed(error);
  }
}

/** §1.2: 501 for what cannot be decoded at all, 502 for an illegal value in a field. */
export function malformed(error: unknown): AmqpException {
  const detail = error instanceof Error ? error.message : String(error);
  return new AmqpException(error instanceof RangeError ? "FRAME_ERROR" : "SYNTAX_ERROR", detail);
}

/** The payload of a method frame. @throws {RangeError} for a shortstr beyond 255 octets. */
export function encodeMethod<N extends MethodName>(
  name: N,
  fields: MethodFields<N>,
): Uint8Array<ArrayBuffer> {
  const writer = new OctetWriter();
  writer.uint16(METHODS[name].classId);
  writer.uint16(METHODS[name].methodId);
  writeFields(writer, METHODS[name].fields, fields);
  return writer.written();
}

function readFields(reader: OctetReader, types: FieldMap): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  let bits = 0;
  let bitsLeft = 0;
  for (const name in types) {
    const type = types[name];
    if (type === "bit") {
      if (bitsLeft === 0) [bits, bitsLeft] = [reader.uint8(), 8];
      fields[name] = (bits & 1) === 1;
      bits >>= 1;
      bitsLeft--;
    } else if (type !== undefined) {
      bitsLeft = 0;
      fields[name] = readField(reader, type);
    }
  }
  return fields;
}

/** Reads one field that is no bit. */
export function readField(reader: OctetReader, kind: Exclude<keyof FieldTypes, "bit">) {
  switch (kind) {
    case "octet":
      return reader.uint8();
    case "short":
      return reader.uint16();
    case "long":
      return reader.uint32();
    case "longlong":
      return reader.uint64();
    case "shortstr":
      return reader.shortstr();
    case "longstr":
      return reader.longstr();
    case "table":
      return readTable(reader);
    default:
      return kind satisfies never;
  }
}

function writeFields(writer: OctetWriter, types: FieldMap, fields: object): void {
  const values = fields as Readonly<Record<string, FieldTypes[keyof FieldTypes]>>;
  let bits = 0;
  let bitCount = 0;
  const flush = () => {
    if (bitCount > 0) writer.uint8(bits);
    bits = bitCount = 0;
  };
  for (const name in types) {
    const type = types[name];
    if (type === "bit") {
      if (bitCount === 8) flush();
      if (values[name] === true) bits |= 1 << bitCount;
      bitCount++;
    } else if (type !== undefined) {
      flush();
      writeField(writer, type, values[name]);
    }
  }
  flush();
}

/** Writes one field that is no bit; `value` is what the type is held as. */
export function writeField(
  writer: OctetWriter,
  kind: Exclude<keyof FieldTypes, "bit">,
  value: unknown,
): void {
  switch (kind) {
    case "octet":
      return writer.uint8(value as number);
    case "short":
      return writer.uint16(value as number);
    case "long":
      return writer.uint32(value as number);
    case "longlong":
      return writer.uint64(value as bigint);
    case "shortstr":
      return writer.shortstr(value as string);
    case "longstr":
      return writer.longstr(value as Uint8Array);
    case "table":
      return writeTable(writer, value as Table);
    default:
      kind satisfies never;
  }
}
