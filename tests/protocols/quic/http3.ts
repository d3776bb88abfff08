/** As much HTTP/3 as a WebTransport client says before its first stream, byte by byte. */

/** A WebTransport stream's first bytes: its kind as a varint, then the session's id 0 (draft-ietf-webtrans-http3 §4). */
export const UPDATE_STREAM = new Uint8Array([0x40, 0x54, 0x00]);
export const UPDATE_STREAM_BOTH_WAYS = new Uint8Array([0x40, 0x41, 0x00]);

/** The control stream (RFC 9114 §6.2.1) with one SETTINGS frame. */
export const SETTINGS = new Uint8Array([
  ...[0x00], // stream type: control
  ...[0x04, 0x09], // SETTINGS, 9 bytes
  ...[0x08, 0x01], // SETTINGS_ENABLE_CONNECT_PROTOCOL = 1 (RFC 9220)
  ...[0x33, 0x01], // SETTINGS_H3_DATAGRAM = 1 (RFC 9297)
  ...[0xab, 0x60, 0x37, 0x42, 0x01], // SETTINGS_ENABLE_WEBTRANSPORT = 1, draft 02
]);

/** An extended CONNECT (RFC 9220) in one HEADERS frame, without Huffman codes or a dynamic table. */
export function connectRequest(authority: string, path: string): Uint8Array {
  const fields = new Uint8Array([
    ...[0x00, 0x00], // QPACK: no insertions needed, base 0 (RFC 9204 §4.5.1)
    0xcf, // :method CONNECT, static entry 15
    0xd7, // :scheme https, static entry 23
    ...[0x50, ...text(authority)], // :authority, name of static entry 0
    ...[0x51, ...text(path)], // :path, name of static entry 1
    // :protocol webtransport, both literal; the name's length 9 is 7 + 2
    ...[0x27, 0x02, ...bytesOf(":protocol"), ...text("webtransport")],
  ]);
  return new Uint8Array([0x01, 0x40 | fields.length >> 8, fields.length & 0xff, ...fields]);
}

/** A literal behind its length, which must be below 127 (RFC 7541 §5.2). */
function text(value: string): number[] {
  return [value.length, ...bytesOf(value)];
}

function bytesOf(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}
