/** Bytes to messages and back, the same on every wire. */

import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  type ClientMessage,
  ClientMessageSchema,
  type ServerMessage,
  ServerMessageSchema,
} from "./federation_pb.ts";
import type { Arrival, Route } from "./protocol_server.ts";

/** UpdatePart.bytes and ModelPart.bytes unless configured otherwise. */
export const DEFAULT_PART_BYTES = 256 * 1024;

/** What a message may weigh beside its part: ids, metrics, a Welcome's tensor list and topology. */
export const MESSAGE_OVERHEAD_BYTES = 256 * 1024;

/** The largest message a server takes or sends when its parts have `partBytes`. */
export function largestMessageBytes(partBytes: number): number {
  return partBytes + MESSAGE_OVERHEAD_BYTES;
}

/**
 * Reads one ClientMessage. Bytes that are none become an `unreadable` arrival.
 * The part of an update gets an ArrayBuffer of its own, so that it can be transferred.
 */
export function arrivalOf(route: Route, bytes: Uint8Array): Arrival {
  let message: ClientMessage;
  try {
    message = fromBinary(ClientMessageSchema, bytes);
  } catch (error) {
    return { kind: "unreadable", route, detail: `Not a ClientMessage: ${String(error)}` };
  }
  if (message.body.case === undefined) {
    return { kind: "unreadable", route, detail: "The ClientMessage has no body this server knows" };
  }
  if (message.body.case === "updatePart") {
    // Decoded bytes are a view of the input, which belongs to the wire's library.
    message.body.value.bytes = message.body.value.bytes.slice();
  }
  return { kind: "message", route, message };
}

export function encodeClientMessage(message: ClientMessage): Uint8Array<ArrayBuffer> {
  return toBinary(ClientMessageSchema, message) as Uint8Array<ArrayBuffer>;
}

export function encodeServerMessage(message: ServerMessage): Uint8Array<ArrayBuffer> {
  return toBinary(ServerMessageSchema, message) as Uint8Array<ArrayBuffer>;
}

/**
 * Reads one ServerMessage.
 * @throws {SyntaxError} when the bytes are none.
 */
export function decodeServerMessage(bytes: Uint8Array): ServerMessage {
  try {
    return fromBinary(ServerMessageSchema, bytes);
  } catch (error) {
    throw new SyntaxError(`Not a ServerMessage: ${String(error)}`);
  }
}

export function clientMessage(init: MessageInitShape<typeof ClientMessageSchema>): ClientMessage {
  return create(ClientMessageSchema, init);
}

export function serverMessage(init: MessageInitShape<typeof ServerMessageSchema>): ServerMessage {
  return create(ServerMessageSchema, init);
}
