/** A server's WebSocket address, from its address for QUIC. */
export function webSocketUrl({ host, pathname }: URL): URL {
  return new URL(`ws://${host}${pathname}`);
}
