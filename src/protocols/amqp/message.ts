/** A message as exchanges route it and queues hold it. */

export interface Message {
  readonly exchange: string;
  readonly routingKey: string;
  /** Flags and property list, encoded. */
  readonly properties: Uint8Array;
  readonly body: Uint8Array;
}

/** What the objects around a message cost, so that empty ones are not free. */
const OVERHEAD_BYTES = 256;

/** What a message counts against the bounds of queues. */
export function weightBytes(message: Message): number {
  return message.body.length + message.properties.length + OVERHEAD_BYTES;
}

/** A message in a queue, or delivered from it and not yet acknowledged. */
export interface Queued {
  readonly message: Message;
  /** Its place in the queue's order, kept when it is put back. */
  readonly place: number;
  /** It was delivered before. */
  redelivered: boolean;
}
