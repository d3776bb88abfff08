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
 * What the message holds is its own: the input belongs to the wire's library, and a view of it would
 * drag all of it along to another thread. The part of an update can be transferred.
 */
export function arrivalOf(route: Route, bytes: Uint8Array): Arrival {
  let message: ClientMessage;
  try {
    // What a newer client says beside it would be kept as a view of the input.
    message = fromBinary(ClientMessageSchema, bytes, { readUnknownFields: false });
  } catch (error) {
    return { kind: "unreadable", route, detail: `Not a ClientMessage: ${String(error)}` };
  }
  if (message.body.case === undefined) {
    return { kind: "unreadable", route, detail: "The ClientMessage has no body this server knows" };
  }
  message.session = owned(message.session);
  const { body } = message;
  switch (body.case) {
    case "hello":
      body.value.nonce = owned(body.value.nonce);
      body.value.session = owned(body.value.session);
      if (body.value.held) body.value.held.sha256 = owned(body.value.held.sha256);
      break;
    case "updatePart":
      body.value.uploadId = owned(body.value.uploadId);
      body.value.bytes = owned(body.value.bytes);
      break;
    case "modelHeld":
      body.value.sha256 = owned(body.value.sha256);
      break;
    case "leave":
      body.value.modelSha256 = owned(body.value.modelSha256);
      body.value.nonce = owned(body.value.nonce);
      break;
    case "sealed":
      body.value.body = owned(body.value.body);
      body.value.tag = owned(body.value.tag);
      break;
  }
  return { kind: "message", route, message };
}

/** A copy in an ArrayBuffer of its own. (A Buffer's `slice` would be a view.) */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
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
