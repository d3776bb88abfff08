/** Where a page finds its server's QUIC endpoint. */

/** A server that listens on every address of its machine names none. */
const EVERY_ADDRESS = ["0.0.0.0", "[::]"];

/**
 * What to dial, in this order: WebTransport on the UDP port, WebSocket on the TCP port of the same
 * number.
 * @param quic The server's QUIC address, as it prints it.
 * @param pageHost The host that the page itself came from.
 */
export function addressesOf(quic: string, pageHost: string): string[] {
  const { hostname, port, pathname, search } = new URL(quic);
  const host = EVERY_ADDRESS.includes(hostname) ? pageHost : hostname;
  return [`quic://${host}:${port}${pathname}${search}`, `ws://${host}:${port}${pathname}`];
}
