/** An RTPS message in the name of somebody's writer: RTPS has no way to tell (RTPS 2.5 §8.3). */

/** Of RTPS 2.5 §9.4.5. */
const DATA = 0x15;
const LITTLE_ENDIAN = 1 << 0;
const WITH_DATA = 1 << 2;
/** DATA's own fields before the serialized payload (§9.4.5.3). */
const DATA_BYTES = 20;
const PREFIX_BYTES = 12;

/**
 * @param guid Of the writer: 12 octets of its participant, 4 of its own.
 * @param number How many samples it has written with this one.
 * @param payload The serialized payload, encapsulation header included.
 */
export function forgedSample(guid: Uint8Array, number: number, payload: Uint8Array): Uint8Array {
  const message = new Uint8Array(20 + 4 + DATA_BYTES + payload.length);
  message.set(new TextEncoder().encode("RTPS"));
  message.set([2, 1, 1, 16], 4); // version 2.1, Eclipse's vendor id
  message.set(guid.subarray(0, PREFIX_BYTES), 8);
  const view = new DataView(message.buffer, 20);
  view.setUint8(0, DATA);
  view.setUint8(1, LITTLE_ENDIAN | WITH_DATA);
  view.setUint16(2, DATA_BYTES + payload.length, true);
  view.setUint16(6, 16, true); // octets from here to the end of the sequence number
  message.set(guid.subarray(PREFIX_BYTES), 20 + 12); // the reader, before it, is any
  view.setUint32(20, number, true); // the low half of the sequence number
  message.set(payload, 20 + 4 + DATA_BYTES);
  return message;
}
