/** Who may be a client: ClientMessage.client_id of federation.proto, the same on every wire. */

/** It is part of topics, routing keys, partitions and lines of logs: none of them has to escape it. */
export function isClientId(text: string): boolean {
  return /^[A-Za-z0-9._-]{1,64}$/.test(text);
}
