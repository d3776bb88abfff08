/** The one DDS type, `Envelope` of proto/federation.idl: how C lays it out and how DDS describes it. */

import { addressOf, cString } from "./cyclone.ts";

/** struct Envelope { char *client; uint64_t seq; struct { uint32_t maximum, length; uint8_t *buffer; bool release; } body; } */
export const ENVELOPE_BYTES = 40;
export const CLIENT_OFFSET = 0;
export const SEQ_OFFSET = 8;
export const BODY_MAXIMUM_OFFSET = 16;
export const BODY_LENGTH_OFFSET = 20;
export const BODY_POINTER_OFFSET = 24;

/**
 * XTypes TypeInformation and TypeMapping, XCDR2: what cyclonedds-python 11.0.1 makes
 * (`Envelope.__idl__._xt_bytedata`) of the @final struct with `client: str` (key), `seq: uint64`
 * and `body: sequence[byte]`. They decide whether two ends match: octet is TK_BYTE, and a peer
 * with TK_UINT8 never matches, without a word from either side.
 */
const TYPE_INFORMATION =
  "6000000001100040280000002400000014000000f153211046df32b46839c8aa662563004c00000000000000040000" +
  "000000000002100040280000002400000014000000f216861e4bdd7723e47ea020a73ff70077000000000000000400" +
  "000000000000";
const TYPE_MAPPING =
  "6000000001000000f153211046df32b46839c8aa6625630048000000f1510100010000000000000038000000030000" +
  "000c000000000000002100700062608e080b00000001000000010008e068c2de001000000002000000010080f30100" +
  "0002841a2d688b00000001000000f216861e4bdd7723e47ea020a73ff70073000000f2510100110000000000000009" +
  "000000456e76656c6f706500000000530000000300000015000000000000002100700007000000636c69656e740000" +
  "000000001200000001000000010008000400000073657100000000001700000002000000010080f30100000205" +
  "000000626f6479000000002200000001000000f216861e4bdd7723e47ea020a73ff7f153211046df32b46839c8aa66" +
  "2563";

/** Marshalling program (dds_opcodes.h): one instruction a member, then where the key is. */
const INSTRUCTIONS = Uint32Array.of(
  0x01050009, // ADR | TYPE_STR | KEY | MUST_UNDERSTAND
  CLIENT_OFFSET,
  0x01040000, // ADR | TYPE_8BY
  SEQ_OFFSET,
  0x01070100, // ADR | TYPE_SEQ | SUBTYPE_1BY
  BODY_MAXIMUM_OFFSET,
  0, // RTS
  0x07000001, // KOF: a key of one instruction, the one at 0
  0,
);
const KEY_INSTRUCTION = 7;

const DESCRIPTOR_BYTES = 96;
const KEY_DESCRIPTOR_BYTES = 16;
const XTYPES_METADATA = 0x40;

/** What the descriptor points to: it holds addresses, so none of it may be collected. */
const kept: Uint8Array<ArrayBuffer>[] = [];
let described: Uint8Array<ArrayBuffer> | undefined;

/** dds_topic_descriptor_t of Envelope. Made at first use: taking addresses needs the ffi permission. */
export function topicDescriptor(): Deno.PointerValue {
  described ??= describe();
  return Deno.UnsafePointer.of(described);
}

function describe(): Uint8Array<ArrayBuffer> {
  const information = keep(Uint8Array.fromHex(TYPE_INFORMATION));
  const mapping = keep(Uint8Array.fromHex(TYPE_MAPPING));
  const key = new DataView(new ArrayBuffer(KEY_DESCRIPTOR_BYTES));
  key.setBigUint64(0, addressOf(keep(cString("client"))), true);
  key.setUint32(8, KEY_INSTRUCTION, true);
  const view = new DataView(new ArrayBuffer(DESCRIPTOR_BYTES));
  view.setUint32(0, ENVELOPE_BYTES, true);
  view.setUint32(4, 8, true); // alignment
  view.setUint32(8, XTYPES_METADATA, true);
  view.setUint32(12, 1, true); // keys
  view.setBigUint64(16, addressOf(keep(cString("Envelope"))), true);
  view.setBigUint64(24, addressOf(keep(new Uint8Array(key.buffer))), true);
  view.setUint32(32, 4, true); // instructions before the key's
  view.setBigUint64(40, addressOf(keep(new Uint8Array(INSTRUCTIONS.buffer))), true);
  view.setBigUint64(48, addressOf(keep(cString(""))), true);
  view.setBigUint64(56, addressOf(information), true);
  view.setUint32(64, information.length, true);
  view.setBigUint64(72, addressOf(mapping), true);
  view.setUint32(80, mapping.length, true);
  return new Uint8Array(view.buffer);
}

function keep(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  kept.push(bytes);
  return bytes;
}
