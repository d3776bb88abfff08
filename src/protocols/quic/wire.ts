/** What raw QUIC, WebTransport and WebSocket put on the wire: names, lengths and codes. Pure, no I/O. */

import { type ModelPart, type UpdatePart, Verdict } from "../../contract/federation_pb.ts";

/** RFC 7301 names: our own protocol, and HTTP/3, under which WebTransport sessions arrive. */
export const RAW_ALPN = "tributary/1";
export const HTTP3_ALPN = "h3";

/** Each message is preceded by its length as a big-endian unsigned integer of so many bytes. */
export const LENGTH_BYTES = 4;

/** The federation name that opens a raw control stream is never longer, in UTF-8. */
export const MAX_NAME_BYTES = 1024;

/** CONNECTION_CLOSE code (RFC 9000 §19.19, type 0x1d) of an end that is nobody's mistake. */
export const CLOSE_NO_ERROR = 0x5400;

/**
 * CONNECTION_CLOSE codes, where a verdict ends a whole connection. 0x5400 ("T") stands clear of
 * HTTP/3's own codes (RFC 9114 §8.1), which a WebTransport peer may read them beside.
 */
export const CLOSE_CODES = {
  [Verdict.UNSPECIFIED]: CLOSE_NO_ERROR,
  [Verdict.ACCEPTED]: 0x5401,
  [Verdict.HELD]: 0x5402,
  [Verdict.GAP]: 0x5403,
  [Verdict.DUPLICATE]: 0x5404,
  [Verdict.STALE]: 0x5405,
  [Verdict.EARLY]: 0x5406,
  [Verdict.MALFORMED]: 0x5407,
  [Verdict.OVERSIZED]: 0x5408,
  [Verdict.WRONG_SHAPE]: 0x5409,
  [Verdict.NON_FINITE]: 0x540a,
  [Verdict.OUT_OF_RANGE]: 0x540b,
  [Verdict.OTHER_RUN]: 0x540c,
  [Verdict.UNAUTHORISED]: 0x540d,
  [Verdict.BUSY]: 0x540e,
  [Verdict.NO_SESSION]: 0x540f,
  [Verdict.UNSUPPORTED]: 0x5410,
  [Verdict.FINISHED]: 0x5411,
  [Verdict.FAILED]: 0x5412,
} as const satisfies Record<Verdict, number>;

/**
 * Close codes of a WebSocket (RFC 6455 §7.4): registered ones where they say the same, else one of
 * the range for applications.
 */
export const WEBSOCKET_CLOSE_CODES = {
  [Verdict.UNSPECIFIED]: 1000,
  [Verdict.ACCEPTED]: 4001,
  [Verdict.HELD]: 4002,
  [Verdict.GAP]: 4003,
  [Verdict.DUPLICATE]: 4004,
  [Verdict.STALE]: 4005,
  [Verdict.EARLY]: 4006,
  [Verdict.MALFORMED]: 1002,
  [Verdict.OVERSIZED]: 1009,
  [Verdict.WRONG_SHAPE]: 4009,
  [Verdict.NON_FINITE]: 4010,
  [Verdict.OUT_OF_RANGE]: 4011,
  [Verdict.OTHER_RUN]: 4012,
  [Verdict.UNAUTHORISED]: 1008,
  [Verdict.BUSY]: 1013,
  [Verdict.NO_SESSION]: 4015,
  [Verdict.UNSUPPORTED]: 4016,
  [Verdict.FINISHED]: 4017,
  [Verdict.FAILED]: 1011,
} as const satisfies Record<Verdict, number>;

/** Shorter idle timeouts lose live clients on a busy machine. */
const LEAST_IDLE_MS = 10_000;
/** Peers' own idle timeouts are 30 s and more. */
const MOST_KEEP_ALIVE_MS = 7500;

/** In milliseconds, by the names that QUIC's transport has for them. */
export interface Liveness {
  /** A client that was silent for so long is lost. */
  readonly maxIdleTimeout: number;
  /** A silent client is asked so often whether it is there. */
  readonly keepAliveInterval: number;
}

/**
 * When a silent client is lost: after three heartbeat intervals without any packet. The answer to
 * a keep-alive is one, so a client may train for minutes and say nothing.
 */
export function liveness(heartbeatIntervalMs: number): Liveness {
  const maxIdleTimeout = Math.max(3 * heartbeatIntervalMs, LEAST_IDLE_MS);
  const keepAliveInterval = Math.min(Math.floor(maxIdleTimeout / 4), MOST_KEEP_ALIVE_MS);
  return { maxIdleTimeout, keepAliveInterval };
}

export function lengthPrefix(length: number): Uint8Array<ArrayBuffer> {
  const prefix = new Uint8Array(LENGTH_BYTES);
  new DataView(prefix.buffer).setUint32(0, length);
  return prefix;
}

export function readLength(prefix: Uint8Array): number {
  return new DataView(prefix.buffer, prefix.byteOffset, LENGTH_BYTES).getUint32(0);
}

/** The part that completes its update or model, and so ends its stream. */
export function isLast(part: UpdatePart | ModelPart): boolean {
  return part.offset + BigInt(part.bytes.length) >= part.totalBytes;
}

/** Bytes of the variable-length integer that begins with `first` (RFC 9000 §16): 1, 2, 4 or 8. */
export function varintBytes(first: number): number {
  return 1 << (first >> 6);
}

/** Reads a whole variable-length integer, of at most 8 bytes. */
export function readVarint(bytes: Uint8Array): bigint {
  let value = BigInt((bytes[0] ?? 0) & 0x3f);
  for (const byte of bytes.subarray(1)) value = value << 8n | BigInt(byte);
  return value;
}

/** Writes a variable-length integer in its shortest form. */
export function varint(value: bigint): Uint8Array<ArrayBuffer> {
  const length = value < 1n << 6n ? 1 : value < 1n << 14n ? 2 : value < 1n << 30n ? 4 : 8;
  const bytes = new Uint8Array(length);
  for (let index = length - 1, rest = value; index >= 0; index--, rest >>= 8n) {
    bytes[index] = Number(rest & 0xffn);
  }
  bytes[0] = (bytes[0] ?? 0) | Math.log2(length) << 6;
  return bytes;
}
