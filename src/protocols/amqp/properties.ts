/** Content headers: class, body size and the properties of a basic message (§4.2.6.1, 1.8). */

import { AmqpException } from "./exceptions.ts";
import type { Table } from "./fields.ts";
import { type FieldTypes, METHODS, readField, writeField } from "./methods.ts";
import { OctetReader, OctetWriter } from "./octets.ts";

type PropertyType = "shortstr" | "octet" | "longlong" | "table";

/** The properties of class basic in the order of their flags; timestamp is a longlong on the wire. */
const PROPERTIES = {
  contentType: "shortstr",
  contentEncoding: "shortstr",
  headers: "table",
  deliveryMode: "octet",
  priority: "octet",
  correlationId: "shortstr",
  replyTo: "shortstr",
  expiration: "shortstr",
  messageId: "shortstr",
  timestamp: "longlong",
  type: "shortstr",
  userId: "shortstr",
  appId: "shortstr",
  clusterId: "shortstr",
} as const satisfies Record<string, PropertyType>;

export type Properties = {
  readonly [K in keyof typeof PROPERTIES]?: FieldTypes[typeof PROPERTIES[K]];
};

/** What precedes a message's body. */
export interface ContentHeader {
  readonly bodyBytes: bigint;
  /** Flags and property list as they came: a broker passes them on unchanged (§3.1.1). Owned. */
  readonly encoded: Uint8Array;
  readonly headers: Table | undefined;
}

const BASIC = METHODS["basic.publish"].classId;

/** Flags stand in the upper 15 bits, highest first; the lowest says that more flags follow. */
function flagOf(index: number): number {
  return 1 << (15 - index);
}

/** Every flag of class basic: no other may be set. */
const KNOWN_FLAGS = Object.keys(PROPERTIES).reduce((flags, _, index) => flags | flagOf(index), 0);

/** Reads the payload of a content header frame. */
export function decodeContentHeader(payload: Uint8Array): ContentHeader | AmqpException {
  const reader = new OctetReader(payload);
  try {
    const classId = reader.uint16();
    if (classId !== BASIC) {
      // §4.2.6.1: it must be the method's class
      return new AmqpException("FRAME_ERROR", `content of class ${classId} follows basic.publish`);
    }
    const weight = reader.uint16();
    if (weight !== 0) {
      return new AmqpException("UNEXPECTED_FRAME", `a content header of weight ${weight}`);
    }
    const bodyBytes = reader.uint64();
    const encoded = payload.slice(payload.length - reader.left);
    return { bodyBytes, encoded, headers: decodeProperties(encoded).headers };
  } catch (error) {
    // §4.2.6: badly formatted content is a 505
    return new AmqpException("UNEXPECTED_FRAME", error instanceof Error ? error.message : "");
  }
}

/**
 * Reads flags and property list.
 * @throws {RangeError | SyntaxError | TypeError} for what is none.
 */
export function decodeProperties(encoded: Uint8Array): Properties {
  const reader = new OctetReader(encoded);
  const flags = reader.uint16();
  if ((flags & ~KNOWN_FLAGS) !== 0) throw new SyntaxError("Flags of properties that basic has not");
  const properties: Record<string, unknown> = {};
  Object.entries(PROPERTIES).forEach(([name, type], index) => {
    if ((flags & flagOf(index)) !== 0) properties[name] = readField(reader, type);
  });
  if (reader.left > 0) throw new SyntaxError(`${reader.left} octets follow the properties`);
  return properties;
}

/** Flags and property list. */
export function encodeProperties(properties: Properties): Uint8Array<ArrayBuffer> {
  const values: Readonly<Record<string, unknown>> = properties;
  const writer = new OctetWriter();
  let flags = 0;
  Object.keys(PROPERTIES).forEach((name, index) => {
    if (values[name] !== undefined) flags |= flagOf(index);
  });
  writer.uint16(flags);
  for (const [name, type] of Object.entries(PROPERTIES)) {
    if (values[name] !== undefined) writeField(writer, type, values[name]);
  }
  return writer.written();
}

/** The payload of a content header frame, around properties already encoded. */
export function encodeContentHeader(
  bodyBytes: number,
  encoded: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const writer = new OctetWriter();
  writer.uint16(BASIC);
  writer.uint16(0);
  writer.uint64(BigInt(bodyBytes));
  writer.octets(encoded);
  return writer.written();
}
