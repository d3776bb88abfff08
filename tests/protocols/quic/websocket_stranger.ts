/** Where a QUIC server's WebSockets are, and a WebSocket client made by hand from RFC 6455. */

/** A server's WebSocket address, from its address for QUIC. */
export function webSocketUrl({ host, pathname }: URL): URL {
  return new URL(`ws://${host}${pathname}`);
}
