/** The type of DDS's samples as peers are told it, read back from the descriptor that C gets. */

import assert from "node:assert/strict";
import { topicDescriptor } from "../../src/protocols/dds/envelope.ts";

export interface DescribedType {
  readonly name: string;
  readonly final: boolean;
  readonly members: readonly { name: string; kind: string; key: boolean }[];
}

/** Where dds_topic_descriptor_t holds the type mapping's address and length (dds_public_impl.h). */
const MAPPING_OFFSET = 72;
const MAPPING_BYTES_OFFSET = 80;

/** Of OMG XTypes 1.3 §7.3.4 (Annex B). */
const TK_STRUCTURE = 0x51;
const IS_FINAL = 1 << 0;
const IS_KEY = 1 << 5;

/** Reads the complete type object in the descriptor's TypeMapping. */
export function describedEnvelope(): DescribedType {
  const pointer = topicDescriptor();
  assert.ok(pointer !== null);
  const descriptor = new Deno.UnsafePointerView(pointer);
  const mapping = descriptor.getPointer(MAPPING_OFFSET);
  assert.ok(mapping !== null);
  const bytes = new Uint8Array(
    Deno.UnsafePointerView.getArrayBuffer(mapping, descriptor.getUint32(MAPPING_BYTES_OFFSET)),
  );
  const cursor = new Cursor(bytes);
  cursor.uint32(); // DHEADER of the minimal types
  for (let left = cursor.uint32(); left > 0; left--) { // their names are hashes
    cursor.skip(15);
    cursor.skip(cursor.uint32());
  }
  cursor.uint32(); // DHEADER of the complete types
  assert.equal(cursor.uint32(), 1, "one complete type");
  cursor.skip(15); // its identifier
  cursor.uint32(); // DHEADER
  cursor.skip(1); // EK_COMPLETE
  assert.equal(cursor.uint8(), TK_STRUCTURE);
  const flags = cursor.uint16();
  cursor.uint32(); // DHEADER of the header
  cursor.skip(3); // no base type, no annotations
  const name = cursor.string();
  cursor.uint32(); // DHEADER of the members
  const members = Array.from({ length: cursor.uint32() }, () => {
    cursor.uint32(); // DHEADER
    cursor.uint32(); // member id
    const key = (cursor.uint16() & IS_KEY) !== 0;
    const kind = kindAt(cursor);
    const member = { name: cursor.string(), kind, key };
    cursor.skip(2); // no annotations
    return member;
  });
  return { name, final: (flags & IS_FINAL) !== 0, members };
}

/** A TypeIdentifier of those that federation.idl needs. */
function kindAt(cursor: Cursor): string {
  const kind = cursor.uint8();
  switch (kind) {
    case 0x02:
      return "BYTE";
    case 0x08:
      return "UINT64";
    case 0x70: // TI_STRING8_SMALL
      assert.equal(cursor.uint8(), 0, "unbounded");
      return "STRING8";
    case 0x80: // TI_PLAIN_SEQUENCE_SMALL
      cursor.skip(1); // EK_BOTH
      cursor.uint16(); // element flags
      assert.equal(cursor.uint8(), 0, "unbounded");
      return `SEQUENCE<${kindAt(cursor)}>`;
    default:
      throw new RangeError(`Type kind ${kind} is none of federation.idl's`);
  }
}

/** XCDR2, little-endian: numbers are aligned to their length, at most 4. */
class Cursor {
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  skip(bytes: number): void {
    this.#at += bytes;
  }

  uint8(): number {
    return this.#view.getUint8(this.#at++);
  }

  uint16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  uint32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  string(): string {
    const length = this.uint32();
    const bytes = Array.from({ length }, () => this.uint8());
    assert.equal(bytes.pop(), 0, "zero-terminated");
    return String.fromCharCode(...bytes);
  }

  #advance(bytes: number): number {
    this.#at += -this.#at & (bytes - 1);
    this.#at += bytes;
    return this.#at - bytes;
  }
}
