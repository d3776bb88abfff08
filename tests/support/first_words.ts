/** What a client of each protocol says first, for ports of another one. */

/** HTTP/1.1 (RFC 9112). */
export const HTTP = ascii("GET / HTTP/1.1\r\nHost: here\r\n\r\n");

/** HTTP/2 with prior knowledge: preface and empty SETTINGS (RFC 9113 §3.4). */
export const HTTP2 = bytes(ascii("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), [0, 0, 0, 4, 0, 0, 0, 0, 0]);

/** The protocol header of AMQP 0-9-1 (§4.2.2). */
export const AMQP = bytes(ascii("AMQP"), [0, 0, 9, 1]);

/** CONNECT of MQTT 3.1.1 for the client `client-1`, clean session, no keep alive (§3.1). */
export const MQTT = bytes(
  [0x10, 20, 0, 4],
  ascii("MQTT"),
  [4, 2, 0, 0, 0, 8],
  ascii("client-1"),
);

/** TLS 1.2's record of a ClientHello with one cipher suite and no extensions (RFC 5246 §7.4.1.2). */
export const TLS = bytes(
  [22, 3, 1, 0, 45, 1, 0, 0, 41, 3, 3],
  new Uint8Array(32).fill(7),
  [0, 0, 2, 0xc0, 0x2f, 1, 0],
);

/** An RTPS header and nothing else (RTPS 2.5 §9.4.4). */
export const RTPS = bytes(ascii("RTPS"), [2, 5, 1, 16], new Uint8Array(12).fill(9));

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function bytes(...pieces: readonly ArrayLike<number>[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(pieces.flatMap((piece) => Array.from(piece)));
}
