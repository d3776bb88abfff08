/** As much of HTTP/3 (RFC 9114) as opens and closes a WebTransport session. Pure, no I/O. */

import { Verdict } from "../../contract/federation_pb.ts";
import { readFields } from "./qpack.ts";
import { varint } from "./wire.ts";

/** Stream types of unidirectional streams (RFC 9114 §6.2). */
const CONTROL_STREAM = 0x00n;

/** Frame types (RFC 9114 §7.2). */
const DATA = 0x00n;
export const HEADERS = 0x01n;
const SETTINGS = 0x04n;

/** Streams of a WebTransport session begin with their kind and the session's id (draft-ietf-webtrans-http3 §4). */
export const WEBTRANSPORT_UNIDIRECTIONAL = 0x54;
export const WEBTRANSPORT_BIDIRECTIONAL = 0x41;

/** What a client must hear before it asks for a session; browsers know different drafts' names. */
const OFFERED: readonly (readonly [bigint, bigint])[] = [
  [0x08n, 1n], // SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 9220 §3)
  [0x33n, 1n], // SETTINGS_H3_DATAGRAM (RFC 9297 §2.1.1)
  [0xffd277n, 1n], // its draft 04
  [0x2b603742n, 1n], // SETTINGS_ENABLE_WEBTRANSPORT, draft-ietf-webtrans-http3-02
  [0x2b603743n, 1n], // its SETTINGS_WEBTRANSPORT_MAX_SESSIONS
  [0xc671706an, 1n], // SETTINGS_WEBTRANSPORT_MAX_SESSIONS, draft 07
];

/** CLOSE_WEBTRANSPORT_SESSION (draft-ietf-webtrans-http3 §5) and the longest reason it may give. */
const CLOSE_SESSION = 0x2843n;
const MAX_REASON_BYTES = 1024;

/** The whole control stream: its type and one SETTINGS frame. It must stay open. */
export function controlStream(): Uint8Array<ArrayBuffer> {
  const settings = joined(OFFERED.flatMap(([id, value]) => [varint(id), varint(value)]));
  return joined([varint(CONTROL_STREAM), frame(SETTINGS, settings)]);
}

/** What a request for a WebTransport session says. */
export interface SessionRequest {
  readonly path: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
}

/** Reads a request for a WebTransport session (RFC 9220); undefined for any other request. */
export function sessionRequest(section: Uint8Array): SessionRequest | undefined {
  const fields = readFields(section);
  if (fields?.get(":method") !== "CONNECT") return undefined;
  const path = fields.get(":path");
  if (fields.get(":protocol") !== "webtransport" || path === undefined) return undefined;
  return { path, host: fields.get(":authority"), origin: fields.get("origin") };
}

/** `:status 200`, and the draft that Chromium wants named. */
export function sessionAccepted(): Uint8Array<ArrayBuffer> {
  return frame(
    HEADERS,
    joined([
      new Uint8Array([0x00, 0x00, 0xd9]), // no inserts, base 0; static entry 25
      literal("sec-webtransport-http3-draft", "draft02"),
    ]),
  );
}

/** `:status 403` for a page that may not join, else `:status 404`. */
export function sessionRefused(verdict: Verdict): Uint8Array<ArrayBuffer> {
  // Static entries 68 and 27 (RFC 9204 Appendix A); an index beyond 62 goes on in a second byte.
  const status = verdict === Verdict.UNAUTHORISED ? [0xff, 0x05] : [0xdb];
  return frame(HEADERS, new Uint8Array([0x00, 0x00, ...status]));
}

/** Ends a session with a code and a reason that scripts can read. */
export function sessionClosed(
  { closeCode, reason }: { closeCode: number; reason: string },
): Uint8Array<ArrayBuffer> {
  const value = new Uint8Array(4 + MAX_REASON_BYTES);
  new DataView(value.buffer).setUint32(0, closeCode);
  const { written } = new TextEncoder().encodeInto(reason, value.subarray(4));
  const capsule = value.subarray(0, 4 + written);
  return frame(DATA, joined([varint(CLOSE_SESSION), varint(BigInt(capsule.length)), capsule]));
}

function frame(type: bigint, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return joined([varint(type), varint(BigInt(bytes.length)), bytes]);
}

/** A field with a literal name of 7 to 133 characters and a short value (RFC 9204 §4.5.6). */
function literal(name: string, value: string): Uint8Array {
  const text = new TextEncoder();
  return joined([
    new Uint8Array([0x27, name.length - 7]),
    text.encode(name),
    new Uint8Array([value.length]),
    text.encode(value),
  ]);
}

function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let offset = 0;
  for (const piece of pieces) {
    whole.set(piece, offset);
    offset += piece.length;
  }
  return whole;
}
